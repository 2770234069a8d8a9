//! Rows that are collected in memory before they are loaded, of each key the last: a changelog has a key many times.

use hashbrown::HashMap;

/// What a row takes beside its bytes, about: its place in the table and two allocations.
const ROW_OVERHEAD_BYTES: usize = 96;

/// A row of a load: `None` deletes.
pub type LoadRow<'a> = (&'a [u8], Option<&'a [u8]>);

/// Rows by key.
#[derive(Default)]
pub struct RowTable {
    rows: HashMap<Vec<u8>, Option<Vec<u8>>>,
    size_bytes: usize,
}

impl RowTable {
    /// Sets a key's row; `None` deletes it.
    pub fn put(&mut self, key: &[u8], row: Option<&[u8]>) {
        let known = self.rows.len();
        let old = self.rows.entry_ref(key).or_default();
        let before = old.as_ref().map_or(0, Vec::len);
        match (&mut *old, row) {
            // Into the memory that is there already.
            (Some(old), Some(row)) => {
                old.clear();
                old.extend_from_slice(row);
            }
            (old, row) => *old = row.map(<[u8]>::to_vec),
        }
        self.size_bytes = self.size_bytes + row.map_or(0, <[u8]>::len) - before;
        if self.rows.len() > known {
            self.size_bytes += key.len() + ROW_OVERHEAD_BYTES;
        }
    }

    /// All rows by key.
    pub fn sorted(&self) -> Vec<LoadRow<'_>> {
        let mut rows: Vec<LoadRow<'_>> = self.rows.iter().map(|(key, row)| (&key[..], row.as_deref())).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }

    /// In no order.
    pub fn iter(&self) -> impl Iterator<Item = LoadRow<'_>> {
        self.rows.iter().map(|(key, row)| (&key[..], row.as_deref()))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The memory that it takes, about.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Empties it and gives its memory back.
    pub fn clear(&mut self) {
        *self = RowTable::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_of_a_key_counts_and_memory_is_counted_once() {
        let mut table = RowTable::default();
        for (key, row) in [(&b"b"[..], Some(&b"1"[..])), (b"a", Some(b"long row")), (b"b", Some(b"22")), (b"a", None), (b"c", Some(b"3"))] {
            table.put(key, row);
        }
        assert_eq!(table.sorted(), [(&b"a"[..], None), (b"b", Some(&b"22"[..])), (b"c", Some(b"3"))]);
        assert_eq!((table.len(), table.size_bytes()), (3, 3 * (1 + ROW_OVERHEAD_BYTES) + 3));
        table.put(b"a", Some(b"4"));
        assert_eq!(table.size_bytes(), 3 * (1 + ROW_OVERHEAD_BYTES) + 4);
        table.clear();
        assert_eq!((table.len(), table.size_bytes()), (0, 0));
    }
}
