//! Rows that are collected in memory before they are loaded, of each key the last: a changelog has a key many times.
//!
//! Keys and rows lie one after the other in blocks, so that a row costs no allocation, and all of them go at once.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A block of the memory that holds keys and rows; one that is larger gets a block of its own.
const BLOCK_BYTES: usize = 64 << 10;

/// What a row takes beside its bytes: its place in the table, and again when they are sorted.
const ROW_OVERHEAD_BYTES: usize = size_of::<Place>() * 8 / 7 + size_of::<LoadRow<'_>>();

/// A row of a load: `None` deletes.
pub type LoadRow<'a> = (&'a [u8], Option<&'a [u8]>);

/// Rows by key.
#[derive(Default)]
pub struct RowTable {
    places: HashTable<Place>,
    hasher: DefaultHashBuilder,
    blocks: Vec<Vec<u8>>,
    size_bytes: usize,
}

/// Where a key lies, and behind it its row.
struct Place {
    hash: u64,
    block: u32,
    start: u32,
    key_bytes: u32,
    /// `None` deletes.
    row_bytes: Option<u32>,
}

impl Place {
    fn key<'a>(&self, blocks: &'a [Vec<u8>]) -> &'a [u8] {
        &blocks[self.block as usize][self.start as usize..][..self.key_bytes as usize]
    }

    fn row<'a>(&self, blocks: &'a [Vec<u8>]) -> LoadRow<'a> {
        let (key, rest) = blocks[self.block as usize][self.start as usize..].split_at(self.key_bytes as usize);
        (key, self.row_bytes.map(|bytes| &rest[..bytes as usize]))
    }
}

impl RowTable {
    /// Sets a key's row; `None` deletes it.
    pub fn put(&mut self, key: &[u8], row: Option<&[u8]>) {
        let hash = self.hasher.hash_one(key);
        let known = self.places.find_mut(hash, |place| place.hash == hash && place.key(&self.blocks) == key);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a record of Kafka is shorter than 4 GiB");
        let row_bytes = row.map(length);
        match known {
            // Into the memory that is there already; what is left of it is not used again.
            Some(place) if row_bytes <= place.row_bytes => {
                let at = (place.start + place.key_bytes) as usize;
                if let Some(row) = row {
                    self.blocks[place.block as usize][at..at + row.len()].copy_from_slice(row);
                }
                place.row_bytes = row_bytes;
            }
            known => {
                let needed = key.len() + row.map_or(0, <[u8]>::len);
                let (block, start) = append(&mut self.blocks, needed, key, row.unwrap_or_default());
                let new = Place { hash, block, start, key_bytes: length(key), row_bytes };
                self.size_bytes += needed;
                match known {
                    Some(place) => *place = new,
                    None => {
                        self.places.insert_unique(hash, new, |place| place.hash);
                        self.size_bytes += ROW_OVERHEAD_BYTES;
                    }
                }
            }
        }
    }

    /// All rows by key.
    pub fn sorted(&self) -> Vec<LoadRow<'_>> {
        let first = self.iter().next().map_or(&[][..], |(key, _)| key);
        let shared = self.iter().fold(first.len(), |shared, (key, _)| {
            let equal = key.iter().zip(&first[..shared]).take_while(|(a, b)| a == b);
            equal.count()
        });
        // Most comparisons are decided by the first bytes in which keys differ, without a look at the keys.
        let mut rows: Vec<(u64, LoadRow<'_>)> = self.iter().map(|row| (first_bytes(&row.0[shared..]), row)).collect();
        rows.sort_unstable_by(|(a, (a_key, _)), (b, (b_key, _))| a.cmp(b).then_with(|| a_key.cmp(b_key)));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// In no order.
    pub fn iter(&self) -> impl Iterator<Item = LoadRow<'_>> {
        self.places.iter().map(|place| place.row(&self.blocks))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The memory that it takes, about, with that of rows that others have replaced.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Empties it and gives its memory back.
    pub fn clear(&mut self) {
        *self = RowTable::default();
    }
}

/// Appends a key and its row; answers block and place.
fn append(blocks: &mut Vec<Vec<u8>>, needed: usize, key: &[u8], row: &[u8]) -> (u32, u32) {
    if blocks.last().is_none_or(|block| block.capacity() - block.len() < needed) {
        blocks.push(Vec::with_capacity(BLOCK_BYTES.max(needed)));
    }
    let number = blocks.len() - 1;
    let block = &mut blocks[number];
    let start = block.len();
    block.extend_from_slice(key);
    block.extend_from_slice(row);
    let fits = |number: usize| u32::try_from(number).expect("a record of Kafka is shorter than 4 GiB, and tables are bounded");
    (fits(number), fits(start))
}

/// The first eight bytes of a key as a number that sorts as they do.
fn first_bytes(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(bytes.len());
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_row_of_a_key_counts_and_all_memory_is_counted() {
        let mut table = RowTable::default();
        for (key, row) in [(&b"b"[..], Some(&b"1"[..])), (b"a", Some(b"long row")), (b"b", Some(b"22")), (b"a", None), (b"c", Some(b"3"))] {
            table.put(key, row);
        }
        assert_eq!(table.sorted(), [(&b"a"[..], None), (b"b", Some(&b"22"[..])), (b"c", Some(b"3"))]);
        // "b" and its row lie there twice.
        let bytes = ("b1".len() + "along row".len()) + ("b22".len() + "c3".len());
        assert_eq!((table.len(), table.size_bytes()), (3, 3 * ROW_OVERHEAD_BYTES + bytes));
        table.put(b"c", Some(b"4"));
        assert_eq!(table.size_bytes(), 3 * ROW_OVERHEAD_BYTES + bytes, "into the memory that was there");
        table.clear();
        assert_eq!((table.len(), table.size_bytes(), table.is_empty()), (0, 0, true));
        assert_eq!(table.sorted(), []);
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_would(rows in prop::collection::vec(("[ab]{0,10}", prop::option::of((0..9_usize, any::<u8>()))), 0..60)) {
            // Some are larger than a block.
            let row = |(length, byte): (usize, u8)| vec![byte; if length == 8 { BLOCK_BYTES + 1 } else { length }];
            let rows: Vec<(String, Option<Vec<u8>>)> = rows.into_iter().map(|(key, of)| (key, of.map(row))).collect();
            let (mut table, mut map) = (RowTable::default(), BTreeMap::new());
            for (key, row) in &rows {
                table.put(key.as_bytes(), row.as_deref());
                map.insert(key.as_bytes(), row.as_deref());
            }
            prop_assert_eq!(table.sorted(), map.into_iter().collect::<Vec<_>>());
        }
    }
}
