//! Which faults the fake cluster takes, how likely each is, and the seeded dice that decide.
//!
//! The dice are the only source of randomness in the cluster, so a seed and a sequence of calls give one run. Each fault taken is
//! counted and written to a bounded trace, which a failing simulation prints.

use std::collections::{BTreeMap, VecDeque};

/// How many lines the trace keeps.
const TRACE_LINES: usize = 600;

/// A thing that can go wrong, or merely happen in an inconvenient order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// `send` answers `RequiresAbort`.
    SendRequiresAbort,
    /// `flush` answers `RequiresAbort`.
    FlushRequiresAbort,
    /// `send_offsets` answers `RequiresAbort`.
    OffsetsRequireAbort,
    /// One record's delivery report is an error, though the record may stand in the log.
    DeliveryFailed,
    /// Not an error: `send` puts what is buffered into the log before anybody flushes.
    EarlyDelivery,
    /// `flush` runs out of time with a part delivered.
    FlushTooShort,
    /// Somebody else initialised the transactional id: the producer is fenced.
    ProducerFenced,
    /// `send_offsets` runs out of time; the broker may have taken them.
    OffsetsUnanswered,
    /// `send_offsets` says Ok, and a late copy of it is still under way.
    LateOffsetsCopy,
    /// The end of a transaction is applied, but its caller never hears of it: `Retriable` until it gives up.
    EndAppliedUnanswered,
    /// The request to end a transaction is lost for good: `Retriable` until the caller gives up.
    EndNeverArrives,
    /// The request to end a transaction is under way for long; `Retriable` until it has arrived.
    EndLate,
    /// The end of a transaction says Ok, and a late copy of it is still under way: it ends the next transaction of the same epoch.
    LateEndCopy,
    /// Ending a transaction runs out of time once, before anything is sent.
    EndTooShort,
    /// Beside one of the above: the client does not tell that a connection was lost.
    LossUnseen,
    /// A connection was lost without any further harm.
    ConnectionLost,
    /// `replace` runs out of time, though the epoch is raised.
    ReplaceUnanswered,
    /// The markers of an ended transaction reach their partitions and groups one after the other, some calls later.
    LateMarkers,
    /// The group rebalances for no reason.
    SpontaneousRebalance,
    /// The coordinator forgets a member that is well.
    MemberEvicted,
    /// A JoinGroup is stuck in its connection, up to twice the session time-out; no heartbeat meanwhile.
    JoinHeld,
    /// A member's background thread does nothing in this tick; between two callbacks of one poll it makes the second one late.
    BackgroundStalled,
    /// `committed` answers that the offset is unstable.
    UnstableOffset,
    /// A read or fetch brings nothing though there is something.
    EmptyRead,
    /// A request of the admin or reader, or a `replace`, runs out of time before anything happens.
    CallDelayed,
    /// A data consumer breaks for good.
    ConsumerBroken,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [FaultKind; 26] = [
        FaultKind::SendRequiresAbort,
        FaultKind::FlushRequiresAbort,
        FaultKind::OffsetsRequireAbort,
        FaultKind::DeliveryFailed,
        FaultKind::EarlyDelivery,
        FaultKind::FlushTooShort,
        FaultKind::ProducerFenced,
        FaultKind::OffsetsUnanswered,
        FaultKind::LateOffsetsCopy,
        FaultKind::EndAppliedUnanswered,
        FaultKind::EndNeverArrives,
        FaultKind::EndLate,
        FaultKind::LateEndCopy,
        FaultKind::EndTooShort,
        FaultKind::LossUnseen,
        FaultKind::ConnectionLost,
        FaultKind::ReplaceUnanswered,
        FaultKind::LateMarkers,
        FaultKind::SpontaneousRebalance,
        FaultKind::MemberEvicted,
        FaultKind::JoinHeld,
        FaultKind::BackgroundStalled,
        FaultKind::UnstableOffset,
        FaultKind::EmptyRead,
        FaultKind::CallDelayed,
        FaultKind::ConsumerBroken,
    ];

    /// How likely the kind is at each occasion in [`Faults::chaos`].
    fn chaos(self) -> f64 {
        match self {
            // What an engine on this client cannot survive by itself: for tests that ask for it.
            FaultKind::LossUnseen | FaultKind::ConsumerBroken => 0.0,
            FaultKind::SendRequiresAbort | FaultKind::MemberEvicted => 0.001,
            FaultKind::ProducerFenced => 0.002,
            FaultKind::SpontaneousRebalance => 0.003,
            FaultKind::FlushRequiresAbort | FaultKind::OffsetsRequireAbort | FaultKind::DeliveryFailed => 0.01,
            FaultKind::OffsetsUnanswered | FaultKind::EndAppliedUnanswered | FaultKind::EndNeverArrives | FaultKind::EndLate => 0.01,
            FaultKind::LateOffsetsCopy | FaultKind::LateEndCopy | FaultKind::ConnectionLost => 0.02,
            FaultKind::FlushTooShort | FaultKind::EndTooShort | FaultKind::ReplaceUnanswered | FaultKind::CallDelayed => 0.05,
            FaultKind::UnstableOffset | FaultKind::JoinHeld => 0.05,
            FaultKind::LateMarkers | FaultKind::EmptyRead | FaultKind::BackgroundStalled => 0.2,
            FaultKind::EarlyDelivery => 0.3,
        }
    }
}

