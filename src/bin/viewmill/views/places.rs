//! The event index of an order: where in the log its events stand, so that its history can be read there and no event is kept twice.
//!
//! Of each topic the offsets in rising order; the partition is the order's own. What is here depends on each topic alone, so the order in
//! which topics are interleaved cannot matter, and a rebuild makes the same index. The bytes are stored with the row:
//!
//! ```text
//!  [orders][payments][parcels], each: count × 2 + (1 if older ones fell out), first offset, then the distance of each to the one before
//! ```
//!
//! Numbers are LEB128; what is empty at the end is left out. An order of eight events takes about twenty bytes.

use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use viewmill::Offset;
use viewmill::codec::{MAX_NUMBER_BYTES, push_number, take_number};

use crate::events::Axis;

/// The most offsets that are kept of a topic; the oldest fall out.
pub const MAX_PLACES: usize = 128;

/// Offsets of events by topic, packed. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Arc<[u8]>);

/// The offsets of one topic, as they are packed.
#[derive(Clone, Copy, Default)]
struct Section<'a> {
    count: usize,
    /// There were older ones.
    cut: bool,
    /// The first offset and the distances.
    body: &'a [u8],
    last: u64,
}

impl Places {
    /// Of an order whose events were not noted from the beginning.
    pub fn unknown() -> Places {
        Places::packed([Section { cut: true, ..Section::default() }; Axis::ALL.len()])
    }

    /// Notes where an event stands. Noting it again changes nothing.
    pub fn note(&mut self, axis: Axis, offset: Offset) {
        let Ok(offset) = u64::try_from(offset.0) else { return };
        let mut sections = self.sections();
        let section = &mut sections[axis as usize];
        let mut body = Vec::with_capacity(section.body.len() + MAX_NUMBER_BYTES);
        if (section.count == 0 || offset > section.last) && section.count < MAX_PLACES {
            body.extend_from_slice(section.body);
            push_number(&mut body, offset - section.last);
            section.count += 1;
        } else {
            let mut offsets: Vec<u64> = section.offsets().collect();
            let Err(at) = offsets.binary_search(&offset) else { return };
            offsets.insert(at, offset);
            let surplus = offsets.len().saturating_sub(MAX_PLACES);
            section.cut |= surplus > 0;
            offsets.drain(..surplus);
            section.count = offsets.len();
            let mut before = 0;
            for offset in offsets {
                push_number(&mut body, offset - before);
                before = offset;
            }
        }
        section.body = &body;
        *self = Places::packed(sections);
    }

    /// The offsets of a topic, in rising order.
    pub fn of(&self, axis: Axis) -> Vec<Offset> {
        self.sections()[axis as usize].offsets().map(|offset| Offset(offset as i64)).collect()
    }

    /// Older events fell out, or were never noted.
    pub fn is_cut(&self) -> bool {
        self.sections().iter().any(|section| section.cut)
    }

    fn packed(sections: [Section<'_>; Axis::ALL.len()]) -> Places {
        let mut bytes = Vec::with_capacity(sections.iter().map(|section| section.body.len() + 2).sum());
        let used = sections.iter().rposition(|section| section.count > 0 || section.cut).map_or(0, |last| last + 1);
        for section in &sections[..used] {
            push_number(&mut bytes, (section.count as u64) << 1 | u64::from(section.cut));
            bytes.extend_from_slice(section.body);
        }
        Places(bytes.into())
    }

    fn sections(&self) -> [Section<'_>; Axis::ALL.len()] {
        split(&self.0).expect("bytes are looked through before they become places")
    }
}

impl Section<'_> {
    fn offsets(&self) -> impl Iterator<Item = u64> {
        let (mut rest, mut offset) = (self.body, 0_u64);
        std::iter::from_fn(move || {
            offset = offset.wrapping_add(take_number(&mut rest)?);
            Some(offset)
        })
    }
}

/// `None` where these are no places, or not in the one form that they have.
fn split(mut bytes: &[u8]) -> Option<[Section<'_>; Axis::ALL.len()]> {
    let mut sections = [Section::default(); Axis::ALL.len()];
    for section in &mut sections {
        if bytes.is_empty() {
            return Some(sections);
        }
        let head = take_number(&mut bytes)?;
        (section.count, section.cut) = (usize::try_from(head >> 1).ok().filter(|count| *count <= MAX_PLACES)?, head & 1 == 1);
        let body = bytes;
        for at in 0..section.count {
            let distance = take_number(&mut bytes).filter(|distance| at == 0 || *distance > 0)?;
            section.last = section.last.checked_add(distance).filter(|offset| *offset <= i64::MAX as u64)?;
        }
        section.body = &body[..body.len() - bytes.len()];
    }
    bytes.is_empty().then_some(sections)
}

