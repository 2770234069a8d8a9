//! A proxy before the broker whose connections a test can cut or hold.
//!
//! Clients learn the broker's address from its replies, so the proxy writes its own port there: an IPv4 address in text, then the
//! port in four bytes, is how Kafka's protocol names a broker in every version.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often a held or idle connection looks whether it is over.
const TICK: Duration = Duration::from_millis(5);

pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    connections: Mutex<Vec<TcpStream>>,
    is_held: AtomicBool,
    is_over: AtomicBool,
}

impl Proxy {
    /// Listens on a free port of loopback, before a broker on loopback.
    pub fn before(bootstrap_servers: &str) -> Self {
        let broker: std::net::SocketAddr = bootstrap_servers.parse().expect("the proxy needs one broker, as ip:port");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let state = Arc::new(State::default());
        let shared = state.clone();
        thread::spawn(move || {
            let name = |port: u16| [broker.ip().to_string().as_bytes(), &u32::from(port).to_be_bytes()].concat();
            let (theirs, ours) = (name(broker.port()), name(port));
            while !shared.is_over.load(Ordering::SeqCst) {
                let Ok((client, _)) = listener.accept() else {
                    thread::sleep(TICK);
                    continue;
                };
                let Ok(server) = TcpStream::connect(broker) else { continue };
                for (from, to, rewrite) in [(&client, &server, None), (&server, &client, Some((theirs.clone(), ours.clone())))] {
                    let (from, to, shared) = (from.try_clone().unwrap(), to.try_clone().unwrap(), shared.clone());
                    shared.connections.lock().unwrap().push(from.try_clone().unwrap());
                    thread::spawn(move || shared.forward(from, to, rewrite));
                }
            }
        });
        Proxy { port, state }
    }

    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends all connections; new ones are accepted.
    pub fn cut(&self) {
        for connection in self.state.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Forwards nothing until it is let go; nothing is lost.
    pub fn hold(&self, is_held: bool) {
        self.state.is_held.store(is_held, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.cut();
    }
}

impl State {
    fn forward(&self, mut from: TcpStream, mut to: TcpStream, rewrite: Option<(Vec<u8>, Vec<u8>)>) {
        // On some systems an accepted socket inherits that its listener does not block.
        from.set_nonblocking(false).unwrap();
        from.set_read_timeout(Some(TICK)).unwrap();
        let mut buffer = vec![0; 1 << 16];
        while !self.is_over.load(Ordering::SeqCst) {
            if self.is_held.load(Ordering::SeqCst) {
                thread::sleep(TICK);
                continue;
            }
            let count = match from.read(&mut buffer) {
                Ok(count) if count > 0 => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                _ => break,
            };
            while self.is_held.load(Ordering::SeqCst) && !self.is_over.load(Ordering::SeqCst) {
                thread::sleep(TICK);
            }
            if let Some((theirs, ours)) = &rewrite {
                for at in 0..count.saturating_sub(theirs.len() - 1) {
                    if buffer[at..].starts_with(theirs) {
                        buffer[at..at + ours.len()].copy_from_slice(ours);
                    }
                }
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
