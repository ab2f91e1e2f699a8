//! The explorer among those who mean it no good: strangers' pages, endless requests, bombs, limits, and who leaves in the middle.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bitquilt::latent::Codec;
use serde_json::{Value, json};

use crate::oracle::{Grid, Latent};
use crate::support::desk::Desk;
use crate::support::served::Served;
use crate::support::*;

const SIDE: usize = 12;
const HOST: (&str, &str) = ("Host", "localhost");

fn prepare() -> Desk {
    let desk = Desk::new();
    let mut random = Random(5);
    let grid = Grid {
        height: SIDE,
        width: SIDE,
        channels: 1,
    };
    set_of(grid, &spots(SIDE, 60, &mut random))
        .with_codec(Codec::Threshold)
        .write(&desk.path("latents"))
        .unwrap();
    set_of(grid, &spots(SIDE, 9, &mut random))
        .write(&desk.path("samples"))
        .unwrap();
    assert_eq!(desk.run("build latents -o index --depth 5x5").code, 0);
    desk
}

/// It still answers what it answered before.
fn answers(served: &Served) {
    assert_eq!(served.get("/healthz").status, 204);
    assert_eq!(
        served.json("sets/samples/samples/0")["samples"][0]["sample"],
        0
    );
}

#[test]
fn a_name_that_is_not_its_own_is_refused() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples --host-name quilt.example.org");
    let port = served.address.port();
    let with = |host: &str| served.ask("GET", "/api/v1/index", &[("Host", host)], &[]);
    for host in ["localhost", "127.0.0.1", "[::1]", "quilt.example.org"] {
        assert_eq!(with(host).status, 200, "{host}");
        assert_eq!(with(&format!("{host}:{port}")).status, 200, "{host}");
    }
    for host in [
        "127.0.0.1.evil.com",
        "127.evil.com",
        "localhost.",
        "evil.com",
        "[::2]",
        "localhost@evil.com",
        "quilt.example.org.evil.com",
    ] {
        let refused = with(host);
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (421, "unknown-host"),
            "{host}"
        );
        assert!(refused.header("content-security-policy").is_some());
    }
    assert_eq!(served.ask("GET", "/", &[], &[]).status, 421);
    assert_eq!(served.ask("GET", "/", &[HOST, HOST], &[]).status, 421);
    assert_eq!(
        served
            .ask("GET", "http://evil.com/api/v1/index", &[HOST], &[])
            .status,
        421
    );
    answers(&served);
}

#[test]
fn no_page_of_another_site_asks_and_the_one_that_may_is_told_of_errors_too() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples --cors https://friend.example");
    let from = |method: &str, path: &str, origin: &str| {
        served.ask(method, path, &[HOST, ("Origin", origin)], &[])
    };
    for origin in [
        "https://evil.com",
        "null",
        "https://friend.example.evil.com",
        "http://localhost:1",
    ] {
        let refused = from("GET", "/api/v1/index", origin);
        assert_eq!(
            (
                refused.status,
                refused.header("access-control-allow-origin")
            ),
            (403, None),
            "{origin}"
        );
    }
    for (path, status) in [
        ("/api/v1/index", 200),
        ("/api/v1/latents/999", 404),
        ("/nowhere", 404),
    ] {
        let answer = from("GET", path, "https://friend.example");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (status, Some("https://friend.example"))
        );
    }
    let may = from("OPTIONS", "/api/v1/generate", "https://friend.example");
    assert_eq!(
        (may.status, may.header("access-control-allow-methods")),
        (204, Some("GET, POST"))
    );
    assert_eq!(
        from("OPTIONS", "/api/v1/generate", "https://evil.com").status,
        403
    );
    // Without a page, none is named.
    assert_eq!(
        served
            .get("/api/v1/index")
            .header("access-control-allow-origin"),
        None
    );
    let page = served.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'self'")
            && policy.contains("frame-ancestors 'none'")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn other_machines_need_the_token() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples --listen 0.0.0.0");
    let (_, token) = served.url.split_once("/?token=").unwrap();
    assert!(token.len() >= 32, "{token}");
    for path in [
        "/",
        "/api/v1/index",
        "/healthz",
        "/openapi.json",
        "/page/explorer.js",
        "/?token=0123456789abcdef",
    ] {
        let refused = served.get(path);
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (401, "unauthorized"),
            "{path}"
        );
    }
    let bearer = format!("Bearer {token}");
    assert_eq!(
        served
            .ask(
                "GET",
                "/api/v1/index",
                &[HOST, ("Authorization", &bearer)],
                &[]
            )
            .status,
        200
    );
    // The address that was printed leads to the page, without the token in it.
    let entered = served.get(&format!("/?token={token}"));
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/"))
    );
    let cookie = entered.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let (cookie, _) = cookie.split_once(';').unwrap();
    assert_eq!(
        served
            .ask("GET", "/", &[HOST, ("Cookie", cookie)], &[])
            .status,
        200
    );
    assert_eq!(
        served
            .ask("GET", "/", &[("Host", "evil.com"), ("Cookie", cookie)], &[])
            .status,
        421
    );
    // Nobody generates there but where it is allowed.
    assert_eq!(
        served
            .ask("GET", "/api/v1/index", &[HOST, ("Cookie", cookie)], &[])
            .json()["generates"],
        false
    );
}

