//! Races for the ownership of a token, each made to happen by a proxy or a failpoint: first with a rule of delivery broken on purpose,
//! which must be seen to give wrong data, then with all rules kept.

mod committing;
mod growing;
mod joining;
mod moving;
mod proxy;
pub mod scene;

use scene::Members;

/// Runs a race with static and with dynamic members, at the same time.
fn both_kinds(race: fn(Members)) {
    std::thread::scope(|scope| {
        for members in [Members::Static, Members::Dynamic] {
            scope.spawn(move || race(members));
        }
    });
}
