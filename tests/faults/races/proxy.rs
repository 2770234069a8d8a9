//! A proxy before the broker that knows requests: it holds those of a chosen kind and client until a test lets them go.
//!
//! It reads frame by frame in both directions. What is held stays at the proxy, and all that follows it on its connection waits behind
//! it, as on a link that has stopped; a client that gives the connection up takes what it had sent with it. Clients learn the broker's
//! address from its replies, so the proxy writes its own port there.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How often a connection that waits looks whether it is over.
const TICK: Duration = Duration::from_millis(5);
/// The largest frame: more than any client here sends or fetches at once.
const MAX_FRAME: usize = 64 << 20;
/// So much of what follows a held request is read, to notice that its client is gone.
const MAX_BEHIND_HELD: usize = 1 << 20;
/// Requests whose replies have not come: more than a client of librdkafka has under way.
const MAX_UNDER_WAY: usize = 1 << 16;

/// Kinds of requests, by the number that Kafka's protocol gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Api(pub i16);

impl Api {
    pub const PRODUCE: Api = Api(0);
    pub const METADATA: Api = Api(3);
    pub const FIND_COORDINATOR: Api = Api(10);
    pub const JOIN_GROUP: Api = Api(11);
    pub const HEARTBEAT: Api = Api(12);
    pub const SYNC_GROUP: Api = Api(14);
    pub const END_TXN: Api = Api(26);
}

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    rules: Mutex<Rules>,
    changed: Condvar,
    is_over: AtomicBool,
}

#[derive(Default)]
struct Rules {
    /// Which requests are held, and how many are held now.
    holds: HashMap<(String, Api), usize>,
    /// How many replies have passed.
    answered: HashMap<(String, Api), usize>,
}

impl Proxy {
    /// Listens on a free port of loopback, before a broker on loopback.
    pub fn before(bootstrap: &str) -> Proxy {
        let broker: SocketAddr = bootstrap.parse().expect("the proxy needs one broker, as ip:port");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = shared.clone();
        thread::spawn(move || {
            while !accepting.is_over() {
                match listener.accept() {
                    Ok((client, _)) => accepting.connect(client, broker, port),
                    Err(_) => thread::sleep(TICK),
                }
            }
        });
        Proxy { port, shared }
    }

    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on requests of this client and kind are held.
    pub fn hold(&self, client: &str, api: Api) {
        self.shared.rules.lock().unwrap().holds.insert((client.to_owned(), api), 0);
    }

    /// Lets them go.
    pub fn release(&self, client: &str, api: Api) {
        self.shared.rules.lock().unwrap().holds.remove(&(client.to_owned(), api));
        self.shared.changed.notify_all();
    }

    /// Waits until such a request is held.
    pub fn await_held(&self, client: &str, api: Api, within: Duration) {
        let key = (client.to_owned(), api);
        self.shared.until(within, &format!("no request {api:?} of {client}"), |rules| rules.holds.get(&key).is_some_and(|held| *held > 0));
    }

    /// How many requests of this client and kind have been answered.
    pub fn answered(&self, client: &str, api: Api) -> usize {
        self.shared.rules.lock().unwrap().answered.get(&(client.to_owned(), api)).copied().unwrap_or(0)
    }

    /// Waits until so many have been answered.
    pub fn await_answered(&self, client: &str, api: Api, count: usize, within: Duration) {
        let key = (client.to_owned(), api);
        self.shared.until(within, &format!("not {count} replies {api:?} to {client}"), |rules| {
            rules.answered.get(&key).is_some_and(|answered| *answered >= count)
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
    }
}

/// Requests of one connection that wait for their replies.
type UnderWay = Arc<Mutex<VecDeque<(i32, String, Api)>>>;

impl Shared {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn until(&self, within: Duration, otherwise: &str, mut reached: impl FnMut(&Rules) -> bool) {
        let deadline = Instant::now() + within;
        let mut rules = self.rules.lock().unwrap();
        while !reached(&rules) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Connections go on, so nobody may find the lock poisoned.
                drop(rules);
                panic!("{otherwise} within {within:?}");
            }
            rules = self.changed.wait_timeout(rules, left).unwrap().0;
        }
    }

    fn connect(self: &Arc<Self>, client: TcpStream, broker: SocketAddr, port: u16) {
        let Ok(server) = TcpStream::connect(broker) else { return };
        let under_way = UnderWay::default();
        let pair = || (client.try_clone().unwrap(), server.try_clone().unwrap());
        let ((client_side, server_side), shared, waiting) = (pair(), self.clone(), under_way.clone());
        thread::spawn(move || shared.pass_requests(Frames::new(client_side), server_side, &waiting));
        let ((client_side, server_side), shared) = (pair(), self.clone());
        thread::spawn(move || shared.pass_replies(Frames::new(server_side), client_side, &under_way, broker, port));
    }

