//! One process works in a directory; who else wants it is told who has it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::broker::log::{LogError, LogSettings};

const MAX_HOLDER_BYTES: u64 = 200;

/// Held while this lives; the operating system frees it when the process ends, however it ends.
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Makes the directory if it is missing, and locks it.
    pub fn acquire(dir: &Path, settings: &LogSettings) -> Result<DirectoryLock, LogError> {
        fs::create_dir_all(dir).map_err(LogError::io("making directory", dir))?;
        let path = dir.join("lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(LogError::io("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: without it the refusal stands all the same.
                let read = file.take(MAX_HOLDER_BYTES).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if read { holder.trim().to_owned() } else { "another process".to_owned() };
                return Err(LogError::Locked { dir: dir.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(LogError::Io { action: "locking", path, source }),
        }
        let since = date_and_time(settings.now_ms());
        let holder = format!("process {} (since {since})\n", std::process::id());
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes()));
        written.map_err(LogError::io("writing", &path))?;
        Ok(DirectoryLock { _file: file })
    }
}

/// Milliseconds since 1970 as `2026-11-27 02:30:00 UTC`.
fn date_and_time(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Counting years from March puts the leap day last: eras of 400 years then repeat exactly.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", second / 3600, second / 60 % 60, second % 60)
}
