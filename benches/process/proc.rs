//! What /proc tells of a process.

use std::fs;
use std::path::Path;

use super::Fallible;

/// Clock ticks in a second of /proc's CPU times; Linux has had 100 for all programs since long.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time by a `stat`, of a process or of one of its threads.
pub fn cpu_seconds(stat: &Path) -> Fallible<f64> {
    let stat = fs::read_to_string(stat)?;
    // Behind the name, which may hold anything but a last ')': state is field 3, user and system time are 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no name")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at - 3).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(14) + ticks(15)) / TICKS_PER_SECOND)
}

/// A field of a `status`, in KiB.
pub fn status_kib(status: &Path, field: &str) -> Fallible<u64> {
    let status = fs::read_to_string(status)?;
    let line = status.lines().find(|line| line.starts_with(field)).ok_or("no such field")?;
    Ok(line.split_whitespace().nth(1).ok_or("no value")?.parse()?)
}
