//! Writes that belong together, as bytes in one buffer.

use std::ops::Range;

use super::LoadRow;

/// A column of a task's database; 0 holds the task's own position, the stores follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column(pub u16);

impl Column {
    /// The column of the position.
    pub const META: Column = Column(0);
}

/// One write of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry<'a> {
    /// Where to.
    pub column: Column,
    /// The key.
    pub key: &'a [u8],
    /// The row; `None` deletes.
    pub value: Option<&'a [u8]>,
}

#[derive(Debug)]
struct Entry {
    column: Column,
    key: Range<usize>,
    value: Option<Range<usize>>,
}

/// Writes that are applied all at once or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    /// All rows of a load.
    pub fn of_rows(column: Column, rows: &[LoadRow<'_>]) -> Batch {
        let mut batch = Batch::default();
        for (key, row) in rows {
            match row {
                Some(row) => batch.put(column, key, row),
                None => batch.delete(column, key),
            }
        }
        batch
    }

    /// Adds a row.
    pub fn put(&mut self, column: Column, key: &[u8], value: &[u8]) {
        let key = self.push(key);
        let value = Some(self.push(value));
        self.entries.push(Entry { column, key, value });
    }

    /// Adds a row that `write` appends to the buffer; nothing is added when it fails.
    pub fn put_with<E>(&mut self, column: Column, key: &[u8], write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let before = self.bytes.len();
        let key = self.push(key);
        let start = self.bytes.len();
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(before);
            return Err(error);
        }
        let value = Some(start..self.bytes.len());
        self.entries.push(Entry { column, key, value });
        Ok(())
    }

    /// Adds a deletion.
    pub fn delete(&mut self, column: Column, key: &[u8]) {
        let key = self.push(key);
        self.entries.push(Entry { column, key, value: None });
    }

    /// Adds the writes of another batch.
    pub fn append(&mut self, other: &Batch) {
        for entry in other.iter() {
            match entry.value {
                Some(value) => self.put(entry.column, entry.key, value),
                None => self.delete(entry.column, entry.key),
            }
        }
    }

    /// The writes, in order.
    pub fn iter(&self) -> impl Iterator<Item = BatchEntry<'_>> {
        self.entries.iter().map(|entry| BatchEntry {
            column: entry.column,
            key: &self.bytes[entry.key.clone()],
            value: entry.value.clone().map(|range| &self.bytes[range]),
        })
    }

    /// How many writes.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all keys and rows.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    fn push(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}
