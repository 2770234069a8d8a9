//! What a reader asks besides the rows, and what an answer tells besides them.

use std::sync::Arc;
use std::time::Duration;

use super::After;
use crate::record::Position;
use crate::state::Direction;

/// Names an instance in answers (`Served-By`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceId(pub Arc<str>);

/// In which role the answering instance held the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It runs the task.
    Active,
}

impl Role {
    /// As in the header `Served-From`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Active => "active",
        }
    }
}

/// Of which partitions a read over all partitions tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Of all; a read that cannot reach one of them has no answer.
    #[default]
    All,
    /// Of those that can be read on this instance.
    Local,
}

/// How a reader wants to be answered.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// For reads over all partitions.
    pub scope: Scope,
    /// What the answer must show; `None`: whatever is there.
    pub after: Option<After>,
}

/// An answer, and how fresh it is.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// The state that it was read from; of all partitions that were read.
    pub position: Position,
    /// The age of the oldest record that this state has not seen; `None` when unknown.
    pub lag: Option<Duration>,
    /// Who answered.
    pub served_by: InstanceId,
    /// In which role.
    pub served_from: Role,
    /// It does not show all that the read asked for, and the reader takes that.
    pub stale: bool,
}

impl<T> Answer<T> {
    /// The same answer with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        let Answer { value, position, lag, served_by, served_from, stale } = self;
        Answer { value: change(value), position, lag, served_by, served_from, stale }
    }
}

/// Which part of many rows is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many rows: 1 to [`Page::MAX_LIMIT`].
    pub limit: usize,
    /// Where the page before ended ([`Slice::next`]); `None` for the first.
    pub cursor: Option<String>,
    /// In which order the rows come.
    pub direction: Direction,
}

impl Page {
    /// The most rows of one page.
    pub const MAX_LIMIT: usize = 500;

    /// The first page of so many rows, the smallest keys first.
    pub fn first(limit: usize) -> Self {
        Page { limit, cursor: None, direction: Direction::Forward }
    }

    /// The page that begins where another one ended.
    pub fn at(limit: usize, cursor: Option<String>) -> Self {
        Page { limit, cursor, direction: Direction::Forward }
    }
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<K, V> {
    /// Keys and rows in the order of the index or of the keys.
    pub rows: Vec<(K, V)>,
    /// The cursor of the next page; `None`: there are no more rows.
    pub next: Option<String>,
}
