//! Counts of orders by status. All statuses are always there, and the total is their sum by construction.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::order_status::OrderStatus;

/// How many orders have each status; in JSON an object with all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByStatus([u64; OrderStatus::ALL.len()]);

impl ByStatus {
    /// How many have that status.
    pub fn get(&self, status: OrderStatus) -> u64 {
        self.0[status as usize]
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Counts one more; false when there are too many to count.
    #[must_use]
    pub fn increment(&mut self, status: OrderStatus) -> bool {
        let counted = self.0[status as usize].checked_add(1);
        counted.map(|count| self.0[status as usize] = count).is_some()
    }

    /// Counts one less; false when there was none.
    #[must_use]
    pub fn decrement(&mut self, status: OrderStatus) -> bool {
        let counted = self.0[status as usize].checked_sub(1);
        counted.map(|count| self.0[status as usize] = count).is_some()
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: &ByStatus) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count = count.saturating_add(more));
    }
}

impl Serialize for ByStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_map(OrderStatus::ALL.map(|status| (status, self.get(status)))),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ByStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByStatus, D::Error> {
        if deserializer.is_human_readable() {
            let counts = BTreeMap::<OrderStatus, u64>::deserialize(deserializer)?;
            return Ok(ByStatus(OrderStatus::ALL.map(|status| counts.get(&status).copied().unwrap_or(0))));
        }
        Deserialize::deserialize(deserializer).map(ByStatus)
    }
}
