//! Reads over several partitions.

pub(crate) mod fixture;
mod in_memory;
mod pages;
mod partitions;
mod points;
mod records;
mod waiting;

use std::future::Future;

use fixture::{Fixture, HIDDEN, Parcel, task};

/// Waits for a read where a test cannot be async.
fn wait<T>(read: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(read)
}
