//! A journal in memory, for tests of who writes into one.

use super::{Append, JournalError, Position};

/// Keeps records; refuses them when told to, like a full disk.
#[derive(Debug, Default)]
pub struct Remembered {
    pub records: Vec<Vec<u8>>,
    pub refuses: bool,
}

impl Append for Remembered {
    fn append(&mut self, record: &[u8]) -> Result<Position, JournalError> {
        if self.refuses {
            return Err(JournalError::Unavailable);
        }
        self.records.push(record.to_vec());
        Ok(Position(self.records.len() as u64))
    }
}
