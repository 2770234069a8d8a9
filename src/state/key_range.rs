//! Which rows a scan visits: a range of encoded keys, and in which direction.

use std::ops::{Bound, RangeBounds};

use crate::codec::{KeyCodec, Prefix, encode_whole_key};

/// Encoded keys from `from` (inclusive) to `to` (exclusive; `None`: to the end).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub from: Vec<u8>,
    /// The key after the last.
    pub to: Option<Vec<u8>>,
}

/// In which order a scan visits its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key on.
    #[default]
    Forward,
    /// From the largest key on.
    Reverse,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        KeyRange::default()
    }

    /// The keys that begin with these bytes.
    pub fn starting_with(prefix: Vec<u8>) -> Self {
        let to = successor(&prefix);
        KeyRange { from: prefix, to }
    }

    /// The keys that begin with a typed prefix.
    pub fn prefix<I>(prefix: &impl Prefix<I>) -> Self {
        let mut bytes = Vec::new();
        prefix.encode_prefix(&mut bytes);
        Self::starting_with(bytes)
    }

    /// The keys within typed bounds.
    pub fn between<K: KeyCodec>(bounds: &impl RangeBounds<K>) -> Self {
        let from = match bounds.start_bound() {
            Bound::Included(key) => encode_whole_key(key),
            Bound::Excluded(key) => after(encode_whole_key(key)),
            Bound::Unbounded => Vec::new(),
        };
        let to = match bounds.end_bound() {
            Bound::Included(key) => Some(after(encode_whole_key(key))),
            Bound::Excluded(key) => Some(encode_whole_key(key)),
            Bound::Unbounded => None,
        };
        KeyRange { from, to }
    }

    /// The same range without what a scan has visited up to and including this key.
    pub fn continued_after(mut self, key: &[u8], direction: Direction) -> Self {
        match direction {
            Direction::Forward => self.from = self.from.max(after(key.to_vec())),
            Direction::Reverse => self.to = Some(self.to.map_or_else(|| key.to_vec(), |to| to.min(key.to_vec()))),
        }
        self
    }

    /// True when the key lies in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        *key >= *self.from && self.to.as_ref().is_none_or(|to| *key < **to)
    }

    /// True when no key can lie in it.
    pub fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }
}

/// The smallest bytes after these.
fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The smallest bytes after everything that begins with these; `None` when there are none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::encode_whole_key as bytes;
    use super::*;

    proptest! {
        #[test]
        fn a_typed_range_holds_the_keys_that_it_says(key: i64, a: i64, b: i64) {
            prop_assert_eq!(KeyRange::between(&(a..b)).contains(&bytes(&key)), (a..b).contains(&key));
            prop_assert_eq!(KeyRange::between(&(a..=b)).contains(&bytes(&key)), (a..=b).contains(&key));
            prop_assert_eq!(KeyRange::between(&(a..)).contains(&bytes(&key)), (a..).contains(&key));
            let open = (Bound::Excluded(a), Bound::Included(b));
            prop_assert_eq!(KeyRange::between::<i64>(&open).contains(&bytes(&key)), open.contains(&key));
        }

        #[test]
        fn a_prefix_range_holds_what_begins_with_it(prefix: Vec<u8>, key: Vec<u8>) {
            prop_assert_eq!(KeyRange::starting_with(prefix.clone()).contains(&key), key.starts_with(&prefix));
        }

        #[test]
        fn a_continued_range_leaves_out_what_was_visited(seen: Vec<u8>, key: Vec<u8>) {
            let forward = KeyRange::all().continued_after(&seen, Direction::Forward);
            prop_assert_eq!(forward.contains(&key), key > seen);
            let reverse = KeyRange::all().continued_after(&seen, Direction::Reverse);
            prop_assert_eq!(reverse.contains(&key), key < seen);
        }
    }
}
