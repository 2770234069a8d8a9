//! The rules that must hold after every step, by name.

use std::fmt;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    NoLoss,
    NoDouble,
    Order,
    Fold,
    NothingLeftOpen,
    Answers,
    Forward,
    Progress,
    Whole,
    OneOwner,
    Offsets,
    Positions,
    NoWipe,
    StopsByName,
}

impl Rule {
    pub(super) const ALL: [Rule; 14] = [
        Rule::NoLoss,
        Rule::NoDouble,
        Rule::Order,
        Rule::Fold,
        Rule::NothingLeftOpen,
        Rule::Answers,
        Rule::Forward,
        Rule::Progress,
        Rule::Whole,
        Rule::OneOwner,
        Rule::Offsets,
        Rule::Positions,
        Rule::NoWipe,
        Rule::StopsByName,
    ];

    pub(super) fn says(self) -> &'static str {
        match self {
            Rule::NoLoss => "no loss: every record before the marker has its outputs",
            Rule::NoDouble => "no double: no record has its outputs twice, nor before its marker",
            Rule::Order => "order kept: outputs come in the order of the input",
            Rule::Fold => "the changelog is the fold of the input up to the marker, and so are the outputs",
            Rule::NothingLeftOpen => "no transaction is left open",
            Rule::Answers => "an answer is the state at the position that it carries",
            Rule::Forward => "positions never go back for a reader of one instance",
            Rule::Progress => "after the heal everything is processed within a bound",
            Rule::Whole => "a task is served only at a committed marker, and not before it is restored",
            Rule::OneOwner => "a task has one owner: one history of markers, committed by who holds the token",
            Rule::Offsets => "the committed offset points at the last marker",
            Rule::Positions => "markers and held records tell how far their task's outputs are: not less, and no more than is committed",
            Rule::NoWipe => "a crash wipes nothing: state that was kept is used as it is or catches up",
            Rule::StopsByName => "who cannot be right stops with a named error, and only then",
        }
    }
}

/// A rule that does not hold.
#[derive(Debug)]
pub(super) struct Broken {
    pub rule: Rule,
    what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}\n  {}", self.rule.says(), self.what)
    }
}

pub(super) type Kept = Result<(), Broken>;

/// Which rules are judged: all, or one alone, which shows that it can find a fault by itself.
#[derive(Clone, Copy)]
pub(super) struct Judge {
    pub only: Option<Rule>,
}

impl Judge {
    pub(super) fn broken(self, rule: Rule, what: impl FnOnce() -> String) -> Kept {
        match self.only {
            Some(only) if only != rule => Ok(()),
            _ => Err(Broken { rule, what: what() }),
        }
    }

    /// Breaks the rule unless it holds.
    pub(super) fn check(self, holds: bool, rule: Rule, what: impl FnOnce() -> String) -> Kept {
        if holds { Ok(()) } else { self.broken(rule, what) }
    }
}
