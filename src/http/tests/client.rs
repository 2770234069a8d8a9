//! A client that writes bytes as a test wants them.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No step of a test takes longer unless something is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Client {
    pub async fn to(address: SocketAddr) -> Self {
        Client { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends a request without a body and reads the answer.
    pub async fn ask(&mut self, method: &str, path: &str) -> Reply {
        self.send(&format!("{method} {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        self.reply_to(method).await
    }

    /// The same with headers.
    pub async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n")).await;
        self.reply_to("GET").await
    }

    pub async fn post(&mut self, path: &str, content_type: &str, body: &str) -> Reply {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
        self.send(&head).await;
        self.send(body).await;
        self.reply_to("POST").await
    }

    pub async fn reply(&mut self) -> Reply {
        self.reply_to("GET").await
    }

    async fn reply_to(&mut self, method: &str) -> Reply {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.read_more().await, "closed before an answer: {:?}", String::from_utf8_lossy(&self.buffer));
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut reply = Reply { status, headers, body: String::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        if method != "HEAD" {
            while self.buffer.len() < length {
                assert!(self.read_more().await, "closed within an answer");
            }
            reply.body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        }
        reply
    }

    async fn read_more(&mut self) -> bool {
        let mut bytes = [0; 8_192];
        let count = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes)).await.expect("an answer in time").unwrap_or(0);
        self.buffer.extend_from_slice(&bytes[..count]);
        count > 0
    }

    /// Waits until the server closes, and answers what it sent before.
    pub async fn rest(mut self) -> String {
        while self.read_more().await {}
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it is a whole problem document of this status and code.
    pub fn assert_problem(&self, status: u16, code: &str, path: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], status, "{document}");
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["instance"], path, "{document}");
        assert_eq!(document["success"], false, "{document}");
        assert_eq!(document["type"], format!("urn:viewmill:problem:{code}"));
        assert_eq!(document["error"], document["detail"]);
        assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()), "{document}");
        document
    }
}
