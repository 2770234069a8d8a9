//! Where a page ended, as a text that clients hand back.
//!
//! `base64url([version, 1 byte][check, 8 bytes][partition, 4 bytes, big-endian][bytes of the last entry])`, where the check is a
//! hash of the list (store, index, range, direction) and of all that follows. A cursor names a place in the merged order of all
//! partitions and nothing of an instance, so it stays valid after a rebalance, and after that entry is gone. It is validated, not
//! signed: who forges one reads another part of the same list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::QueryError;
use crate::state::{Direction, KeyRange};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 1 + 8;

/// A place in the merged order of all partitions: by the bytes of entries, then by partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub entry: Vec<u8>,
    pub partition: i32,
}

/// What tells a list from others: a cursor of another one is refused.
pub(super) fn fingerprint(store: &str, index: Option<&str>, range: &KeyRange, direction: Direction) -> u64 {
    let direction: &[u8] = match direction {
        Direction::Forward => b"f",
        Direction::Reverse => b"r",
    };
    let (to, open_end): (&[u8], &[u8]) = range.to.as_ref().map_or((&[], b"open"), |to| (to, b"to"));
    let index: &[u8] = index.map_or(b"", str::as_bytes);
    [store.as_bytes(), index, &range.from, to, open_end, direction].iter().fold(FNV_OFFSET, |hash, part| {
        // Lengths keep ("ab", "c") apart from ("a", "bc").
        fnv(fnv(hash, &(part.len() as u64).to_be_bytes()), part)
    })
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: the same in every process and version.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// A cursor of a list that an application makes itself, after the entry with these bytes. `list` tells it from others.
pub fn cursor_after(list: &str, entry: Vec<u8>) -> String {
    encode(own_list(list), &Place { entry, partition: 0 })
}

/// The bytes of the entry after which such a cursor goes on.
///
/// # Errors
/// [`QueryError::Cursor`] for one of another list, and for what is none.
pub fn entry_before(list: &str, cursor: &str) -> Result<Vec<u8>, QueryError> {
    Ok(decode(cursor, own_list(list), &KeyRange::all())?.entry)
}

fn own_list(name: &str) -> u64 {
    // No store has an empty name.
    fingerprint("", Some(name), &KeyRange::all(), Direction::Forward)
}

/// The cursor of the page after this place.
pub(super) fn encode(list: u64, place: &Place) -> String {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes.extend_from_slice(&place.partition.to_be_bytes());
    bytes.extend_from_slice(&place.entry);
    bytes[0] = VERSION;
    let check = fnv(list, &bytes[HEADER_BYTES..]);
    bytes[1..HEADER_BYTES].copy_from_slice(&check.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place of a cursor of this list.
pub(super) fn decode(cursor: &str, list: u64, range: &KeyRange) -> Result<Place, QueryError> {
    const FOREIGN: QueryError = QueryError::Cursor("is not one that was given out for this list");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| FOREIGN)?;
    let ([version, check @ ..], place) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(FOREIGN)?;
    if *version != VERSION {
        return Err(QueryError::Cursor("was given out by another version of this program"));
    }
    if *check != fnv(list, place).to_be_bytes() {
        return Err(FOREIGN);
    }
    let (partition, entry) = place.split_first_chunk().ok_or(FOREIGN)?;
    let partition = i32::from_be_bytes(*partition);
    if !range.contains(entry) || partition < 0 {
        return Err(FOREIGN);
    }
    Ok(Place { entry: entry.to_vec(), partition })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_names_its_place(entry: Vec<u8>, partition in 0..i32::MAX, list: u64) {
            let place = Place { entry, partition };
            let cursor = encode(list, &place);
            prop_assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            prop_assert_eq!(decode(&cursor, list, &KeyRange::all()).unwrap(), place);
        }

        #[test]
        fn any_other_text_is_refused(text: String, entry: Vec<u8>, cut in 0usize..40, list: u64) {
            prop_assert!(decode(&text, list, &KeyRange::all()).is_err());
            let cursor = encode(list, &Place { entry, partition: 1 });
            let cut = cut.min(cursor.len() - 1);
            prop_assert!(decode(&cursor[..cut], list, &KeyRange::all()).is_err());
        }
    }

    #[test]
    fn cursors_have_this_text() {
        // Clients hold them while we are upgraded.
        let range = KeyRange::starting_with(b"a".to_vec());
        let list = fingerprint("orders", Some("by-status"), &range, Direction::Forward);
        let cursor = encode(list, &Place { entry: b"ab".to_vec(), partition: 3 });
        assert_eq!(cursor, "AQuuHqrLjeMsAAAAA2Fi");
        assert_eq!(decode(&cursor, list, &range).unwrap(), Place { entry: b"ab".to_vec(), partition: 3 });
    }

    #[test]
    fn a_list_of_an_application_has_cursors_of_its_own() {
        let cursor = cursor_after("history of o-1", b"entry".to_vec());
        assert_eq!(entry_before("history of o-1", &cursor).unwrap(), b"entry");
        assert!(entry_before("history of o-2", &cursor).is_err() && entry_before("history of o-1", "").is_err());
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let (all, some) = (KeyRange::all(), KeyRange::starting_with(b"a".to_vec()));
        let lists = [
            fingerprint("orders", None, &all, Direction::Forward),
            fingerprint("orders", None, &all, Direction::Reverse),
            fingerprint("orders", None, &some, Direction::Forward),
            fingerprint("orders", Some("by-status"), &all, Direction::Forward),
            fingerprint("ordersby-status", None, &all, Direction::Forward),
            fingerprint("orders", None, &KeyRange { from: Vec::new(), to: Some(Vec::new()) }, Direction::Forward),
        ];
        let place = Place { entry: b"k".to_vec(), partition: 0 };
        for (at, list) in lists.iter().enumerate() {
            assert_eq!(decode(&encode(lists[0], &place), *list, &all).is_ok(), at == 0, "{at}");
        }
        assert!(decode(&encode(lists[2], &place), lists[2], &some).is_err(), "outside of its range");
    }
}
