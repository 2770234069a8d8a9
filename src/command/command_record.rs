//! A command as it travels.

use super::{Actor, Rejection};
use crate::record::Timestamp;

/// A command with what is told of it. Only the command itself must be known; its key says what it is about.
#[derive(Clone, Debug)]
pub struct CommandRecord<C> {
    /// By which it is known; without one it is known by its place in the log.
    pub command_id: Option<String>,
    /// What it is about, in words: must agree with the record's key.
    pub aggregate_id: Option<String>,
    /// Who waits; told again in the outcome.
    pub request_id: Option<String>,
    /// By which a command that is sent again is known, instead of by its id.
    pub idempotency_key: Option<String>,
    /// Of what was asked: a key that comes again with another digest is reused.
    pub digest: Option<String>,
    /// Who gives it.
    pub actor: Option<Actor>,
    /// The version that the aggregate must have.
    pub expected_version: Option<u64>,
    /// After this time it must not be carried out.
    pub deadline: Option<Timestamp>,
    /// What the whole conversation is known by; else the command's id is.
    pub correlation_id: Option<String>,
    /// What led to it.
    pub causation_id: Option<String>,
    /// When its sender made it; decisions look at the record's time alone.
    pub timestamp: Option<Timestamp>,
    /// What is asked, or why it cannot be: its data is not valid.
    pub command: Result<C, Rejection>,
}

impl<C> CommandRecord<C> {
    /// One of which nothing else is told.
    pub fn new(command: C) -> Self {
        CommandRecord {
            command_id: None,
            aggregate_id: None,
            request_id: None,
            idempotency_key: None,
            digest: None,
            actor: None,
            expected_version: None,
            deadline: None,
            correlation_id: None,
            causation_id: None,
            timestamp: None,
            command: Ok(command),
        }
    }

    /// The key under which its outcome is kept.
    pub(super) fn dedupe_key(&self, command_id: &str) -> String {
        // A key that a client chose never meets an id.
        match &self.idempotency_key {
            Some(key) => format!("key:{key}"),
            None => format!("id:{command_id}"),
        }
    }
}
