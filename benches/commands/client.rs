//! A client that asks for orders over kept connections, one request under way on each. Also a test drives the instance with it.
//!
//! In a flood it shares the machine's cores with what it asks, so it does no more than it must: the request is written as it stands, and of the
//! answer only status and length are read.

// Each needs a part of it.
#![allow(dead_code)]
// Times here are the real machine's.
#![allow(clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant as At, sleep_until};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const ORDER: &str = r#"{"userId":"u1","items":[{"productId":"p1","name":"Tea","price":12.50,"quantity":2},{"productId":"p2","name":"Pot",
    "price":"0.1","quantity":1}],"currency":"EUR","shippingAddress":{"recipient":"R","street":"S","city":"C","postalCode":"1","country":"DE"}}"#;

/// So long nobody waits for an answer.
const HANG: Duration = Duration::from_secs(30);

/// What came of a load: the latencies of each status, in rising order.
#[derive(Default)]
pub struct Load {
    pub elapsed: Duration,
    pub created: Vec<Duration>,
    /// 429 and 503, of connections whose request before was not refused.
    pub refused: Vec<Duration>,
    /// The same where it was, and the client came again at once all the same.
    pub refused_again: Vec<Duration>,
    /// All others, and requests without an answer.
    pub other: Vec<String>,
}

impl Load {
    /// Created in a second.
    pub fn rate(&self) -> f64 {
        self.created.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn add(&mut self, answer: Fallible<u16>, was_refused: bool, took: Duration) {
        match answer {
            Ok(201) => self.created.push(took),
            Ok(429 | 503) if was_refused => self.refused_again.push(took),
            Ok(429 | 503) => self.refused.push(took),
            Ok(status) => self.other.push(status.to_string()),
            Err(error) => self.other.push(error.to_string()),
        }
    }
}

/// The latency that this share kept below.
pub fn quantile(latencies: &[Duration], share: f64) -> Duration {
    latencies.get((latencies.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or_default()
}

/// When a connection asks again.
#[derive(Clone, Copy)]
pub enum Pace {
    /// As soon as it was answered.
    AtOnce,
    /// So long after it asked last.
    Every(Duration),
}

/// Creates orders over so many connections until the time is over.
pub fn load(address: &str, connections: usize, pace: Pace, time: Duration) -> Fallible<Load> {
    let address: SocketAddr = address.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (began, mut tasks) = (Instant::now(), JoinSet::new());
        for _ in 0..connections {
            tasks.spawn(ask_on(address, pace, began + time));
        }
        let mut all = Load::default();
        while let Some(task) = tasks.join_next().await {
            let one = task?;
            all.created.extend(one.created);
            all.refused.extend(one.refused);
            all.refused_again.extend(one.refused_again);
            all.other.extend(one.other);
        }
        all.elapsed = began.elapsed();
        all.created.sort_unstable();
        all.refused.sort_unstable();
        all.refused_again.sort_unstable();
        Ok(all)
    })
}

async fn ask_on(address: SocketAddr, pace: Pace, until: Instant) -> Load {
    let (mut load, mut connection, mut next, mut was_refused) = (Load::default(), None, At::now(), false);
    while Instant::now() < until {
        if let Pace::Every(interval) = pace {
            sleep_until(next).await;
            next += interval;
        }
        let began = Instant::now();
        let answer = tokio::time::timeout(HANG, ask(address, &mut connection)).await.unwrap_or_else(|_| Err("no answer".into()));
        if answer.is_err() {
            connection = None;
        }
        let is_refused = matches!(answer, Ok(429 | 503));
        load.add(answer, was_refused, began.elapsed());
        was_refused = is_refused && connection.is_some();
    }
    load
}

/// A connection, and what was read from it.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// The status line and headers of an answer.
struct Head {
    status: u16,
    /// Bytes of head and body together.
    length: usize,
    closes: bool,
}

async fn ask(address: SocketAddr, connection: &mut Option<Connection>) -> Fallible<u16> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Connection { stream, read: Vec::with_capacity(2_048) }
        }
    };
    let request = format!(
        "POST /api/orders HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ORDER}",
        ORDER.len()
    );
    open.stream.write_all(request.as_bytes()).await?;
    open.read.clear();
    let head = loop {
        if open.stream.read_buf(&mut open.read).await? == 0 {
            return Err("the connection was closed before the answer was whole".into());
        }
        match head(&open.read)? {
            Some(head) if open.read.len() >= head.length => break head,
            _ => {}
        }
    };
    *connection = (!head.closes).then_some(open);
    Ok(head.status)
}

/// `None` while some of it is missing.
fn head(bytes: &[u8]) -> Fallible<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(size) = answer.parse(bytes)? else { return Ok(None) };
    let value = |name: &str| {
        let header = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let body: usize = value("content-length").ok_or("an answer without a length")?.parse()?;
    let closes = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(Some(Head { status: answer.code.ok_or("no status")?, length: size + body, closes }))
}
