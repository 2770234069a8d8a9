//! What an embedded broker may say about its logs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};

/// When written records are forced to the disk. A killed process loses nothing that was acknowledged in any mode, for the operating
/// system has it; the modes differ in what a power cut or a crash of the machine may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Written records follow within [`LogSettings::fsync_interval`]; the end of a transaction is on disk before its answer. A power cut
    /// takes at most that interval of records, and no transaction that was told to be committed.
    #[default]
    Interval,
    /// On disk before they are acknowledged. A power cut takes nothing.
    Always,
    /// Whenever the operating system likes, also for the ends of transactions. A power cut may take anything of the last minutes.
    Never,
}

/// Bounds and rhythms of [`Logs`](super::Logs).
#[derive(Clone)]
pub struct LogSettings {
    /// When records are forced to the disk.
    pub fsync: Fsync,
    /// With [`Fsync::Interval`]: at most so much later.
    pub fsync_interval: Duration,
    /// How often retention and compaction look for work (Kafka: `log.cleaner.backoff.ms`).
    pub cleaner_backoff: Duration,
    /// Bytes for the keys of one compaction run; what does not fit waits for the next run.
    pub cleaner_memory_bytes: usize,
    /// Segments held open over all partitions, least recently used first out.
    pub max_open_segments: usize,
    /// When all partitions together got so many bytes since their last checkpoints, they get new ones: it bounds what a start has to check.
    pub checkpoint_bytes: u64,
    /// A partition that got any gets one after so long at the latest.
    pub checkpoint_interval: Duration,
    /// A producer id that wrote nothing for so long is forgotten.
    pub producer_id_expiration: Duration,
    /// Producer ids remembered per partition; beyond it the one that wrote longest ago is forgotten.
    pub max_producer_ids: usize,
    /// Threads that fsync, retain and compact; tests call those themselves.
    pub background: bool,
    /// Another one after each start of the machine; empty: not known.
    pub boot_id: String,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings {
            fsync: Fsync::Interval,
            fsync_interval: Duration::from_secs(1),
            cleaner_backoff: Duration::from_secs(15),
            cleaner_memory_bytes: 64 << 20,
            max_open_segments: 256,
            checkpoint_bytes: 256 << 20,
            checkpoint_interval: Duration::from_secs(30),
            producer_id_expiration: Duration::from_secs(7 * 24 * 3600),
            max_producer_ids: 10_000,
            background: true,
            boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or(String::new(), |id| id.trim().to_owned()),
            clock: Arc::new(SystemClock::default()),
        }
    }
}

impl LogSettings {
    /// Now, in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now().0
    }

    /// Whether a change of directory entries is forced to the disk.
    pub(super) fn syncs(&self) -> bool {
        self.fsync != Fsync::Never
    }

    /// Forces a directory's entries to the disk, unless nothing is.
    pub(super) fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
        if self.syncs() { std::fs::File::open(dir)?.sync_all() } else { Ok(()) }
    }
}