    fn pass_requests(&self, mut from: Frames, mut to: TcpStream, under_way: &UnderWay) {
        while let Some(frame) = from.next(self) {
            let Some((api, correlation, client)) = header(&frame) else { break };
            if !self.wait_while_held(&client, api, &mut from) {
                break;
            }
            let mut waiting = under_way.lock().unwrap();
            assert!(waiting.len() < MAX_UNDER_WAY, "too many requests without a reply");
            waiting.push_back((correlation, client, api));
            drop(waiting);
            if to.write_all(&frame).is_err() {
                break;
            }
        }
        from.end();
        let _ = to.shutdown(Shutdown::Both);
    }

    /// False when the client has gone meanwhile: then what it had sent is gone too.
    fn wait_while_held(&self, client: &str, api: Api, from: &mut Frames) -> bool {
        let key = (client.to_owned(), api);
        let mut rules = self.rules.lock().unwrap();
        let Some(held) = rules.holds.get_mut(&key) else { return true };
        *held += 1;
        self.changed.notify_all();
        let mut is_open = true;
        while is_open && rules.holds.contains_key(&key) && !self.is_over() {
            drop(rules);
            is_open = from.read_ahead();
            rules = self.rules.lock().unwrap();
        }
        if let Some(held) = rules.holds.get_mut(&key) {
            *held -= 1;
        }
        is_open
    }