#[test]
fn what_cannot_be_is_refused_with_the_limit_and_nothing_ends() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples");
    let refused = |path: &str, status: u16| {
        let answer = served.get(path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(
            answer.json()["detail"].as_str().unwrap().len() > 10,
            "{path}"
        );
    };
    let sample = "/api/v1/sets/samples/samples";
    for (path, status) in [
        ("/api/v1/latents/-1", 400),
        ("/api/v1/latents/18446744073709551615", 404),
        ("/api/v1/latents/18446744073709551616", 400),
        ("/api/v1/latents/60", 404),
        ("/api/v1/latents/x", 400),
        ("/api/v1/latents/0/picture.png?crop=0,0,13,1", 400),
        (
            "/api/v1/latents/0/picture.png?crop=18446744073709551615,0,1,1",
            400,
        ),
        ("/api/v1/latents/0/picture.png?crop=0,0,0,0", 400),
        ("/api/v1/latents/0/picture.png?crop=1", 400),
        ("/api/v1/latents/0/picture.png?scale=17", 400),
        ("/api/v1/latents/0/picture.png?scale=0", 400),
        ("/api/v1/latents/0/picture.png?channel=1", 400),
        ("/api/v1/latents/0/picture.png?level=1", 400),
        ("/api/v1/latents/0/photo", 404),
        ("/api/v1/latents/0/uses", 400),
        ("/api/v1/latents/0/uses?set=nowhere", 404),
        ("/api/v1/sheet.png?ids=", 400),
        ("/api/v1/sheet.png?ids=1,2,x", 400),
        ("/api/v1/sheet.png?ids=60", 404),
        ("/api/v1/sets/nowhere", 404),
        ("/api/v1/sets/..%2f..%2fetc", 404),
        ("/api/v1/sets/%00", 404),
        ("/api/v1/sets/%ff", 400),
        ("/page/..%2f..%2fCargo.toml", 404),
        ("/page/%00", 404),
        ("/..%2f..%2fetc/passwd", 404),
        ("/api/v2/index", 404),
    ] {
        refused(path, status);
    }
    for (rest, status) in [
        ("?limit=1000000000", 400),
        ("?limit=0", 400),
        ("?offset=-1", 400),
        ("?sort=constructor", 400),
        ("?around=9", 404),
        ("?limt=3", 400),
        ("?min_information=NaN&copies=maybe", 400),
        ("/9", 404),
        ("/0?top=101", 400),
        ("/0?without=99", 400),
        ("/0?without=1..", 400),
        ("/0/bits/144", 400),
        ("/0/bits/0?window=99x99", 400),
        ("/0/bits/0?window=%00", 400),
        ("/0/bits/0?top=1001", 400),
        ("/0/map.png?sources=0", 400),
        ("/0/map.png?sources=21", 400),
        ("/0/map.png?level=7", 400),
    ] {
        refused(&format!("{sample}{rest}"), status);
    }
    assert_eq!(
        served.get(&format!("{sample}?limit=1000000000")).json()["limit"],
        200
    );
    assert_eq!(
        served.json("sets/samples/samples?offset=18446744073709551615")["samples"],
        json!([])
    );
    assert_eq!(
        served.json("sets/samples/samples?min_information=NaN")["total"],
        0
    );
    let many = vec!["1"; 257].join(",");
    assert_eq!(
        served.get(&format!("/api/v1/sheet.png?ids={many}")).json()["limit"],
        256
    );
    answers(&served);
}

