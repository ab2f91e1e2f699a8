//! Who may ask: by the name that the server is asked under, the page that asks, and a token.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Method, Uri, header};

use super::ServeError;
use super::problem::Problem;

/// The cookie that holds the token, for the pages.
const COOKIE: &str = "bitquilt";

/// What a request must bring.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Where it listens.
    address: SocketAddr,
    host_names: Vec<String>,
    token: Option<String>,
    cors: Option<String>,
}

impl Guard {
    pub(super) fn new(
        address: SocketAddr,
        host_names: &[String],
        token: Option<String>,
        cors: Option<String>,
    ) -> Result<Self, ServeError> {
        let form = |what, found: &str, expected| ServeError::Form {
            what,
            found: found.to_owned(),
            expected,
        };
        let is_plain = |text: &str, more: &str| {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || more.contains(letter);
            !text.is_empty() && text.chars().all(plain)
        };
        for name in host_names {
            if !is_plain(name, ".-") {
                return Err(form(
                    "host name",
                    name,
                    "a name as explorer.example.org, without a port",
                ));
            }
        }
        if let Some(token) = &token
            && (!is_plain(token, "-_") || token.len() < 16)
        {
            return Err(form("token", token, "at least 16 letters, digits, - or _"));
        }
        if let Some(origin) = &cors {
            let rest = ["http://", "https://"]
                .iter()
                .find_map(|start| origin.strip_prefix(start));
            if !rest.is_some_and(|rest| is_plain(rest, ".-:[]")) {
                return Err(form(
                    "origin",
                    origin,
                    "one as https://example.org, without a path",
                ));
            }
        }
        if token.is_none() && !address.ip().is_loopback() {
            return Err(ServeError::Open { address });
        }
        Ok(Self {
            address,
            host_names: host_names
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            token,
            cors,
        })
    }

    /// Returns the other origin that may ask, if it is the one that does.
    pub(super) fn allowed_origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
        (self.cors.as_deref() == Some(origin)).then_some(origin)
    }

    /// Refuses a request under another name than this server's, from another page than its own, or without the token.
    pub(super) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let host = self.check_host(uri, headers)?;
        self.check_origin(headers, &host)?;
        self.check_site(headers)?;
        // Asks only whether it may ask.
        if method == Method::OPTIONS && self.allowed_origin(headers).is_some() {
            return Ok(());
        }
        self.check_token(headers)
    }

    /// Returns the name that the server is asked under, with its port. A page of another site that has its name lead here, as by
    /// DNS rebinding, asks under that name.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<String, Problem> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Problem::misdirected("expected one Host header"));
        };
        let host = host.to_str().unwrap_or_default();
        let named = uri
            .authority()
            .is_none_or(|authority| authority.as_str() == host);
        if !named || !self.is_own(host) {
            return Err(Problem::misdirected(format!(
                "expected localhost, the address that this server listens on, or a name that it was started with as Host, found '{host}'"
            )));
        }
        Ok(host.to_owned())
    }

    fn is_own(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // Of an address in brackets the last colon may be its own.
            Some((name, port)) if !port.contains(']') => match port.parse::<u16>() {
                Ok(_) => name,
                Err(_) => return false,
            },
            _ => host,
        };
        let own = |address: IpAddr| {
            let is_listened_on = self.address.ip() == address || self.address.ip().is_unspecified();
            address.is_loopback() || is_listened_on
        };
        let address = match name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
        {
            Some(name) => name.parse().ok().map(IpAddr::V6),
            None => name.parse().ok().map(IpAddr::V4),
        };
        address.is_some_and(own)
            || name.eq_ignore_ascii_case("localhost")
            || self
                .host_names
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own))
    }

    /// Refuses what a page of another site sends: a browser says which.
    fn check_origin(&self, headers: &HeaderMap, host: &str) -> Result<(), Problem> {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or_default();
        let own = ["http://", "https://"]
            .iter()
            .any(|start| origin.strip_prefix(start) == Some(host));
        match own || self.allowed_origin(headers).is_some() {
            true => Ok(()),
            false => Err(Problem::forbidden(format!(
                "expected a page of this server, or of the origin that it was started with, found one of '{origin}'"
            ))),
        }
    }

    /// Refuses what a page of another site has loaded without asking as one, as a picture: a browser says so. A link from anywhere may lead
    /// here.
    fn check_site(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_other = matches!(says("sec-fetch-site"), Some("cross-site" | "same-site"));
        let follows = says("sec-fetch-mode") == Some("navigate");
        match is_other && !follows && self.allowed_origin(headers).is_none() {
            true => Err(Problem::forbidden(
                "expected a page of this server, found one of another site",
            )),
            false => Ok(()),
        }
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let bearer = headers.get(header::AUTHORIZATION);
        let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let cookies = headers.get_all(header::COOKIE).iter();
        let cookies = cookies.filter_map(|value| value.to_str().ok());
        let mut cookies = cookies.flat_map(|value| value.split(';'));
        let cookie =
            cookies.find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        match [bearer, cookie]
            .into_iter()
            .flatten()
            .any(|given| same(given, token))
        {
            true => Ok(()),
            false => Err(Problem::unauthorized()),
        }
    }

    /// Returns the cookie for whoever brings the token in the address; `None` for one that does not.
    pub(super) fn cookie(&self, given: &str) -> Option<String> {
        let token = self.token.as_ref()?;
        same(given, token).then(|| format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"))
    }
}

