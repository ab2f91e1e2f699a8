//! The real server, and a client that sends just the bytes that a test wants sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::desk::Desk;

/// A server that ends with the test.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    pub url: String,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(400)]);
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body if it is text.
    pub fn text_or_empty(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The word for what went wrong.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let body = self.json();
        assert_eq!(body["status"], self.status, "{body}");
        body["type"].as_str().unwrap().to_owned()
    }

    /// Reads an answer that ends where the connection does, or its chunks.
    fn read(stream: &mut TcpStream) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or_else(|| {
            std::io::Error::other(format!("no answer: {:?}", String::from_utf8_lossy(&bytes)))
        })?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunked(&answer.body);
        }
        Ok(answer)
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap();
        let length =
            usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 4 + length..];
    }
}

impl Served {
    /// Starts `bitquilt serve` with arguments split at spaces, and waits until it answers.
    pub fn start(desk: &Desk, arguments: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bitquilt"))
            .current_dir(desk.path(""))
            .args(["serve", "--json"])
            .args(arguments.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        if line.is_empty() {
            let output = child.wait_with_output().unwrap();
            panic!("{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let told: Value = serde_json::from_str(&line).unwrap();
        let schema = include_str!("../../schemas/serve.schema.json");
        let schema = serde_json::from_str(schema).unwrap();
        assert!(jsonschema::is_valid(&schema, &told), "{told}");
        let address: SocketAddr = told["address"].as_str().unwrap().parse().unwrap();
        let url = told["url"].as_str().unwrap().to_owned();
        Self {
            child,
            address,
            url,
        }
    }

    pub fn connect(&self) -> TcpStream {
        let to = SocketAddr::from(([127, 0, 0, 1], self.address.port()));
        let stream = TcpStream::connect(to).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
    }

    /// Sends bytes as they are and reads the answer.
    pub fn raw(&self, bytes: &[u8]) -> std::io::Result<Answer> {
        let mut stream = self.connect();
        // A server that has refused already may have closed.
        let _ = stream.write_all(bytes);
        Answer::read(&mut stream)
    }

    /// Asks with these headers, `Host` among them if it is to be sent.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        self.raw(&[head.as_bytes(), body].concat())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("Host", "localhost")], &[])
    }

    pub fn post(&self, path: &str, media_type: &str, body: &[u8]) -> Answer {
        self.ask(
            "POST",
            path,
            &[("Host", "localhost"), ("Content-Type", media_type)],
            body,
        )
    }

    pub fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, "application/json", body.to_string().as_bytes())
    }

    /// The JSON of an address under /api/v1/, which must be there.
    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(&format!("/api/v1/{path}"));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Waits until every sample is traced.
    pub fn traced(&self) -> &Self {
        let started = Instant::now();
        loop {
            let now = self.json("sets");
            let sets = now["sets"].as_array().unwrap();
            if sets.iter().all(|set| set["traced"] == set["samples"]) {
                return self;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{now}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses Ctrl-C and returns the exit code.
    pub fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }

    /// Memory that it holds, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes << 10
    }

    /// Sends the head of a request, and a body that goes on as `more` says; returns what is answered.
    pub fn drip(
        &self,
        head: &str,
        mut more: impl FnMut(&mut TcpStream) -> bool,
    ) -> std::io::Result<Answer> {
        let mut stream = self.connect();
        stream.write_all(head.as_bytes())?;
        while more(&mut stream) {}
        let _ = stream.shutdown(Shutdown::Write);
        Answer::read(&mut stream)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
