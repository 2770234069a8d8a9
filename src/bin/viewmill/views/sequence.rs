//! Which versions of one topic a row has seen.
//!
//! Versions count 1, 2, 3 … for each order and topic. One that is not above the last is a duplicate, unless it is known to
//! be missing: a version that leaves a gap is applied and the gap is remembered, and what comes late for a gap still takes
//! its place.
//!
//! ```text
//! 1 2 5 3 3 4   →   next, next, gap of 2 (3..=4 missing), late (4 missing), duplicate, late
//! ```
//!
//! Events without a version are taken as they come. Bounds: the 16 latest gaps and the event ids of the last 8 versions
//! are remembered; what is older counts as a duplicate of the same event.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How many gaps are remembered. A gap is a range, so even a wild jump costs one.
const MAX_GAPS: usize = 16;

/// Of how many of the last versions the event ids are remembered.
const REMEMBERED_IDS: u64 = 8;

/// The versions of one topic that a row has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The highest version seen; 0 when none was.
    last: u64,
    ids: LastIds,
    /// What most rows never need.
    oddities: Option<Box<Oddities>>,
}

/// What happens to a few rows only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Oddities {
    /// How many events without a version were applied.
    unversioned: u32,
    /// How many events filled a gap.
    late: u32,
    /// The versions missing below the last: ranges, both ends included, in rising order, never touching.
    missing: Vec<(u64, u64)>,
}

/// Fingerprints of the event ids of the last versions, each in the slot of its version; 0 where none is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LastIds([u32; REMEMBERED_IDS as usize]);

/// What a version is to those that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The one after the last, or one without a version.
    Next,
    /// It leaves so many versions missing before it.
    Gap {
        /// How many.
        missing: u64,
    },
    /// It was missing.
    Late,
    /// It was seen before.
    Duplicate,
    /// It was seen before, as another event.
    Conflict,
}

impl Sequence {
    /// The highest version; or how many events there were, when none had a version.
    pub fn version(&self) -> u64 {
        if self.last == 0 { u64::from(self.oddities().unversioned) } else { self.last }
    }

    /// The version of an event that is to follow; none where the numbers are used up.
    pub fn next(&self) -> Option<u64> {
        self.version().checked_add(1)
    }

    /// How many applied events did not move [`Sequence::version`]. Both together differ after every applied event.
    pub fn unmoved(&self) -> u64 {
        let oddities = self.oddities();
        u64::from(oddities.late) + if self.last == 0 { 0 } else { u64::from(oddities.unversioned) }
    }

    /// The versions known to be missing: ranges, both ends included, in rising order.
    pub fn missing(&self) -> &[(u64, u64)] {
        &self.oddities().missing
    }

    /// Where an event stands among the others of its topic: those without a version stand after all that came before them.
    pub fn place(&self, version: Option<u64>) -> u64 {
        version.unwrap_or(self.last)
    }

    /// What an event of that version and id would be. Changes nothing.
    pub fn arrival(&self, version: Option<u64>, event_id: Option<&str>) -> Arrival {
        let Some(version) = version else { return Arrival::Next };
        if version > self.last {
            let missing = version - self.last - 1;
            return if missing == 0 { Arrival::Next } else { Arrival::Gap { missing } };
        }
        if self.missing().iter().any(|(first, last)| (*first..=*last).contains(&version)) {
            return Arrival::Late;
        }
        let known = if self.last - version < REMEMBERED_IDS { self.ids.0[slot(version)] } else { 0 };
        if known != 0 && event_id.is_some_and(|id| fingerprint(id) != known) { Arrival::Conflict } else { Arrival::Duplicate }
    }

    /// Takes an event whose arrival was [`Arrival::Next`], [`Arrival::Gap`] or [`Arrival::Late`].
    pub fn record(&mut self, version: Option<u64>, event_id: Option<&str>) {
        let Some(version) = version else {
            let unversioned = &mut self.oddities_mut().unversioned;
            *unversioned = unversioned.saturating_add(1);
            return;
        };
        if version > self.last {
            self.skip_to(version);
        } else {
            self.oddities_mut().fill(version);
        }
        if self.last - version < REMEMBERED_IDS {
            self.ids.0[slot(version)] = event_id.map_or(0, fingerprint);
        }
    }

    fn skip_to(&mut self, version: u64) {
        let first_missing = self.last + 1;
        if first_missing < version {
            let missing = &mut self.oddities_mut().missing;
            if missing.len() == MAX_GAPS {
                missing.remove(0);
            }
            missing.push((first_missing, version - 1));
            // What these slots hold belongs to versions that fall out of the window.
            for skipped in first_missing.max(version.saturating_sub(REMEMBERED_IDS))..version {
                self.ids.0[slot(skipped)] = 0;
            }
        }
        self.last = version;
    }

    fn oddities(&self) -> &Oddities {
        const NONE: &Oddities = &Oddities { unversioned: 0, late: 0, missing: Vec::new() };
        self.oddities.as_deref().unwrap_or(NONE)
    }

    fn oddities_mut(&mut self) -> &mut Oddities {
        self.oddities.get_or_insert_default()
    }
}

impl Oddities {
    fn fill(&mut self, version: u64) {
        self.late = self.late.saturating_add(1);
        let Some(at) = self.missing.iter().position(|(first, last)| (*first..=*last).contains(&version)) else { return };
        let (first, last) = self.missing.remove(at);
        if version < last {
            self.missing.insert(at, (version + 1, last));
        }
        if first < version {
            self.missing.insert(at, (first, version - 1));
        }
        if self.missing.len() > MAX_GAPS {
            self.missing.remove(0);
        }
    }
}