/// Whether two texts are the same, in a time that does not tell how much of them is.
fn same(one: &str, other: &str) -> bool {
    let differ = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |sum, (one, other)| sum | (one ^ other));
    one.len() == other.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn guard(address: &str, token: Option<&str>) -> Guard {
        let names = ["Quilt.example.org".to_owned()];
        let token = token.map(str::to_owned);
        Guard::new(
            address.parse().unwrap(),
            &names,
            token,
            Some("https://friend.example".to_owned()),
        )
        .unwrap()
    }

    fn asked(guard: &Guard, headers: &[(&'static str, &str)]) -> Result<(), String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let uri = Uri::from_static("/api/v1/index");
        let refused = |problem: Problem| serde_json::to_string(&problem).unwrap();
        guard.check(&Method::GET, &uri, &map).map_err(refused)
    }

    #[test]
    fn a_server_answers_under_its_own_names_only() {
        let guard = guard("127.0.0.1:8000", None);
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1",
            "127.0.0.1:8000",
            "127.5.5.5",
            "[::1]",
            "[::1]:8000",
            "quilt.example.org:80",
        ] {
            assert_eq!(asked(&guard, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "127.0.0.1.evil.com",
            "127.evil.com",
            "localhost.",
            "localhost.evil.com",
            "evil.com",
            "",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
            "::1",
            "[::1",
            "127.0.0.1:",
            "127.0.0.1:x",
            "127.0.0.1:99999",
            "localhost:80:80",
            "127.1",
            "2130706433",
            "0x7f.1",
            "user@localhost",
        ] {
            let refused = asked(&guard, &[("host", host)]).unwrap_err();
            assert!(refused.contains("unknown-host"), "{host}: {refused}");
        }
        assert!(asked(&guard, &[]).is_err());
        assert!(asked(&guard, &[("host", "localhost"), ("host", "localhost")]).is_err());
    }

    #[test]
    fn a_request_line_names_the_server_as_its_header_does() {
        let guard = guard("127.0.0.1:8000", None);
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost"));
        let check = |uri| {
            guard
                .check(&Method::GET, &Uri::from_static(uri), &headers)
                .is_ok()
        };
        assert!(check("http://localhost/"));
        assert!(!check("http://evil.com/"));
    }

    #[test]
    fn no_other_site_asks_but_the_one_that_was_named() {
        let guard = guard("127.0.0.1:8000", None);
        let from = |origin| asked(&guard, &[("host", "localhost:8000"), ("origin", origin)]);
        assert_eq!(from("http://localhost:8000"), Ok(()));
        assert_eq!(from("https://friend.example"), Ok(()));
        for origin in [
            "http://localhost:9000",
            "https://friend.example.evil.com",
            "http://friend.example",
            "null",
            "",
            "http://evil.com",
        ] {
            assert!(
                from(origin).is_err_and(|refused| refused.contains("forbidden")),
                "{origin}"
            );
        }
    }

    #[test]
    fn what_another_site_loads_without_asking_is_refused_and_a_link_is_followed() {
        let guard = guard("127.0.0.1:8000", None);
        let with = |more: &[(&'static str, &str)]| {
            asked(&guard, &[&[("host", "localhost")], more].concat())
        };
        let (site, mode) = ("sec-fetch-site", "sec-fetch-mode");
        for own in ["same-origin", "none"] {
            assert_eq!(with(&[(site, own), (mode, "no-cors")]), Ok(()));
        }
        for other in ["cross-site", "same-site"] {
            assert!(
                with(&[(site, other), (mode, "no-cors")])
                    .is_err_and(|refused| refused.contains("forbidden"))
            );
            assert_eq!(with(&[(site, other), (mode, "navigate")]), Ok(()));
            let friend = [
                (site, other),
                (mode, "cors"),
                ("origin", "https://friend.example"),
            ];
            assert_eq!(with(&friend), Ok(()));
        }
    }

    #[test]
    fn where_there_is_a_token_it_must_be_brought() {
        let token = "0123456789abcdef";
        let guard = guard("0.0.0.0:8000", Some(token));
        let with =
            |name, value: &str| asked(&guard, &[("host", "192.168.1.7:8000"), (name, value)]);
        assert!(
            asked(&guard, &[("host", "192.168.1.7")])
                .is_err_and(|refused| refused.contains("unauthorized"))
        );
        assert_eq!(with("authorization", &format!("Bearer {token}")), Ok(()));
        assert_eq!(
            with("cookie", &format!("other=1; bitquilt={token}")),
            Ok(())
        );
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789abcdeg",
            "0123456789abcdef0",
        ] {
            assert!(
                with("authorization", &format!("Bearer {wrong}")).is_err(),
                "{wrong}"
            );
            assert!(
                with("cookie", &format!("bitquilt={wrong}")).is_err(),
                "{wrong}"
            );
            assert_eq!(guard.cookie(wrong), None);
        }
        assert!(
            guard
                .cookie(token)
                .unwrap()
                .contains("HttpOnly; SameSite=Strict")
        );
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token_and_words_have_their_form() {
        let make = |address: &str, name: &str, token: Option<&str>, cors: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Guard::new(
                address.parse().unwrap(),
                &[name.to_owned()],
                owned(token),
                owned(cors),
            )
            .map(|_| ())
        };
        let long = Some("0123456789abcdef");
        assert!(matches!(
            make("0.0.0.0:80", "a", None, None),
            Err(ServeError::Open { .. })
        ));
        assert!(make("0.0.0.0:80", "a", long, None).is_ok());
        assert!(make("127.0.0.1:80", "a.b", None, Some("http://a.b:80")).is_ok());
        for (name, token, cors) in [
            ("a:80", None, None),
            ("", None, None),
            ("a", Some("short"), None),
            ("a", Some("0123456789abcde;"), None),
            ("a", None, Some("a.b")),
            ("a", None, Some("*")),
            ("a", None, Some("http://a.b/")),
        ] {
            let made = make("127.0.0.1:80", name, token, cors);
            assert!(
                matches!(made, Err(ServeError::Form { .. })),
                "{name} {token:?} {cors:?}"
            );
        }
    }
}
