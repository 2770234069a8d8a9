//! Calls that may wait for the disk, off the threads that serve clients.

/// Does what may block. Other clients are served meanwhile by another thread.
pub fn on_disk<T>(act: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(act)
}
