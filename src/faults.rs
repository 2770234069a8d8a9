//! Faults on purpose, for tests: named points at which a process can be stopped, and rules of delivery that can be broken.
//!
//! Normal builds have none of this: without the feature `faults` a point is an empty function and no rule is ever broken, both known
//! when compiling. With it, `FAILPOINTS` (in the words of the crate `fail`) says what happens at a point, and `VIEWMILL_SABOTAGE`
//! names the rule to break:
//!
//! ```text
//! FAILPOINTS='commit-offsets-sent=5*off->return(kill)'     kill -9 of the own process when the point is reached the sixth time
//! FAILPOINTS='commit-markers-sent=1*sleep(20000)'          the thread hangs there once, for 20 s
//! VIEWMILL_SABOTAGE=take-fresh-generation                  see [`Sabotage`]
//! VIEWMILL_FAULTS_SESSION_TIMEOUT_MS=2000                  see [`number`]; so a test need not wait for as long as a user
//! ```

/// A rule that is broken on purpose. Each must be found by a test that passes when the rule is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Rows reach the database before Kafka has committed.
    ApplyBeforeCommit,
    /// After an abort the working sets stay.
    KeepRowsOnAbort,
    /// Tasks stay open though a generation was missed.
    KeepTasksOverMissedGeneration,
    /// After a commit whose fate is unknown the tasks go on as if it had been aborted.
    TakeIndefiniteForAborted,
    /// After an abort the sources are read on, not again.
    ForgetToSeek,
    /// The outputs of a record are sent in the wrong order.
    ReverseOutputs,
    /// The changelog is not told of deleted rows.
    DropTombstones,
    /// The marker names the last record that was processed, not the next.
    NameLastRecord,
    /// After an abort the stream time stays.
    KeepStreamTimeOnAbort,
    /// The rows of a record at fault are not undone.
    KeepRowsOfPoison,
    /// The outputs of a record at fault are sent.
    KeepOutputsOfPoison,
    /// Index rows do not follow their rows.
    ForgetIndexes,
    /// A commit whose fate is unknown is taken for a yes, and local state that is ahead is wiped later.
    TakeIndefiniteForCommitted,
    /// Tasks stay open though their tokens were lost.
    KeepLostTokens,
    /// A producer is kept though late copies of its requests may be under way.
    KeepSuspectProducer,
    /// The committed offset is the marker's own, not the one after it.
    CommitOffsetOfMarker,
    /// The marker at the committed offset counts, also when later ones follow.
    TrustCommittedOffset,
    /// Local state that is behind is used as it is.
    UseStaleState,
    /// A restore says that all rows are there, and reads none.
    RestoreNothing,
    /// Local state that is behind is wiped and restored.
    WipeOnCatchUp,
    /// A start that must be refused is taken for a first one.
    StartAnyway,
    /// Once its generation was refused, a member never begins a transaction again.
    StayRefused,
    /// A stop leaves the group without ending the open transaction.
    LeaveOpenTransaction,
    /// Offsets are committed under the generation that librdkafka has at that moment, not the one captured with the assignment.
    TakeFreshGeneration,
    /// A changelog whose stable end lies below the marker's offset counts as torn, though an open transaction only holds it back.
    TakeStableEndForEnd,
    /// The end of a commit is awaited for as long as it takes.
    CommitWithoutDeadline,
    /// Without transactions: the group hears of a commit before the databases have it.
    CommitOffsetsBeforeRows,
    /// Without transactions: a task goes on though somebody else writes to its logs.
    IgnoreOtherWriters,
    /// Without transactions: rows that nobody finished stay in the changelog.
    LeaveUnfinishedRows,
    /// Rows are written without transactions behind a marker that was written under them.
    AnnounceNothing,
    /// Where records came to lie is not compared with what was foreseen.
    TrustForesight,
    /// A marker tells of the outputs of its own commit alone.
    ForgetOutputs,
    /// Outcomes are told before they are committed.
    TellBeforeCommit,
    /// A command is decided on the state alone, without the events that have not come back.
    ForgetUnreadEvents,
    /// A command that was decided is decided again.
    ForgetSeenCommands,
    /// After a reset commands are read from the beginning.
    ForgetPlaceInCommands,
    /// After a reset commands go on at their place, before the events of the time before were read again.
    DecideBeforeTheReplay,
}

