//! A thread of an instance beside those of `runtime`: told to stop, and waited for, but not for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::runtime::InstanceStatus;

/// How often a wait looks whether it is over.
const SLICE: Duration = Duration::from_millis(5);

/// A running thread.
pub(super) struct OwnThread {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<()>,
}

impl OwnThread {
    /// Does this work until the flag that it is given says stop. A panic puts the instance into ERROR.
    pub(super) fn start(name: &str, status: InstanceStatus, work: impl FnOnce(&AtomicBool) + Send + 'static) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, thread_name) = (stop.clone(), name.to_owned());
        let handle = thread::Builder::new().name(name.to_owned()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| work(&stopped))).is_err() {
                status.set_error(format!("thread {thread_name} panicked"));
            }
        })?;
        Ok(OwnThread { stop, handle })
    }

    /// Ends the thread; false when that took longer.
    pub(super) fn stop(self, within: Duration) -> bool {
        self.stop.store(true, Ordering::Release);
        let ended = ends_within(&self.handle, within);
        if ended {
            // A panic was caught inside.
            let _ = self.handle.join();
        }
        ended
    }
}

/// Waits for the end of a thread; false when that took longer.
pub(super) fn ends_within(handle: &JoinHandle<()>, within: Duration) -> bool {
    let mut left = within;
    while !handle.is_finished() {
        if left.is_zero() {
            return false;
        }
        thread::sleep(SLICE);
        left = left.saturating_sub(SLICE);
    }
    true
}

/// Sleeps, but not past a stop.
pub(super) fn sleep_unless(stopped: &AtomicBool, pause: Duration) {
    let mut left = pause;
    while !left.is_zero() && !stopped.load(Ordering::Acquire) {
        thread::sleep(SLICE.min(left));
        left = left.saturating_sub(SLICE);
    }
}
