//! The memory of requests that are being received or answered. Large ones share a part of it, so that the others always get some.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// What each request may take without asking: most are smaller.
const FREE: usize = 64 << 10;
/// The same for one that takes many times its size.
const FREE_IF_IT_GROWS: usize = 4 << 10;
/// As large as clients make a request unless told otherwise, with what stands around its records.
const SMALL: usize = (1 << 20) + FREE;
const KIB: usize = 1 << 10;

/// What all requests may take together, but for the first 64 KiB of each.
pub struct RequestMemory {
    /// For all.
    shared: Pool,
    /// For small ones alone.
    kept: Pool,
    patience: Duration,
}

/// Part of it. It goes back when this is dropped.
pub type Share<'a> = Option<SemaphorePermit<'a>>;

struct Pool {
    kib: Semaphore,
    all_kib: usize,
}

impl RequestMemory {
    /// Who waits for more than is left gives up after `patience`.
    pub fn new(bytes: usize, patience: Duration) -> Self {
        let kept = bytes / 4;
        RequestMemory { shared: Pool::new(bytes - kept), kept: Pool::new(kept), patience }
    }

    /// Waits for what a whole request takes, each byte so many: who waited while holding a part of it might wait for ever. `None`: others have it
    /// for too long.
    pub async fn take(&self, bytes: usize, memory_per_byte: usize) -> Option<Share<'_>> {
        let free = if memory_per_byte > 1 { FREE_IF_IT_GROWS } else { FREE };
        let kib = (bytes.saturating_sub(free) * memory_per_byte).div_ceil(KIB);
        if kib == 0 {
            return Some(None);
        }
        let is_small = bytes <= SMALL;
        if is_small && let Some(permit) = self.kept.try_take(kib).or_else(|| self.shared.try_take(kib)) {
            return Some(Some(permit));
        }
        let pool = if is_small { &self.kept } else { &self.shared };
        timeout(self.patience, pool.take(kib)).await.ok()?.map(Some)
    }

    /// KiB that nobody has: for all, and for small ones.
    #[cfg(test)]
    pub fn left_kib(&self) -> (usize, usize) {
        (self.shared.kib.available_permits(), self.kept.kib.available_permits())
    }
}

impl Pool {
    fn new(bytes: usize) -> Self {
        Pool { kib: Semaphore::new(bytes / KIB), all_kib: bytes / KIB }
    }

    fn try_take(&self, kib: usize) -> Option<SemaphorePermit<'_>> {
        self.kib.try_acquire_many(u32::try_from(kib).ok()?).ok()
    }

    /// What is more than all there is gets all.
    async fn take(&self, kib: usize) -> Option<SemaphorePermit<'_>> {
        self.kib.acquire_many(u32::try_from(kib.min(self.all_kib)).ok()?).await.ok()
    }
}
