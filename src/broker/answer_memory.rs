//! The memory that records take on their way to clients, from the read until the client has them. All answers share it, so that clients
//! that fetch much and read slowly cannot take what the process has.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What each answer may take without asking: so each client gets on, if its batches are no larger, whatever the others hold.
const FREE: usize = 64 << 10;
const KIB: usize = 1 << 10;

/// What all answers may take together, but for the first 64 KiB of each.
pub struct AnswerMemory {
    kib: Arc<Semaphore>,
    all_kib: usize,
    patience: Duration,
}

/// One answer's part. It goes back when this is dropped.
pub struct Share {
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl AnswerMemory {
    /// Who waits for more than is left gives up after `patience`.
    pub fn new(bytes: usize, patience: Duration) -> Self {
        let all_kib = bytes / KIB;
        AnswerMemory { kib: Arc::new(Semaphore::new(all_kib)), all_kib, patience }
    }

    /// As much as is wanted, but at most half of what is left: when it becomes tight all get less, and none nothing.
    pub fn share(&self, wanted: usize) -> Share {
        let kib = asked_kib(wanted).min(self.kib.available_permits() / 2);
        match Arc::clone(&self.kib).try_acquire_many_owned(kib as u32) {
            Ok(permit) if kib > 0 => Share { bytes: wanted.min(FREE + kib * KIB), permit: Some(permit) },
            _ => Share { bytes: wanted.min(FREE), permit: None },
        }
    }

    /// Waits for so much. `None`: others have it for too long.
    pub async fn wait_for(&self, bytes: usize) -> Option<Share> {
        // What is more than all there is gets all.
        let kib = asked_kib(bytes).min(self.all_kib);
        let permit = timeout(self.patience, Arc::clone(&self.kib).acquire_many_owned(kib as u32)).await.ok()?.ok()?;
        Some(Share { bytes, permit: Some(permit) })
    }

    /// KiB that nobody has.
    #[cfg(test)]
    pub fn left_kib(&self) -> usize {
        self.kib.available_permits()
    }
}

impl Share {
    /// What may be read.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A batch that may be read although it is more than was wanted.
    pub fn one_batch(&self) -> usize {
        self.bytes.max(FREE)
    }

    /// Gives back what is not needed.
    pub fn shrink(&mut self, bytes: usize) {
        self.bytes = bytes;
        if let Some(permit) = &mut self.permit {
            drop(permit.split(permit.num_permits().saturating_sub(asked_kib(bytes))));
        }
    }
}

fn asked_kib(bytes: usize) -> usize {
    bytes.saturating_sub(FREE).div_ceil(KIB)
}
