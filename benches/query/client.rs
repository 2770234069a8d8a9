//! A client that costs little: one thread, requests written and answers read as bytes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::instance::Fallible;

/// Reads from one server.
pub struct Client {
    runtime: Runtime,
    address: SocketAddr,
}

/// What a load took.
pub struct Load {
    pub elapsed: Duration,
    /// In rising order.
    latencies: Vec<Duration>,
}

impl Load {
    /// How many reads were answered.
    pub fn reads(&self) -> usize {
        self.latencies.len()
    }

    /// The latency that this share of the reads kept below.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share) as usize).copied().unwrap_or_default()
    }
}

impl Client {
    pub fn new(address: &str) -> Fallible<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Client { runtime, address: address.parse()? })
    }

    /// One answer's body.
    pub fn get(&self, path: &str) -> Fallible<String> {
        self.runtime.block_on(async {
            let mut connection = Connection::open(self.address).await?;
            connection.ask(path).await?;
            Ok(String::from_utf8(connection.body().to_vec())?)
        })
    }

    /// Reads paths at random over so many connections, each with one request under way, until the time is over.
    pub fn load(&self, paths: &[String], connections: usize, time: Duration) -> Fallible<Load> {
        self.runtime.block_on(async {
            let paths: std::sync::Arc<[String]> = paths.into();
            let (began, mut readers) = (Instant::now(), JoinSet::new());
            for seed in 0..connections as u64 {
                readers.spawn(read(self.address, paths.clone(), seed, began + time));
            }
            let mut latencies = Vec::new();
            while let Some(reader) = readers.join_next().await {
                latencies.extend(reader?.map_err(|error| error.to_string())?);
            }
            let elapsed = began.elapsed();
            latencies.sort_unstable();
            Ok(Load { elapsed, latencies })
        })
    }
}

async fn read(address: SocketAddr, paths: std::sync::Arc<[String]>, seed: u64, until: Instant) -> std::io::Result<Vec<Duration>> {
    let (mut rng, mut latencies) = (fastrand::Rng::with_seed(seed), Vec::with_capacity(1 << 16));
    let mut connection = Connection::open(address).await?;
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok(latencies);
        }
        connection.ask(&paths[rng.usize(..paths.len())]).await?;
        latencies.push(began.elapsed());
    }
}

/// One kept connection.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    body_begins: usize,
}

impl Connection {
    async fn open(address: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, request: Vec::new(), answer: Vec::with_capacity(1 << 16), body_begins: 0 })
    }

    /// Asks, and reads the whole answer; anything but 200 is an error.
    async fn ask(&mut self, path: &str) -> std::io::Result<()> {
        self.request.clear();
        for part in ["GET ", path, " HTTP/1.1\r\nHost: bench\r\n\r\n"] {
            self.request.extend_from_slice(part.as_bytes());
        }
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if whole.is_none() {
                whole = self.length_of_answer()?;
            }
        }
        Ok(())
    }

    /// Head and body together; `None` while the head is not whole.
    fn length_of_answer(&mut self) -> std::io::Result<Option<usize>> {
        let Some(end) = self.answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
        let head = String::from_utf8_lossy(&self.answer[..end]);
        let malformed = || std::io::Error::other(format!("not the answer that was awaited: {head}"));
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(malformed());
        }
        let length = head.lines().find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")));
        let length: usize = length.and_then(|(_, value)| value.trim().parse().ok()).ok_or_else(malformed)?;
        self.body_begins = end + 4;
        Ok(Some(self.body_begins + length))
    }

    fn body(&self) -> &[u8] {
        &self.answer[self.body_begins..]
    }
}
