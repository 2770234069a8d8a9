//! One page of a list that is spread over partitions: a k-way merge by the bytes of entries.
//!
//! An entry is the key of a row, or an index row: then the row's key stands at its end. First each partition gives the entries that
//! may be on the page, then the rows of those that are on it are read from the same snapshots. An index row that its row does not
//! give is passed over, and the next one takes its place.

use super::QueryError;
use super::cursor::Place;
use super::parts::OpenPart;
use super::store_table::StoreEntry;
use crate::codec::CodecError;
use crate::state::{Column, Direction, KeyRange, StoreError};

/// Which entries of which column, and how many.
pub(super) struct Walk {
    /// The index, by its place in the store; `None`: the store's own rows.
    pub index: Option<usize>,
    pub range: KeyRange,
    pub direction: Direction,
    pub limit: usize,
    /// Begins behind this place.
    pub after: Option<Place>,
}

/// An entry with its row.
pub(super) struct Found<'a> {
    pub entry: &'a [u8],
    pub key: &'a [u8],
    pub row: &'a [u8],
    pub partition: i32,
}

impl Found<'_> {
    /// True when this index key of the row makes the entry.
    pub(super) fn is_entry_of(&self, index_key: &[u8]) -> bool {
        self.entry.strip_prefix(index_key) == Some(self.key)
    }
}

/// Reads one page. `decode` answers `None` for a row that does not give its entry any more. The place is where the page ends, when
/// more may follow.
pub(super) fn walk<T>(
    store: &StoreEntry,
    parts: &[OpenPart<'_>],
    walk: Walk,
    mut decode: impl FnMut(Found<'_>) -> Result<Option<T>, CodecError>,
) -> Result<(Vec<T>, Option<Place>), QueryError> {
    let index = walk.index.map(|at| &store.indexes[at]);
    let column = index.map_or(store.column, |index| index.column);
    let failed = |source| QueryError::Store(StoreError::Codec { store: store.name.to_string(), source });
    let (mut items, mut last) = (Vec::new(), walk.after.clone());
    loop {
        // One more than the page holds tells whether another page follows.
        let wanted = walk.limit + 1 - items.len();
        let entries = merged(parts, column, &walk, last.as_ref(), wanted)?;
        let was_end = entries.len() < wanted;
        for Merged { entry, part } in entries {
            if items.len() == walk.limit {
                return Ok((items, last));
            }
            let (part, start) = (&parts[part], index.map_or(Ok(0), |index| (index.key_starts)(&entry)).map_err(failed)?);
            let mut decoded = Ok(None);
            let mut read = |row: &[u8]| decoded = decode(Found { entry: &entry, key: &entry[start..], row, partition: part.partition });
            part.snapshot.get(store.column, &entry[start..], &mut read)?;
            match decoded.map_err(failed)? {
                Some(item) => items.push(item),
                None => store.note_stale_entry(&entry),
            }
            last = Some(Place { entry, partition: part.partition });
        }
        if was_end {
            return Ok((items, None));
        }
    }
}

struct Merged {
    entry: Vec<u8>,
    /// The place in `parts`.
    part: usize,
}

/// The first `wanted` entries behind a place, of all partitions. Never holds more than twice as many.
fn merged(parts: &[OpenPart<'_>], column: Column, walk: &Walk, after: Option<&Place>, wanted: usize) -> Result<Vec<Merged>, StoreError> {
    let ordered = |a: &[u8], b: &[u8]| match walk.direction {
        Direction::Forward => a.cmp(b),
        Direction::Reverse => b.cmp(a),
    };
    let mut best: Vec<Merged> = Vec::new();
    for (part, open) in parts.iter().enumerate() {
        let range = after.map_or_else(|| walk.range.clone(), |place| behind(walk, place, open.partition));
        let (full_at, mut left) = (best.get(wanted - 1).map(|last| last.entry.clone()), wanted);
        let mut visit = |entry: &[u8], _: &[u8]| {
            // Of equal entries the one of the earlier partition comes first.
            if full_at.as_ref().is_some_and(|last| ordered(entry, last).is_ge()) {
                return false;
            }
            best.push(Merged { entry: entry.to_vec(), part });
            left -= 1;
            left > 0
        };
        open.snapshot.scan(column, &range, walk.direction, &mut visit)?;
        // Stable: equal entries stay in the order of partitions.
        best.sort_by(|a, b| ordered(&a.entry, &b.entry));
        best.truncate(wanted);
    }
    Ok(best)
}

/// What a partition has behind a place. A later partition may have the same entry too.
fn behind(walk: &Walk, place: &Place, partition: i32) -> KeyRange {
    let mut range = walk.range.clone().continued_after(&place.entry, walk.direction);
    if partition > place.partition {
        match walk.direction {
            Direction::Forward => range.from.clone_from(&place.entry),
            Direction::Reverse => range.to = Some([&*place.entry, &[0]].concat()),
        }
    }
    range
}
