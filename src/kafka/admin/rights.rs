//! What a user may do with a topic or a group, as the broker tells it.

use std::fmt;

/// An operation that Kafka's ACLs allow or deny. The numbers are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Of a topic: fetch. Of a group: join and commit. Includes `Describe`.
    Read = 3,
    /// Produce. Includes `Describe`.
    Write = 4,
    /// Make it.
    Create = 5,
    /// Add partitions.
    Alter = 7,
    /// See it.
    Describe = 8,
    /// Read its settings.
    DescribeConfigs = 10,
}

impl fmt::Display for Right {
    /// As Kafka's tools write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Kafka's numbers; `None` when the broker does not tell.
    operations: Option<Vec<i32>>,
}

impl Rights {
    /// From Kafka's numbers.
    pub(super) fn new(operations: Option<Vec<i32>>) -> Self {
        Rights { operations }
    }

    /// Nothing at all.
    pub fn none() -> Self {
        Rights { operations: Some(Vec::new()) }
    }

    /// Those of `needed` that are missing. What the broker does not tell counts as allowed.
    pub fn missing(&self, needed: &[Right]) -> Vec<Right> {
        const ALL: i32 = 2;
        let Some(operations) = &self.operations else { return Vec::new() };
        let allowed = |right: Right| operations.iter().any(|number| *number == right as i32 || *number == ALL);
        needed.iter().copied().filter(|right| !allowed(*right)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rights_are_told_only_where_the_broker_tells_what_is_allowed() {
        let needed = [Right::Read, Right::Write];
        assert_eq!(Rights::new(Some(vec![3, 8])).missing(&needed), [Right::Write]);
        assert_eq!(Rights::none().missing(&needed), needed);
        assert!(Rights::new(Some(vec![2])).missing(&needed).is_empty());
        assert!(Rights::new(None).missing(&needed).is_empty());
    }

    #[test]
    fn rights_are_named_as_in_kafkas_tools() {
        assert_eq!(Right::DescribeConfigs.to_string(), "DescribeConfigs");
    }
}