#[test]
fn bodies_that_cannot_be_are_refused() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples");
    let ones = "1".repeat(SIDE * SIDE);
    for (path, body) in [
        ("query", json!({ "position": 0 })),
        (
            "query",
            json!({ "position": 0, "latent": 1, "bits": [ones] }),
        ),
        ("query", json!({ "position": 144, "latent": 1 })),
        (
            "query",
            json!({ "position": 0, "latent": 1, "window": "x" }),
        ),
        (
            "query",
            json!({ "position": 0, "latent": 1, "path": "/etc/passwd" }),
        ),
        ("query", json!({ "position": 0, "bits": ["0"] })),
        ("query", json!({ "position": 0, "bits": [ones, ones] })),
        ("query", json!({ "position": 0, "bits": ["2".repeat(144)] })),
        ("query", json!({ "position": 0, "bits": ["é".repeat(72)] })),
        (
            "query",
            json!({ "position": 0, "bits": [ones], "label": 3, "top": 1001 }),
        ),
        ("trace", json!({ "latents": [] })),
        ("trace", json!({ "latents": vec![[&ones]; 17] })),
        (
            "trace",
            json!({ "latents": [[ones]], "windows": ["99x99"] }),
        ),
        ("trace", json!({ "latents": [[ones]], "without": "60" })),
        ("generate", json!({ "samples": { "start": 0, "end": 17 } })),
        ("generate", json!({ "samples": { "start": 3, "end": 3 } })),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": u64::MAX } }),
        ),
        ("generate", json!({})),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "max_backtracks": null }),
        ),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "max_backtracks": 20001 }),
        ),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "max_states": 1 << 20 }),
        ),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "size": [4096, 4096] }),
        ),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "windows": ["9x9"] }),
        ),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "fixed": [[144, true]] }),
        ),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "fixed": [[0, true], [0, false]] }),
        ),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "temperature": 0 }),
        ),
        (
            "generate",
            json!({ "samples": { "start": 0, "end": 1 }, "timeout_seconds": -1 }),
        ),
    ] {
        let answer = served.post_json(&format!("/api/v1/{path}"), &body);
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        assert_eq!(answer.problem(), "bad-request");
    }
    for (path, media_type, body) in [
        ("query", "text/plain", &b"{}"[..]),
        ("query", "application/json", b"{"),
        ("query", "application/json", b"\xff\xfe"),
        ("query", "application/json", &[b'['; 100_000]),
        ("trace", "text/html", b"<p>"),
        ("trace", "application/octet-stream", b"short"),
        ("trace", "application/octet-stream", &[0; 18 * 17]),
        ("trace", "application/octet-stream", b""),
        ("trace", "image/png", b"no picture"),
        ("trace", "image/png", b""),
    ] {
        let answer = served.post(&format!("/api/v1/{path}"), media_type, body);
        assert_eq!(answer.status, 400, "{path} {media_type}: {answer:?}");
    }
    answers(&served);
}

#[test]
fn a_picture_that_says_it_is_huge_is_not_decoded() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples");
    let before = served.memory();
    // 60,000 x 60,000 pixels of one colour, a few kilobytes: 3.6 GB if they were decoded.
    let mut png = Vec::new();
    let mut header = b"IHDR".to_vec();
    header.extend_from_slice(&60_000u32.to_be_bytes());
    header.extend_from_slice(&60_000u32.to_be_bytes());
    header.extend_from_slice(&[8, 0, 0, 0, 0]);
    let mut checksum = flate2::Crc::new();
    checksum.update(&header);
    png.extend_from_slice(b"\x89PNG\r\n\x1a\n");
    png.extend_from_slice(&13u32.to_be_bytes());
    png.extend_from_slice(&header);
    png.extend_from_slice(&checksum.sum().to_be_bytes());
    let data = crate::support::files::gzip(&vec![0; 1 << 20]);
    png.extend_from_slice(&(data.len() as u32).to_be_bytes());
    png.extend_from_slice(b"IDAT");
    png.extend_from_slice(&data);
    png.extend_from_slice(&[0; 4]);
    let answer = served.post("/api/v1/trace", "image/png", &png);
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("12x12") && answer.text().contains("60000x60000"),
        "{}",
        answer.text()
    );
    assert!(served.memory() < before + (64 << 20));
    answers(&served);
}

#[test]
fn bodies_that_are_too_large_or_never_end_are_cut() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples");
    let large = vec![b' '; 5 << 20];
    let answer = served.post("/api/v1/query", "application/json", &large);
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (413, "too-large")
    );
    assert_eq!(answer.json()["limit"], 4 << 20);
    // Chunks without an end, until it has had enough.
    let head = "POST /api/v1/trace HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 1 << 16], b"\r\n"].concat();
    let mut sent = 0;
    let answer = served.drip(head, |stream| {
        sent += 1;
        stream.write_all(&chunk).is_ok() && sent < 1000
    });
    assert!(sent < 1000, "it took {sent} chunks");
    // It may close before it is listened to.
    assert!(answer.is_err() || answer.unwrap().status == 413);
    answers(&served);
}

