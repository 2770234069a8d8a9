//! How many heaps the C library keeps: one a core.
//!
//! glibc gives threads eight heaps ("arenas") a core, and memory that one of them has freed is of no use to another. Records are allocated on
//! librdkafka's threads and freed on ours, RocksDB's blocks the other way round, so that most heaps are full of holes: with one a core an
//! instance takes a sixth less memory and no more CPU (docs/performance.md).
#![allow(unsafe_code)]

/// Limits the heaps, unless the environment does. To be called before the first thread starts.
pub(super) fn limit_arenas() {
    #[cfg(target_env = "gnu")]
    if std::env::var_os("MALLOC_ARENA_MAX").is_none() && std::env::var_os("GLIBC_TUNABLES").is_none() {
        let arenas = std::thread::available_parallelism().map_or(2, |cores| i32::try_from(cores.get()).unwrap_or(i32::MAX));
        // SAFETY: mallopt takes two numbers and changes a setting of the allocator, under the allocator's own lock. What it does not
        // know it refuses, and then nothing has changed.
        unsafe {
            mallopt(M_ARENA_MAX, arenas.max(2));
        }
    }
}

#[cfg(target_env = "gnu")]
const M_ARENA_MAX: i32 = -8;

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    fn mallopt(parameter: i32, value: i32) -> i32;
}