/// How likely each kind of fault is at each occasion for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    probabilities: [f64; FaultKind::ALL.len()],
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Faults { probabilities: [0.0; FaultKind::ALL.len()] }
    }

    /// Everything that a right engine survives goes wrong now and then.
    pub fn chaos() -> Self {
        FaultKind::ALL.iter().fold(Faults::none(), |faults, kind| faults.with(*kind, kind.chaos()))
    }

    /// The same with another probability (0 to 1) of one kind.
    pub fn with(mut self, kind: FaultKind, probability: f64) -> Self {
        self.probabilities[kind as usize] = probability;
        self
    }

    /// The same with every probability multiplied.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.probabilities.iter_mut().for_each(|probability| *probability = (*probability * factor).clamp(0.0, 1.0));
        self
    }

    /// How likely a kind is.
    pub fn probability(&self, kind: FaultKind) -> f64 {
        self.probabilities[kind as usize]
    }
}

/// Decides whether a fault is taken, and remembers.
pub(super) struct Dice {
    rng: fastrand::Rng,
    pub(super) faults: Faults,
    taken: BTreeMap<FaultKind, u64>,
    lines: VecDeque<String>,
    /// What the next trace lines begin with.
    pub(super) stamp: String,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice {
            rng: fastrand::Rng::with_seed(seed),
            faults: Faults::none(),
            taken: BTreeMap::new(),
            lines: VecDeque::new(),
            stamp: String::new(),
        }
    }

    /// True when the fault happens now; then it is in the trace under what it hit.
    pub(super) fn take(&mut self, kind: FaultKind, at: &str) -> bool {
        let probability = self.faults.probability(kind);
        let hit = probability > 0.0 && self.rng.f64() < probability;
        if hit {
            *self.taken.entry(kind).or_default() += 1;
            self.note(&format!("fault {kind:?} at {at}"));
        }
        hit
    }

    /// A number from 0 to `most`, both included.
    pub(super) fn up_to(&mut self, most: usize) -> usize {
        self.rng.usize(0..=most)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.rng.bool()
    }

    /// True while any fault is switched on: then orders that Kafka does not promise are drawn instead of fixed.
    pub(super) fn is_wild(&self) -> bool {
        self.faults.probabilities.iter().any(|probability| *probability > 0.0)
    }

    /// Writes a line to the trace.
    pub(super) fn note(&mut self, what: &str) {
        if self.lines.len() == TRACE_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{} {what}", self.stamp));
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    pub(super) fn taken(&self) -> BTreeMap<FaultKind, u64> {
        self.taken.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_probability() {
        for (i, kind) in FaultKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, i, "{kind:?} stands in its place of ALL");
            let faults = Faults::none().with(kind, 0.5);
            for other in FaultKind::ALL {
                assert_eq!(faults.probability(other), if other == kind { 0.5 } else { 0.0 });
            }
        }
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let run = |seed| {
            let mut dice = Dice::new(seed);
            dice.faults = Faults::chaos();
            (0..500).map(|_| dice.take(FaultKind::EmptyRead, "read")).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn the_trace_is_bounded_and_tells_what_was_taken() {
        let mut dice = Dice::new(1);
        dice.faults = Faults::none().with(FaultKind::EmptyRead, 1.0);
        for _ in 0..TRACE_LINES * 2 {
            assert!(dice.take(FaultKind::EmptyRead, "t:0"));
        }
        assert_eq!(dice.lines().len(), TRACE_LINES);
        assert!(dice.lines()[0].contains("EmptyRead at t:0"));
        assert_eq!(dice.taken()[&FaultKind::EmptyRead], TRACE_LINES as u64 * 2);
    }
}