#[test]
fn requests_that_do_not_arrive_are_given_up_and_keep_nobody_waiting() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples");
    let started = Instant::now();
    // As many heads as it takes at once, but for a few, none of which ends; and one body.
    let mut idle: Vec<_> = (0..200).map(|_| served.connect()).collect();
    for stream in &mut idle {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
    }
    let mut body = served.connect();
    body.write_all(b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{").unwrap();
    answers(&served);
    assert!(started.elapsed() < Duration::from_secs(5));
    let mut rest = Vec::new();
    body.read_to_end(&mut rest).unwrap();
    assert!(
        String::from_utf8_lossy(&rest).contains("408"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
    for mut stream in idle {
        rest.clear();
        // Closed by the server.
        stream.read_to_end(&mut rest).unwrap();
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    answers(&served);
}

#[test]
fn what_is_no_http_and_heads_that_are_too_large_end_their_connection_alone() {
    let desk = prepare();
    let served = Served::start(&desk, "index samples");
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "x".repeat(100_000)
    );
    let many: String = (0..500)
        .map(|number| format!("X-{number}: 1\r\n"))
        .collect();
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
        b"\0\0\0\0\r\n\r\n",
    ] {
        if let Ok(answer) = served.raw(bytes) {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
    }
    answers(&served);
}

/// A search that does not end by itself within a test: noise, of which every context is new.
fn endless() -> (Desk, Value) {
    let desk = Desk::new();
    let mut random = Random(77);
    let grid = Grid {
        height: 64,
        width: 64,
        channels: 1,
    };
    let latents: Vec<Latent> = (0..300)
        .map(|_| (0..64 * 64).map(|_| random.below(100) < 20).collect())
        .collect();
    set_of(grid, &latents).write(&desk.path("latents")).unwrap();
    set_of(grid, &latents[..1])
        .write(&desk.path("samples"))
        .unwrap();
    assert_eq!(desk.run("build latents -o index --depth 9x9").code, 0);
    let request = json!({ "windows": ["9x9"], "samples": { "start": 0, "end": 16 }, "max_backtracks": 20000, "novel": "finest" });
    (desk, request)
}

#[test]
fn a_search_stops_when_its_asker_leaves_and_when_its_time_is_over() {
    let (desk, request) = endless();
    // One turn: who asks next waits for it.
    let served = Served::start(&desk, "index samples --threads 1");
    let body = request.to_string();
    let head = format!(
        "POST /api/v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = served.connect();
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    // It works on it, and answers what needs no turn.
    assert_eq!(served.get("/healthz").status, 204);
    drop(stream);
    let started = Instant::now();
    assert_eq!(served.get("/api/v1/latents/3").status, 200);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    // Who stays is told after 10 seconds, with what was found by then.
    let started = Instant::now();
    let answer = served.post_json("/api/v1/generate", &request);
    let took = started.elapsed();
    let last: Value = match answer.status {
        200 => {
            serde_json::from_str::<Value>(answer.text().lines().last().unwrap()).unwrap()["problem"]
                .clone()
        }
        _ => answer.json(),
    };
    assert_eq!(
        (&last["type"], &last["limit"]),
        (&json!("too-slow"), &json!(10)),
        "{answer:?}"
    );
    assert!((9..14).contains(&took.as_secs()), "{took:?}");
    assert_eq!(served.get("/api/v1/latents/3").status, 200);
}

#[test]
fn beyond_its_queue_requests_are_told_when_to_come_again() {
    let (desk, request) = endless();
    let served = Served::start(&desk, "index samples --threads 1");
    let body = request.to_string();
    let head = format!(
        "POST /api/v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let streams: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    let answer = served.get("/api/v1/latents/3");
    assert_eq!((answer.status, answer.problem().as_str()), (503, "busy"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    // What needs no turn is answered meanwhile.
    assert_eq!(served.get("/healthz").status, 204);
    assert_eq!(served.get("/").status, 200);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    drop(streams);
    let started = Instant::now();
    while served.get("/api/v1/latents/3").status != 200 {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_the_command_cannot_serve_it_says() {
    let desk = prepare();
    let served = Served::start(&desk, "index");
    let port = served.address.port();
    desk.refused(
        &format!("serve index --port {port}"),
        &["127.0.0.1", "in use", "another"],
    );
    for (arguments, words) in [
        ("serve nowhere", &["nowhere"][..]),
        ("serve index nothing", &["nothing"]),
        ("serve index latents --window 99x99", &["latents", "99x99"]),
        ("serve index samples --token short", &["token", "16"]),
        (
            "serve index samples --cors friend.example",
            &["origin", "https://"],
        ),
        ("serve index samples --host-name a:80", &["host name"]),
        ("serve index samples --pictures nowhere", &["nowhere"]),
        (
            "serve index samples --allow-generate --no-generate",
            &["--no-generate"],
        ),
        ("serve index samples --listen localhost", &["--listen"]),
        (
            "serve index samples --against latents --calibration x",
            &["--calibration"],
        ),
        ("serve index samples --calibration samples", &["samples"]),
    ] {
        desk.refused(arguments, words);
    }
}
