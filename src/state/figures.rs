//! What a database tells of itself. Asking takes no lock that a writer waits for long, but it is not free: ask every few seconds.

use std::time::Duration;

use crate::metrics::StoreSample;

/// Figures of one database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DatabaseFigures {
    /// Of each column but that of the position, in order.
    pub columns: Vec<StoreSample>,
    /// What compactions have yet to rewrite.
    pub pending_compaction_bytes: u64,
    /// How long writes were held back since the database was opened.
    pub stalled: Duration,
    /// Failed flushes and compactions since the database was opened.
    pub background_errors: u64,
}

/// The time in RocksDB's line `Cumulative stall: 00:00:1.500 H:M:S, 0.3 percent`.
pub(super) fn cumulative_stall(statistics: &str) -> Option<Duration> {
    let line = statistics.lines().find_map(|line| line.strip_prefix("Cumulative stall: "))?;
    let mut parts = line.split_whitespace().next()?.split(':');
    let mut part = || parts.next()?.parse::<f64>().ok();
    let (hours, minutes, seconds) = (part()?, part()?, part()?);
    Duration::try_from_secs_f64(hours * 3_600.0 + minutes * 60.0 + seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_stalls_is_read_from_rocksdb_s_text() {
        let text =
            "\n** DB Stats **\nCumulative writes: 5 writes\nCumulative stall: 01:02:3.250 H:M:S, 0.3 percent\nInterval stall: 00:00:0.000";
        assert_eq!(cumulative_stall(text), Some(Duration::from_millis(3_723_250)));
        assert_eq!(cumulative_stall("Cumulative stall: never"), None);
        assert_eq!(cumulative_stall(""), None);
    }
}
