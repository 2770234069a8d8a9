//! Calls that may wait for the disk, off the threads that serve clients.

use tokio::task::JoinSet;

/// So many calls of one request wait for the disk at a time.
const AT_ONCE: usize = 16;

/// Does what may block. Other clients are served meanwhile by another thread.
pub fn on_disk<T>(act: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(act)
}

/// Does what may block with each of some, several at a time; what came of them is in no order. `None`: not all was done, because the broker
/// stops or a call panicked.
pub async fn each_on_disk<T: Send + 'static, R: Send + 'static>(mut all: Vec<T>, act: fn(T) -> R) -> Option<Vec<R>> {
    // One alone needs no other thread.
    if all.len() == 1 {
        return Some(on_disk(|| all.into_iter().map(act).collect()));
    }
    let mut done = Vec::with_capacity(all.len());
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(one) = all.pop()
        {
            running.spawn_blocking(move || act(one));
        }
        match running.join_next().await {
            None => return Some(done),
            Some(Ok(result)) => done.push(result),
            Some(Err(_)) => return None,
        }
    }
}
