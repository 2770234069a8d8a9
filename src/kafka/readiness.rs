//! Whether a partition's queue may have something, and the waking of whoever waits for that.
//!
//! librdkafka calls back only when a queue goes from empty to non-empty. The flag is therefore lowered *before* the queue is
//! read, and raised again by the reader whenever it may have left something behind: a call-back can come early, never too late.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::sync::Unparker;

/// Shared between the reader of a queue and librdkafka's threads.
#[derive(Debug)]
pub(super) struct Readiness {
    maybe_filled: AtomicBool,
    reader: Unparker,
}

impl Readiness {
    /// A queue that is not yet known to be empty.
    pub(super) fn new(reader: Unparker) -> Self {
        Readiness { maybe_filled: AtomicBool::new(true), reader }
    }

    /// The queue went from empty to non-empty. Called under librdkafka's lock on that queue: it must not call librdkafka.
    pub(super) fn raise(&self) {
        self.maybe_filled.store(true, Ordering::Release);
        self.reader.unpark();
    }

    /// Says that the queue may have something, without waking anybody.
    pub(super) fn mark(&self) {
        self.maybe_filled.store(true, Ordering::Release);
    }

    /// Lowers the flag and says whether it was up.
    pub(super) fn take(&self) -> bool {
        // A plain load first: an idle partition costs no locked instruction.
        self.maybe_filled.load(Ordering::Acquire) && self.maybe_filled.swap(false, Ordering::AcqRel)
    }

    /// True while the queue may have something.
    pub(super) fn is_raised(&self) -> bool {
        self.maybe_filled.load(Ordering::Acquire)
    }
}
