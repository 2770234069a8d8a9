//! The group says that another client has a thread's place: its own that came twice, or another process.

use super::moving::Shop;
use crate::ports::Membership as _;
use crate::runtime::step::ThreadError;
use crate::testkit::cluster::{FakeMembership, MemberConfig};

/// Another client joins under the id of the only thread of process `a`.
fn take_the_place(shop: &Shop) -> FakeMembership {
    let (program, id) = (&shop.program, MemberConfig::fixed("late", "a-1"));
    program.cluster.membership(&program.names.application_id, id, &program.names.task_log())
}

#[test]
fn a_member_whose_place_nobody_living_has_joins_anew_and_works_on() {
    let mut shop = Shop::new(7);
    shop.start("a", 1, true);
    shop.until("it takes all tasks", |shop| shop.shares() == Some(vec![5]));
    for _ in 0..3 {
        let mut late = take_the_place(&shop);
        (0..50).for_each(|_| shop.step());
        // It was only a request that came late: nobody lives behind it.
        _ = late.poll(std::time::Duration::ZERO);
        drop(late);
        shop.until("what was its own is not served while nobody knows whose it is", |shop| shop.shares().is_none());
        // The group waits for the one that does not live, for as long as its session lasts.
        for _ in 0..4 {
            (0..150).for_each(|_| shop.step());
        }
        shop.until("it has all tasks again", |shop| shop.shares() == Some(vec![5]));
    }
    shop.quiet = true;
    shop.until("everything is processed, each record once", |shop| shop.last_sums() == shop.sums);
}

#[test]
fn a_member_whose_place_another_process_has_ends_by_name() {
    let mut shop = Shop::new(8);
    shop.start("a", 1, true);
    shop.until("it takes all tasks", |shop| shop.shares() == Some(vec![5]));
    shop.running[0].status.set_rival(true);
    let _other = take_the_place(&shop);
    let ended = (0..500).find_map(|_| shop.try_step().err());
    assert!(matches!(ended, Some(ThreadError::FencedInstance(_))), "{ended:?}");
}
