//! Asking other instances how far the outputs of their tasks are. How a question travels is for others to say.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::record::Position;
use crate::topology::TaskId;

/// How far are the outputs of a task, once it has come as far as the token says?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerQuestion {
    /// Whom to ask, without a slash at the end.
    pub url: Arc<str>,
    /// Of which task.
    pub task: TaskId,
    /// As text.
    pub token: String,
    /// How long the answer may take.
    pub wait: Duration,
}

/// Why an instance did not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerFault {
    /// Its task has not come so far in time.
    Behind,
    /// It cannot be asked, or says something else; in words.
    Failed(String),
}

/// The outputs, or why they are not known.
pub type PeerAnswer = Pin<Box<dyn Future<Output = Result<Position, PeerFault>> + Send>>;

/// Carries questions to other instances. Cheap to clone; by default nobody can be asked.
#[derive(Clone)]
pub struct Peers(Arc<dyn Fn(PeerQuestion) -> PeerAnswer + Send + Sync>);

impl Peers {
    /// Asks by `carry`, whose answer comes within the question's time or is an error.
    pub fn new(carry: impl Fn(PeerQuestion) -> PeerAnswer + Send + Sync + 'static) -> Self {
        Peers(Arc::new(carry))
    }

    /// Asks.
    pub fn ask(&self, question: PeerQuestion) -> PeerAnswer {
        (self.0)(question)
    }
}

impl Default for Peers {
    fn default() -> Self {
        Peers::new(|_| Box::pin(async { Err(PeerFault::Failed("other instances cannot be asked from here".to_string())) }))
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peers")
    }
}
