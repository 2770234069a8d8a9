//! Tasks that nobody has, although the group is at rest.
//!
//! A member that is static and dies between giving tasks up and rejoining comes back with the assignment that it had, and the second half
//! of that rebalance never comes: librdkafka's coordinator protocol waits for a rejoin that nobody owes any more. So the members
//! watch for tasks without an owner, and one of them leaves the group and joins again, which makes the group share out all tasks.

use std::collections::BTreeSet;
use std::time::Duration;

use super::MemberRow;
use crate::topology::TaskId;

/// So long a task may be without an owner: longer than a rebalance takes. The claims of one that died count for as long as the group waits
/// for it.
pub const ORPHANED_AFTER: Duration = Duration::from_secs(6);

/// So often a rejoin is tried for the same tasks. If it does not help, another version of the program may hold their tokens idle.
const MAX_REJOINS: u32 = 3;

/// Watches for tasks without an owner.
pub struct Orphans {
    tasks: BTreeSet<TaskId>,
    /// Since when some are without an owner.
    since: Option<Duration>,
    rejoins: u32,
}

impl Orphans {
    /// Watches these tasks.
    pub fn new(tasks: impl IntoIterator<Item = TaskId>) -> Self {
        Orphans { tasks: tasks.into_iter().collect(), since: None, rejoins: 0 }
    }

    /// Looks at the living members; true when this instance is the one that must leave and join again now. `settled`: its own threads
    /// have their assignments, and nothing is being restored. `now` is monotonic.
    pub fn look(&mut self, settled: bool, members: &[MemberRow], now: Duration) -> bool {
        if !settled {
            self.since = None;
            return false;
        }
        let owned: BTreeSet<&TaskId> = members.iter().flat_map(|member| member.tasks.iter().map(|task| &task.task)).collect();
        if self.tasks.iter().all(|task| owned.contains(task)) {
            (self.since, self.rejoins) = (None, 0);
            return false;
        }
        let since = *self.since.get_or_insert(now);
        // Each would do; one is enough.
        let first = members.iter().min_by(|a, b| a.instance.0.cmp(&b.instance.0)).is_some_and(|first| first.is_self);
        if !first || self.rejoins == MAX_REJOINS || now < since + ORPHANED_AFTER {
            return false;
        }
        self.since = Some(now);
        self.rejoins += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::InstanceId;

    fn task(partition: i32) -> TaskId {
        TaskId { subtopology: "events".into(), partition }
    }

    fn member(name: &str, partitions: &[i32], is_self: bool) -> MemberRow {
        let owned = |partition: &i32| {
            let task = serde_json::json!({"task": task(*partition), "role": "active", "state": "restoring", "since": 0});
            serde_json::from_value(task).expect("as members publish it")
        };
        MemberRow {
            instance: InstanceId(name.into()),
            url: "http://127.0.0.1:1".into(),
            version: "1".into(),
            tasks: partitions.iter().map(owned).collect(),
            last_seen: None,
            is_self,
        }
    }

    #[test]
    fn a_task_that_stays_without_an_owner_makes_the_first_member_join_again() {
        let at = Duration::from_secs;
        for (is_first, others) in [(true, "b"), (false, "0")] {
            let mut orphans = Orphans::new((0..3).map(task));
            let whole = [member("a", &[0, 1], true), member(others, &[2], false)];
            let partly = [member("a", &[0], true), member(others, &[2], false)];
            assert!(!orphans.look(true, &whole, at(1)) && !orphans.look(true, &partly, at(2)) && !orphans.look(true, &partly, at(7)));
            assert!(!orphans.look(true, &whole, at(7)), "a rebalance is over in time");
            assert!(!orphans.look(true, &partly, at(7)) && !orphans.look(false, &partly, at(8)), "nor does one that is not over count");
            assert!(!orphans.look(true, &partly, at(8)) && !orphans.look(true, &partly, at(13)));
            assert_eq!(orphans.look(true, &partly, at(14)), is_first);
            assert!(!orphans.look(true, &partly, at(15)), "the rejoin is given its time");
            let rejoins = (16..100).filter(|second| orphans.look(true, &partly, at(*second))).count();
            assert_eq!(rejoins, if is_first { 2 } else { 0 }, "it does not go on for ever");
        }
    }
}
