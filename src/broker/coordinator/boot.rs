//! Whether the machine went on since the journal was written: a kill of the process loses nothing of what it wrote, a power cut does.

use std::fs;

use super::super::journal::fields::{Put, Take, Unreadable};

/// The kind of the record; those of transactions are below, those of groups begin at 64.
const BOOT: u8 = 32;

/// Names the time since the machine started; empty if it cannot be known.
pub(super) fn current() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

pub(super) fn record(boot: &str) -> Vec<u8> {
    let mut put = Put::kind(BOOT);
    put.text(boot);
    put.done()
}

/// Reads a record; none if it is of another kind.
pub(super) fn read(record: &[u8]) -> Result<Option<String>, Unreadable> {
    let mut take = Take::new(record);
    if take.u8()? == BOOT { take.text().map(Some) } else { Ok(None) }
}
