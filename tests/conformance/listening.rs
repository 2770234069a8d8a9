//! Where the embedded broker of another process listens.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until the broker has told its address in its directory's `broker.addr`, and takes connections. An error: it ended, or takes longer.
pub fn wait_until_it_listens(address_file: &Path, within: Duration, mut runs: impl FnMut() -> bool) -> Result<String, &'static str> {
    let deadline = Instant::now() + within;
    loop {
        // A line that has its end is whole.
        if let Some(line) = fs::read_to_string(address_file).ok().filter(|text| text.ends_with('\n')) {
            let address = line.trim().to_owned();
            if TcpStream::connect(&address).is_ok() {
                return Ok(address);
            }
        }
        if !runs() {
            return Err("the embedded broker ended");
        }
        if Instant::now() > deadline {
            return Err("the embedded broker does not listen in time");
        }
        thread::sleep(LOOK_INTERVAL);
    }
}