    fn pass_replies(&self, mut from: Frames, mut to: TcpStream, under_way: &UnderWay, broker: SocketAddr, port: u16) {
        // An IPv4 address in text, then the port in four bytes: so the protocol names a broker in every version.
        let name = |port: u16| [broker.ip().to_string().as_bytes(), &u32::from(port).to_be_bytes()].concat();
        let (theirs, ours) = (name(broker.port()), name(port));
        while let Some(mut frame) = from.next(self) {
            let Some(correlation) = frame.get(4..8).map(be_i32) else { break };
            let request = {
                let mut waiting = under_way.lock().unwrap();
                let at = waiting.iter().position(|(sent, _, _)| *sent == correlation);
                at.and_then(|at| waiting.remove(at))
            };
            let Some((_, client, api)) = request else { break };
            if matches!(api, Api::METADATA | Api::FIND_COORDINATOR) {
                replace(&mut frame, &theirs, &ours);
            }
            if to.write_all(&frame).is_err() {
                break;
            }
            *self.rules.lock().unwrap().answered.entry((client, api)).or_default() += 1;
            self.changed.notify_all();
        }
        from.end();
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// Kind, correlation id and client id of a request with its length before it.
fn header(frame: &[u8]) -> Option<(Api, i32, String)> {
    let api = i16::from_be_bytes(frame.get(4..6)?.try_into().ok()?);
    let correlation = be_i32(frame.get(8..12)?);
    let length = i16::from_be_bytes(frame.get(12..14)?.try_into().ok()?);
    let client = frame.get(14..14 + usize::try_from(length).unwrap_or(0))?;
    Some((Api(api), correlation, String::from_utf8_lossy(client).into_owned()))
}

fn be_i32(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

fn replace(frame: &mut [u8], theirs: &[u8], ours: &[u8]) {
    for at in 0..frame.len().saturating_sub(theirs.len() - 1) {
        if frame[at..].starts_with(theirs) {
            frame[at..at + ours.len()].copy_from_slice(ours);
        }
    }
}

/// One direction of a connection, cut into frames.
struct Frames {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Frames {
    fn new(stream: TcpStream) -> Frames {
        // On some systems an accepted socket inherits that its listener does not block.
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(TICK)).unwrap();
        Frames { stream, buffer: Vec::new() }
    }

    /// The next frame with its length before it; `None` at the end.
    fn next(&mut self, shared: &Shared) -> Option<Vec<u8>> {
        while !shared.is_over() {
            if let Some(length) = self.buffer.get(..4).map(be_i32) {
                let end = 4 + usize::try_from(length).ok().filter(|length| *length <= MAX_FRAME)?;
                if self.buffer.len() >= end {
                    let rest = self.buffer.split_off(end);
                    return Some(std::mem::replace(&mut self.buffer, rest));
                }
            }
            if !self.read() {
                return None;
            }
        }
        None
    }

    /// Reads a little of what comes while a frame is held; false when the other side has closed.
    fn read_ahead(&mut self) -> bool {
        match self.buffer.len() < MAX_BEHIND_HELD {
            true => self.read(),
            false => {
                thread::sleep(TICK);
                true
            }
        }
    }

    /// Reads what is there, or waits a tick; false when the other side has closed.
    fn read(&mut self) -> bool {
        let mut chunk = [0; 1 << 16];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                true
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted),
        }
    }

    fn end(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each request with its correlation id and its own address.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || answer(stream.unwrap(), address));
            }
        });
        address
    }

    fn answer(stream: TcpStream, address: SocketAddr) {
        let mut frames = Frames::new(stream.try_clone().unwrap());
        while let Some(frame) = frames.next(&Shared::default()) {
            let body = [&frame[8..12], b"127.0.0.1", &u32::from(address.port()).to_be_bytes()].concat();
            let reply = [&(body.len() as i32).to_be_bytes()[..], &body].concat();
            if (&stream).write_all(&reply).is_err() {
                break;
            }
        }
    }

    fn request(api: Api, correlation: i32, client: &str) -> Vec<u8> {
        let header = [&api.0.to_be_bytes()[..], &[0, 0], &correlation.to_be_bytes(), &(client.len() as i16).to_be_bytes()].concat();
        let body = [&header, client.as_bytes()].concat();
        [&(body.len() as i32).to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn only_what_was_chosen_is_held_and_what_follows_it_waits() {
        let proxy = Proxy::before(&server().to_string());
        proxy.hold("one", Api::JOIN_GROUP);
        let open = || Frames::new(TcpStream::connect(proxy.bootstrap()).unwrap());
        let (mut one, mut other, over) = (open(), open(), Shared::default());
        for (connection, client) in [(&mut one, "one"), (&mut other, "other")] {
            for (correlation, api) in [(1, Api::METADATA), (2, Api::JOIN_GROUP), (3, Api::SYNC_GROUP)] {
                // Byte by byte: frames come in any pieces.
                for byte in request(api, correlation, client) {
                    connection.stream.write_all(&[byte]).unwrap();
                }
            }
        }
        let replies = |connection: &mut Frames, count: usize| -> Vec<i32> {
            (0..count).map(|_| be_i32(&connection.next(&over).unwrap()[4..8])).collect()
        };
        assert_eq!(replies(&mut other, 3), [1, 2, 3]);
        proxy.await_held("one", Api::JOIN_GROUP, Duration::from_secs(10));
        assert_eq!(replies(&mut one, 1), [1]);
        assert_eq!((proxy.answered("one", Api::SYNC_GROUP), proxy.answered("other", Api::SYNC_GROUP)), (0, 1));
        proxy.release("one", Api::JOIN_GROUP);
        assert_eq!(replies(&mut one, 2), [2, 3]);
        proxy.await_answered("one", Api::SYNC_GROUP, 1, Duration::from_secs(10));
    }

    #[test]
    fn a_broker_is_named_by_the_port_of_the_proxy() {
        let proxy = Proxy::before(&server().to_string());
        let mut connection = Frames::new(TcpStream::connect(proxy.bootstrap()).unwrap());
        connection.stream.write_all(&request(Api::METADATA, 7, "c")).unwrap();
        let reply = connection.next(&Shared::default()).unwrap();
        assert_eq!(be_i32(&reply[reply.len() - 4..]), i32::from(proxy.port));
    }

    #[test]
    fn what_a_client_had_sent_goes_with_it() {
        let proxy = Proxy::before(&server().to_string());
        proxy.hold("c", Api::END_TXN);
        let mut first = TcpStream::connect(proxy.bootstrap()).unwrap();
        first.write_all(&[request(Api::END_TXN, 1, "c"), request(Api::METADATA, 2, "c")].concat()).unwrap();
        proxy.await_held("c", Api::END_TXN, Duration::from_secs(10));
        drop(first);
        proxy.shared.until(Duration::from_secs(10), "it is still held", |rules| rules.holds.values().all(|held| *held == 0));
        proxy.release("c", Api::END_TXN);
        let mut second = Frames::new(TcpStream::connect(proxy.bootstrap()).unwrap());
        second.stream.write_all(&request(Api::METADATA, 3, "c")).unwrap();
        assert_eq!(be_i32(&second.next(&Shared::default()).unwrap()[4..8]), 3);
        assert_eq!(proxy.answered("c", Api::END_TXN), 0);
    }
}