/// The first version has the first slot, so that the last slots stay empty as long as possible.
fn slot(version: u64) -> usize {
    (version.saturating_sub(1) % REMEMBERED_IDS) as usize
}

/// Empty slots at the end are left out: most orders see a few versions only.
impl Serialize for LastIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used = self.0.iter().rposition(|id| *id != 0).map_or(0, |last| last + 1);
        self.0[..used].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LastIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LastIds, D::Error> {
        struct Ids;
        impl<'de> de::Visitor<'de> for Ids {
            type Value = LastIds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {REMEMBERED_IDS} fingerprints")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<LastIds, A::Error> {
                let mut ids = LastIds::default();
                let mut used = 0;
                while let Some(id) = list.next_element()? {
                    *ids.0.get_mut(used).ok_or_else(|| de::Error::invalid_length(used + 1, &self))? = id;
                    used += 1;
                }
                Ok(ids)
            }
        }
        deserializer.deserialize_seq(Ids)
    }
}

/// A short form of an event's id that is never 0. It is stored, so it must never change.
fn fingerprint(event_id: &str) -> u32 {
    let mut hash: u64 = 0;
    for chunk in event_id.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        // Multiplying by a large odd number spreads each bit upwards; the rotation brings the high ones back down.
        hash = (hash.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    ((hash >> 32) as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(sequence: &mut Sequence, version: u64, id: &str) -> Arrival {
        let arrival = sequence.arrival(Some(version), Some(id));
        if !matches!(arrival, Arrival::Duplicate | Arrival::Conflict) {
            sequence.record(Some(version), Some(id));
        }
        arrival
    }

    #[test]
    fn a_gap_is_remembered_and_filled_once() {
        let mut sequence = Sequence::default();
        let arrivals = [1, 2, 5, 3, 3, 4, 4].map(|version| take(&mut sequence, version, "x"));
        use Arrival::*;
        assert_eq!(arrivals, [Next, Next, Gap { missing: 2 }, Late, Duplicate, Late, Duplicate]);
        assert_eq!((sequence.version(), sequence.unmoved(), sequence.missing()), (5, 2, &[][..]));
    }

    #[test]
    fn the_same_version_under_another_id_is_a_conflict() {
        let mut sequence = Sequence::default();
        for version in 1..=10 {
            take(&mut sequence, version, &format!("event-{version}"));
        }
        assert_eq!(take(&mut sequence, 10, "event-10"), Arrival::Duplicate);
        assert_eq!(take(&mut sequence, 10, "another"), Arrival::Conflict);
        assert_eq!(take(&mut sequence, 3, "another"), Arrival::Conflict);
        assert_eq!(take(&mut sequence, 2, "another"), Arrival::Duplicate, "its id is no longer known");
        assert_eq!(sequence.arrival(Some(10), None), Arrival::Duplicate, "without an id there is nothing to compare");
    }

    #[test]
    fn a_skipped_version_has_no_id_to_conflict_with() {
        let mut sequence = Sequence::default();
        for version in [1, 2, 3, 4, 13, 8] {
            take(&mut sequence, version, &format!("event-{version}"));
        }
        assert_eq!(take(&mut sequence, 12, "event-12"), Arrival::Late);
        assert_eq!(take(&mut sequence, 12, "other"), Arrival::Conflict);
        assert_eq!(take(&mut sequence, 8, "other"), Arrival::Conflict);
        assert_eq!(take(&mut sequence, 4, "other"), Arrival::Duplicate);
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut sequence = Sequence::default();
        for version in (2..1_000).step_by(2) {
            assert_eq!(take(&mut sequence, version, "x"), Arrival::Gap { missing: 1 });
        }
        assert_eq!(sequence.missing().len(), MAX_GAPS);
        assert_eq!(take(&mut sequence, 1, "x"), Arrival::Duplicate, "a gap that was forgotten");
        assert_eq!(take(&mut sequence, u64::MAX, "x"), Arrival::Gap { missing: u64::MAX - 999 });
        for version in (10_000..20_000).step_by(3) {
            assert_eq!(take(&mut sequence, version, "x"), Arrival::Late);
        }
        assert_eq!(sequence.missing().len(), MAX_GAPS);
        assert_eq!(take(&mut sequence, u64::MAX, "x"), Arrival::Duplicate);
        assert_eq!(sequence.next(), None);
    }

    #[test]
    fn events_without_a_version_are_counted() {
        let mut sequence = Sequence::default();
        sequence.record(None, None);
        sequence.record(None, None);
        assert_eq!((sequence.version(), sequence.unmoved(), sequence.next()), (2, 0, Some(3)));
        assert_eq!(take(&mut sequence, 2, "x"), Arrival::Gap { missing: 1 });
        assert_eq!((sequence.version(), sequence.unmoved()), (2, 2));
    }

    #[test]
    fn fingerprints_stay_as_they_are_stored() {
        assert_eq!(fingerprint(""), 1);
        assert_eq!(fingerprint("01960000-0000-7000-8000-000000000001"), FIRST);
        assert_ne!(fingerprint("01960000-0000-7000-8000-000000000002"), FIRST);
    }

    const FIRST: u32 = 0x67e1_3a47;
}
