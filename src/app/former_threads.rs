//! Stream threads that an earlier run of this instance had and this one has not.
//!
//! Each thread has a transactional id of its own, and a producer that begins under it ends what its predecessor left open. Nobody begins
//! under the id of a thread that is gone, so its open transaction would hold back readers, and the tasks' next owners, until it times
//! out. The state directory remembers how many threads there were.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::not_ready::NotReady;
use crate::kafka::{KafkaProducer, KafkaSettings};
use crate::ports::TransactionalProducer as _;

/// More are not believed: the file is not ours then.
const MAX_THREADS: usize = 1_024;

/// How long the coordinator may take for one id; it is asked again later.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Ends the transactions of those threads, then notes that there are `threads`, before any of them begins one.
pub(super) fn end_former_transactions(directory: &Path, settings: &KafkaSettings, threads: usize) -> Result<(), NotReady> {
    let file = directory.join("stream-threads");
    for former in threads + 1..=noted(&file) {
        KafkaProducer::new(&settings.for_thread(former.to_string())).replace(END_WITHIN)?;
        tracing::info!(thread = former, "ended what a thread of an earlier run may have left open");
    }
    note(&file, threads).map_err(|error| NotReady::Later(format!("{}: {error}", file.display())))
}

/// How many threads the last run had; 0 when nobody knows.
fn noted(file: &Path) -> usize {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.trim().parse().ok().filter(|threads| *threads <= MAX_THREADS).unwrap_or(0)
}

fn note(file: &Path, threads: usize) -> io::Result<()> {
    if noted(file) == threads {
        return Ok(());
    }
    let draft: PathBuf = file.with_extension("new");
    fs::write(&draft, format!("{threads}\n"))?;
    fs::rename(draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_is_remembered_and_strange_files_mean_none() {
        let directory = std::env::temp_dir().join(format!("viewmill-threads-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("stream-threads");
        assert_eq!(noted(&file), 0);
        note(&file, 3).unwrap();
        assert_eq!(noted(&file), 3);
        note(&file, 1).unwrap();
        assert_eq!(noted(&file), 1);
        for strange in ["", "x", "-1", "99999999999"] {
            fs::write(&file, strange).unwrap();
            assert_eq!(noted(&file), 0, "{strange}");
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
