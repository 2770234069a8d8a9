//! Where the records of a commit will come to lie, known before Kafka has said so.
//!
//! A marker and what is held tell where the records before them came to lie. Waiting for that costs a round of delivery. But where
//! nobody else writes between two commits of a thread, the next record of a partition comes right behind the mark that ended the last
//! transaction. So a partition in which that was so a few times in a row is relied on, and everything is delivered in one round. When the round
//! has come back, what was foreseen is compared with what came; a transaction with anything untrue in it is not committed.

use std::collections::HashMap;

use crate::ports::Delivered;
use crate::record::{Offset, TopicPartition};

/// How many records of a transaction go to each partition of which it must be known where they lie.
pub(super) type Destinations = HashMap<TopicPartition, i64>;

/// Right so often in a row, a partition is relied on.
const FIRST_NEEDED: u32 = 2;
/// It is needed so many times as often after each time that was relied on and wrong, …
const NEEDED_AFTER_WRONG: u32 = 16;
/// … and this often at the most: others write there.
const MOST_NEEDED: u32 = 4_096;

/// What a thread knows of the partitions that it writes to.
#[derive(Default)]
pub(super) struct Foresight {
    places: HashMap<TopicPartition, Place>,
}

struct Place {
    /// Where its next record comes, if nobody else writes there.
    next: Option<Offset>,
    right_in_a_row: u32,
    needed: u32,
}

impl Place {
    fn last_of(&self, records: i64) -> Option<Offset> {
        self.next.map(|next| Offset(next.0 + records - 1))
    }
}

impl Foresight {
    /// The last offset in each of these partitions, when all of them are relied on.
    pub(super) fn foresee(&self, destinations: &Destinations) -> Option<Delivered> {
        let last = |(partition, records): (&TopicPartition, &i64)| {
            let place = self.places.get(partition).filter(|place| place.right_in_a_row >= place.needed)?;
            Some((partition.clone(), place.last_of(*records)?))
        };
        destinations.iter().map(last).collect()
    }

    /// Compares what was foreseen with what came: where it did not come true, more is needed from now on. True when all of it did.
    pub(super) fn compare(&mut self, foreseen: &Delivered, delivered: &Delivered) -> bool {
        let mut all = true;
        for (partition, offset) in foreseen {
            if delivered.get(partition) == Some(offset) {
                continue;
            }
            all = false;
            if let Some(place) = self.places.get_mut(partition) {
                place.needed = (place.needed * NEEDED_AFTER_WRONG).min(MOST_NEEDED);
                place.right_in_a_row = 0;
            }
        }
        all
    }

    /// A transaction was committed: its mark stands behind the last record in each partition.
    pub(super) fn committed(&mut self, destinations: &Destinations, delivered: &Delivered) {
        for (partition, records) in destinations {
            let Some(last) = delivered.get(partition) else { continue };
            let place = self.places.entry(partition.clone()).or_insert(Place { next: None, right_in_a_row: 0, needed: FIRST_NEEDED });
            place.right_in_a_row = if place.last_of(*records) == Some(*last) { place.right_in_a_row.saturating_add(1) } else { 0 };
            place.next = Some(Offset(last.0 + 2));
        }
    }

    /// Others may have written, or marks stand where none is known of: an abort, another assignment, another producer.
    pub(super) fn forget_places(&mut self) {
        // What is as if it had never been seen need not be kept.
        self.places.retain(|_, place| place.needed > FIRST_NEEDED);
        for place in self.places.values_mut() {
            (place.next, place.right_in_a_row) = (None, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Delivered {
        [(TopicPartition::new("t", 0), Offset(offset))].into()
    }

    fn sent(records: i64) -> Destinations {
        [(TopicPartition::new("t", 0), records)].into()
    }

    /// Commits of one record each, from an offset on, nobody else writing.
    fn commit_alone(foresight: &mut Foresight, from: i64, times: i64) -> i64 {
        (0..times).for_each(|time| foresight.committed(&sent(1), &at(from + 2 * time)));
        from + 2 * times
    }

    #[test]
    fn a_partition_is_relied_on_once_it_was_right_twice_in_a_row() {
        let mut foresight = Foresight::default();
        assert_eq!(foresight.foresee(&sent(1)), None);
        let next = commit_alone(&mut foresight, 10, 2);
        assert_eq!(foresight.foresee(&sent(1)), None, "right once: the first could not be compared");
        let next = commit_alone(&mut foresight, next, 1);
        assert_eq!(foresight.foresee(&sent(5)), Some(at(next + 4)), "five records, the first right behind the mark");
        let other = [(TopicPartition::new("t", 1), 1)];
        assert_eq!(foresight.foresee(&sent(1).into_iter().chain(other).collect()), None, "one of them is not known");
        assert_eq!(foresight.foresee(&Destinations::new()), Some(Delivered::new()), "nothing must be known of where nothing goes");
    }

    #[test]
    fn where_others_write_nothing_is_relied_on() {
        let mut foresight = Foresight::default();
        for time in 0..100 {
            foresight.committed(&sent(1), &at(3 * time));
            assert_eq!(foresight.foresee(&sent(1)), None);
        }
    }

    #[test]
    fn each_time_it_was_wrong_more_is_needed() {
        let mut foresight = Foresight::default();
        let mut next = 0;
        for needed in [2, 32, 512, 4_096, 4_096] {
            next = commit_alone(&mut foresight, next, needed);
            assert_eq!(foresight.foresee(&sent(1)), None, "{needed} commits are right {needed} - 1 times");
            next = commit_alone(&mut foresight, next, 1);
            let foreseen = foresight.foresee(&sent(1)).unwrap();
            assert!(foresight.compare(&foreseen, &at(next)));
            assert!(!foresight.compare(&foreseen, &at(next + 1)));
            // That transaction is undone.
            foresight.forget_places();
            next += 100;
        }
    }

    #[test]
    fn nothing_is_known_after_an_abort() {
        let mut foresight = Foresight::default();
        let next = commit_alone(&mut foresight, 0, 9);
        assert!(foresight.foresee(&sent(1)).is_some());
        foresight.forget_places();
        assert_eq!(foresight.foresee(&sent(1)), None);
        commit_alone(&mut foresight, next + 2, 3);
        assert!(foresight.foresee(&sent(1)).is_some());
    }
}
