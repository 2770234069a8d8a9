//! For tests of what must happen at once: who comes waits until so many are there.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Longer than any test needs if they do come at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Nobody waits until somebody is expected.
#[derive(Default)]
pub struct Meeting {
    missing: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    /// The next so many wait for each other.
    pub fn expect(&self, count: usize) {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = count;
    }

    /// An error: the others did not come.
    pub fn attend(&self) -> io::Result<()> {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        *missing = missing.saturating_sub(1);
        self.changed.notify_all();
        let (missing, _) =
            self.changed.wait_timeout_while(missing, PATIENCE, |missing| *missing > 0).unwrap_or_else(PoisonError::into_inner);
        if *missing > 0 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}
