//! Places of connections: so many may be open, and some more are only told to come again.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many connections over the bound are answered at a time; further ones wait. With 64 the last of a flood of 1,500 waited a second for it.
const MAX_SURPLUS: usize = 1_024;

/// All places of a server.
pub(super) struct Places {
    usual: Arc<Semaphore>,
    surplus: Arc<Semaphore>,
}

/// The place of one connection, free again when it is dropped.
pub(super) struct Place {
    usual: Arc<Semaphore>,
    surplus: Arc<Semaphore>,
    held: Mutex<Held>,
}

struct Held {
    is_surplus: bool,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many, and those over the bound.
    pub(super) fn new(count: usize) -> Self {
        Places { usual: Arc::new(Semaphore::new(count)), surplus: Arc::new(Semaphore::new(MAX_SURPLUS)) }
    }

    /// Waits until there is one.
    pub(super) async fn free(&self) -> Place {
        let (permit, is_surplus) = tokio::select! {
            biased;
            // While it waits for its connection it must not keep a usual one from a connection that is there.
            permit = self.surplus.clone().acquire_owned() => (permit, true),
            permit = self.usual.clone().acquire_owned() => (permit, false),
        };
        let permit = permit.expect("the semaphores are never closed");
        Place { usual: self.usual.clone(), surplus: self.surplus.clone(), held: Mutex::new(Held { is_surplus, _permit: permit }) }
    }
}

impl Place {
    /// Whether it is one over the bound. One that has become free since is taken instead.
    pub(super) fn is_surplus(&self) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_surplus
            && let Ok(permit) = self.usual.clone().try_acquire_owned()
        {
            *held = Held { is_surplus: false, _permit: permit };
        }
        held.is_surplus
    }

    /// Whether the connection may have more than one request: as long as there is room for others, that is cheaper than a new one for each refusal.
    pub(super) fn is_kept(&self) -> bool {
        !self.is_surplus() || self.surplus.available_permits() > MAX_SURPLUS / 2
    }
}
