//! The `cooperative-sticky` assignor: balanced, keeps what is owned, and never moves a token in one step.
//!
//! A token whose owner shall change is given to nobody in this generation: the owner learns that it must revoke, rejoins without
//! it, and the next generation gives it to its new owner. Ownership is what members claim when they join, so a claim can be out
//! of date; of two claims the one of the higher generation counts.

use std::collections::{BTreeMap, BTreeSet};

/// What a member says that it owns.
pub(super) struct Claim {
    pub(super) member_id: String,
    pub(super) tokens: BTreeSet<i32>,
    /// The generation under which it was given them.
    pub(super) generation: i32,
}

/// Gives each member its tokens of the next generation.
pub(super) fn assign(partitions: i32, claims: &[Claim]) -> BTreeMap<String, BTreeSet<i32>> {
    let owners = owners(partitions, claims);
    let mut targets: Vec<BTreeSet<i32>> = vec![BTreeSet::new(); claims.len()];
    keep_what_is_owned(partitions, &owners, &mut targets);
    let given: BTreeSet<i32> = targets.iter().flatten().copied().collect();
    for token in (0..partitions).filter(|token| !given.contains(token)) {
        let Some(least) = (0..targets.len()).min_by_key(|member| targets[*member].len()) else { break };
        // Counted towards the member's share even if it must wait a generation for it.
        targets[least].insert(token);
    }
    let settled = |member: usize, token: &i32| owners.get(token).is_none_or(|owner| *owner == member);
    claims
        .iter()
        .zip(targets)
        .enumerate()
        .map(|(member, (claim, tokens))| (claim.member_id.clone(), tokens.into_iter().filter(|token| settled(member, token)).collect()))
        .collect()
}

/// Which member owns each token: the claim of the highest generation, nobody when two of one generation contradict each other.
fn owners(partitions: i32, claims: &[Claim]) -> BTreeMap<i32, usize> {
    let mut owners = BTreeMap::new();
    for token in 0..partitions {
        let claiming = || claims.iter().enumerate().filter(|(_, claim)| claim.tokens.contains(&token));
        let Some(newest) = claiming().map(|(_, claim)| claim.generation).max() else { continue };
        let mut of_newest = claiming().filter(|(_, claim)| claim.generation == newest);
        if let (Some((member, _)), None) = (of_newest.next(), of_newest.next()) {
            owners.insert(token, member);
        }
    }
    owners
}

/// Each member keeps its tokens up to its fair share; the larger shares go to those who own most.
fn keep_what_is_owned(partitions: i32, owners: &BTreeMap<i32, usize>, targets: &mut [BTreeSet<i32>]) {
    let members = targets.len();
    if members == 0 {
        return;
    }
    let mut owned = vec![Vec::new(); members];
    owners.iter().for_each(|(token, member)| owned[*member].push(*token));
    let mut by_size: Vec<usize> = (0..members).collect();
    by_size.sort_by_key(|member| std::cmp::Reverse(owned[*member].len()));
    let partitions = usize::try_from(partitions).unwrap_or(0);
    for (rank, member) in by_size.into_iter().enumerate() {
        let share = partitions / members + usize::from(rank < partitions % members);
        targets[member].extend(owned[member].iter().take(share));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(member_id: &str, generation: i32, tokens: &[i32]) -> Claim {
        Claim { member_id: member_id.into(), tokens: tokens.iter().copied().collect(), generation }
    }

    fn given(partitions: i32, claims: &[Claim]) -> Vec<Vec<i32>> {
        let assigned = assign(partitions, claims);
        claims.iter().map(|claim| assigned[&claim.member_id].iter().copied().collect()).collect()
    }

    #[test]
    fn free_tokens_are_spread_evenly() {
        assert_eq!(given(5, &[claim("a", -1, &[]), claim("b", -1, &[])]), [vec![0, 2, 4], vec![1, 3]]);
    }

    #[test]
    fn a_token_that_moves_is_given_to_nobody_first() {
        let first = given(4, &[claim("a", 1, &[0, 1, 2, 3]), claim("b", -1, &[])]);
        assert_eq!(first, [vec![0, 1], vec![]]);
        let second = given(4, &[claim("a", 2, &[0, 1]), claim("b", 2, &[])]);
        assert_eq!(second, [vec![0, 1], vec![2, 3]]);
    }

    #[test]
    fn owned_tokens_stay_where_they_are() {
        assert_eq!(given(4, &[claim("a", 3, &[3]), claim("b", 3, &[0, 1])]), [vec![2, 3], vec![0, 1]]);
    }

    #[test]
    fn the_newer_of_two_claims_counts() {
        assert_eq!(given(2, &[claim("stale", 4, &[0, 1]), claim("new", 6, &[0, 1])]), [vec![], vec![0]]);
    }

    #[test]
    fn no_token_is_given_twice_whatever_is_claimed() {
        for seed in 0..2_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let partitions = rng.i32(0..8);
            let claims: Vec<Claim> = (0..rng.usize(0..5))
                .map(|i| {
                    let tokens: Vec<i32> = (0..rng.i32(0..9)).filter(|_| rng.bool()).collect();
                    claim(&format!("m{i}"), rng.i32(-1..4), &tokens)
                })
                .collect();
            let mut seen = BTreeSet::new();
            let owners = owners(partitions, &claims);
            for (member, tokens) in given(partitions, &claims).into_iter().enumerate() {
                for token in tokens {
                    assert!(seen.insert(token) && (0..partitions).contains(&token), "seed {seed}: token {token}");
                    assert!(owners.get(&token).is_none_or(|owner| *owner == member), "seed {seed}: token {token} moved at once");
                }
            }
        }
    }
}