impl Sabotage {
    /// All of them, with their names.
    pub const ALL: &[(&str, Sabotage)] = &[
        ("apply-before-commit", Sabotage::ApplyBeforeCommit),
        ("keep-rows-on-abort", Sabotage::KeepRowsOnAbort),
        ("keep-tasks-over-missed-generation", Sabotage::KeepTasksOverMissedGeneration),
        ("take-indefinite-for-aborted", Sabotage::TakeIndefiniteForAborted),
        ("forget-to-seek", Sabotage::ForgetToSeek),
        ("reverse-outputs", Sabotage::ReverseOutputs),
        ("drop-tombstones", Sabotage::DropTombstones),
        ("name-last-record", Sabotage::NameLastRecord),
        ("keep-stream-time-on-abort", Sabotage::KeepStreamTimeOnAbort),
        ("keep-rows-of-poison", Sabotage::KeepRowsOfPoison),
        ("keep-outputs-of-poison", Sabotage::KeepOutputsOfPoison),
        ("forget-indexes", Sabotage::ForgetIndexes),
        ("take-indefinite-for-committed", Sabotage::TakeIndefiniteForCommitted),
        ("keep-lost-tokens", Sabotage::KeepLostTokens),
        ("keep-suspect-producer", Sabotage::KeepSuspectProducer),
        ("commit-offset-of-marker", Sabotage::CommitOffsetOfMarker),
        ("trust-committed-offset", Sabotage::TrustCommittedOffset),
        ("use-stale-state", Sabotage::UseStaleState),
        ("restore-nothing", Sabotage::RestoreNothing),
        ("wipe-on-catch-up", Sabotage::WipeOnCatchUp),
        ("start-anyway", Sabotage::StartAnyway),
        ("stay-refused", Sabotage::StayRefused),
        ("leave-open-transaction", Sabotage::LeaveOpenTransaction),
        ("take-fresh-generation", Sabotage::TakeFreshGeneration),
        ("take-stable-end-for-end", Sabotage::TakeStableEndForEnd),
        ("commit-without-deadline", Sabotage::CommitWithoutDeadline),
        ("commit-offsets-before-rows", Sabotage::CommitOffsetsBeforeRows),
        ("ignore-other-writers", Sabotage::IgnoreOtherWriters),
        ("leave-unfinished-rows", Sabotage::LeaveUnfinishedRows),
        ("announce-nothing", Sabotage::AnnounceNothing),
        ("trust-foresight", Sabotage::TrustForesight),
        ("forget-outputs", Sabotage::ForgetOutputs),
        ("tell-before-commit", Sabotage::TellBeforeCommit),
        ("forget-unread-events", Sabotage::ForgetUnreadEvents),
        ("forget-seen-commands", Sabotage::ForgetSeenCommands),
        ("forget-place-in-commands", Sabotage::ForgetPlaceInCommands),
        ("decide-before-the-replay", Sabotage::DecideBeforeTheReplay),
    ];
}

/// Which rule is broken; by default, and always in normal builds, none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sabotaged {
    #[cfg(any(test, feature = "faults"))]
    rule: Option<Sabotage>,
}

impl Sabotaged {
    /// Breaks a rule.
    #[cfg(any(test, feature = "faults"))]
    pub fn by(rule: Sabotage) -> Self {
        Sabotaged { rule: Some(rule) }
    }

    /// What `VIEWMILL_SABOTAGE` says. In normal builds that variable means nothing.
    ///
    /// # Panics
    /// On an unknown name: a test that breaks nothing would prove nothing.
    pub fn from_environment() -> Self {
        #[cfg(feature = "faults")]
        if let Ok(name) = std::env::var("VIEWMILL_SABOTAGE") {
            let known = Sabotage::ALL.iter().find(|(known, _)| *known == name);
            let (_, rule) = known.unwrap_or_else(|| panic!("VIEWMILL_SABOTAGE: {name} is no rule that can be broken"));
            tracing::error!(name, "a rule is broken on purpose");
            return Sabotaged { rule: Some(*rule) };
        }
        Sabotaged::default()
    }

    /// Whether this rule is broken.
    #[inline]
    pub fn is(self, rule: Sabotage) -> bool {
        #[cfg(any(test, feature = "faults"))]
        return self.rule == Some(rule);
        #[cfg(not(any(test, feature = "faults")))]
        {
            let _ = rule;
            false
        }
    }
}

/// What a test sets where nobody else may: `VIEWMILL_FAULTS_<NAME>`, a number. Always `None` in normal builds.
///
/// # Panics
/// When it is no number.
pub fn number(name: &str) -> Option<u32> {
    #[cfg(feature = "faults")]
    return std::env::var(format!("VIEWMILL_FAULTS_{name}")).ok().map(|text| text.parse().expect("VIEWMILL_FAULTS_… is a number"));
    #[cfg(not(feature = "faults"))]
    {
        let _ = name;
        None
    }
}

/// A named point of the program at which a test may stop it.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(feature = "faults")]
    points::reach(name);
    #[cfg(not(feature = "faults"))]
    let _ = name;
}

/// Whether a test wants a refusal here: `FAILPOINTS='commit-refused=1*return(refuse)'`.
#[inline]
pub fn refuses(name: &'static str) -> bool {
    #[cfg(feature = "faults")]
    return points::refuses(name);
    #[cfg(not(feature = "faults"))]
    {
        let _ = name;
        false
    }
}

/// Reads `FAILPOINTS`; what it says holds until the value is dropped.
#[cfg(feature = "faults")]
pub fn points_from_environment() -> impl Sized {
    fail::FailScenario::setup()
}

#[cfg(feature = "faults")]
mod points {
    use std::process::{Command, id};
    use std::time::Duration;

    pub(super) fn reach(name: &'static str) {
        fail::fail_point!(name, |action| match action.as_deref() {
            Some("kill") => kill(name),
            other => panic!("FAILPOINTS: {name} knows no return({})", other.unwrap_or_default()),
        });
    }

    pub(super) fn refuses(name: &'static str) -> bool {
        fail::fail_point!(name, |action| action.as_deref() == Some("refuse"));
        false
    }

    /// As the kernel does it: nothing is unwound, flushed or told to anybody.
    #[allow(clippy::disallowed_methods)]
    fn kill(name: &str) {
        eprintln!("failpoint {name}: kill -9");
        let _ = Command::new("kill").args(["-9", &id().to_string()]).status();
        std::thread::sleep(Duration::from_secs(60));
    }
}