impl Serialize for Places {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Places, D::Error> {
        struct PlacesVisitor;
        impl<'de> de::Visitor<'de> for PlacesVisitor {
            type Value = Places;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the packed places of events")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Places, E> {
                split(bytes).ok_or_else(|| E::invalid_value(de::Unexpected::Bytes(bytes), &self))?;
                Ok(Places(bytes.into()))
            }
            /// JSON has no bytes, but lists of them.
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Places, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = list.next_element()? {
                    bytes.push(byte);
                }
                self.visit_bytes(&bytes)
            }
        }
        deserializer.deserialize_bytes(PlacesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use viewmill::codec::{decode_body, encode_body};

    use super::*;

    fn noted(list: &[(Axis, i64)]) -> Places {
        let mut places = Places::default();
        list.iter().for_each(|(axis, offset)| places.note(*axis, Offset(*offset)));
        places
    }

    fn bytes_of(places: &Places) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_body(places, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn places_have_these_bytes() {
        // In rows on disk and in changelogs: a change here needs a new schema version of the row.
        assert_eq!(bytes_of(&Places::default()), [0]);
        assert_eq!(bytes_of(&Places::unknown()), [3, 1, 1, 1]);
        let life = noted(&[(Axis::Order, 117), (Axis::Payment, 0), (Axis::Order, 300), (Axis::Order, 301)]);
        assert_eq!(bytes_of(&life), [7, 6, 117, 183, 1, 1, 2, 0]);
        assert_eq!(bytes_of(&noted(&[(Axis::Shipping, i64::MAX)])).len(), 1 + 3 + 9);
    }

    #[test]
    fn the_oldest_fall_out_and_that_is_remembered() {
        let mut places = noted(&[(Axis::Payment, 3)]);
        for offset in 0..MAX_PLACES as i64 {
            places.note(Axis::Order, Offset(offset * 1_000));
        }
        assert!(!places.is_cut());
        places.note(Axis::Order, Offset(1_000_000));
        let offsets = places.of(Axis::Order);
        assert_eq!((offsets.len(), offsets[0], offsets[MAX_PLACES - 1]), (MAX_PLACES, Offset(1_000), Offset(1_000_000)));
        assert_eq!((places.is_cut(), places.of(Axis::Payment)), (true, vec![Offset(3)]));
        assert!(bytes_of(&places).len() < 300);
        assert!(Places::unknown().is_cut());
    }

    fn axis() -> impl Strategy<Value = Axis> {
        prop::sample::select(Axis::ALL.to_vec())
    }

    /// So many bytes make a place of a partition with a million records.
    fn list() -> impl Strategy<Value = Vec<(Axis, i64)>> {
        prop::collection::vec((axis(), prop_oneof![0..1_000_000_i64, any::<u64>().prop_map(|offset| (offset >> 1) as i64)]), 0..400)
    }

    proptest! {
        #[test]
        fn what_was_noted_is_found_whatever_the_order_of_the_topics(list in list()) {
            let places = noted(&list);
            let mut by_topic = list.clone();
            by_topic.sort_by_key(|(axis, _)| *axis as usize);
            prop_assert_eq!(&places, &noted(&by_topic));
            for axis in Axis::ALL {
                let mut offsets: Vec<Offset> = list.iter().filter(|(of, _)| *of == axis).map(|(_, offset)| Offset(*offset)).collect();
                offsets.sort();
                offsets.dedup();
                let surplus = offsets.len().saturating_sub(MAX_PLACES);
                prop_assert_eq!(places.of(axis), &offsets[surplus..]);
                prop_assert!(surplus == 0 || places.is_cut());
            }
            let back: Places = decode_body(&bytes_of(&places)).unwrap();
            prop_assert_eq!(&back, &places);
            let json = serde_json::to_string(&places).unwrap();
            prop_assert_eq!(serde_json::from_str::<Places>(&json).unwrap(), places);
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_mean_what_they_say(bytes: Vec<u8>) {
            let mut row = Vec::new();
            encode_body(&bytes, &mut row).unwrap();
            if let Ok(places) = decode_body::<Places>(&row) {
                let mut more = places.clone();
                Axis::ALL.into_iter().for_each(|axis| more.note(axis, Offset(7)));
                prop_assert!(Axis::ALL.into_iter().all(|axis| places.of(axis).len() <= MAX_PLACES));
            }
        }
    }
}
