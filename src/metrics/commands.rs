//! Commands that were asked for here.

use prometheus::{IntCounterVec, IntGauge};

use super::registration::Registration;

/// How a command was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandResult {
    /// It was carried out.
    Succeeded,
    /// It was decided that it is not.
    Rejected,
    /// It was decided before, and the same is answered.
    Replayed,
    /// It is in the log; its outcome did not come in time, or nobody waits for it.
    Pending,
    /// It was not written: too many wait, it is too large, or outcomes are not heard of.
    Refused,
    /// Kafka has not said whether it has it.
    Unconfirmed,
}

const RESULTS: [&str; 6] = ["succeeded", "rejected", "replayed", "pending", "refused", "unconfirmed"];

/// Commands that were asked for here, wherever they are decided.
#[derive(Clone)]
pub struct CommandMetrics {
    commands: IntCounterVec,
    waiting: IntGauge,
}

impl CommandMetrics {
    pub(super) fn new(on: &Registration<'_>) -> Self {
        CommandMetrics {
            commands: on.counter_table("viewmill_commands_total", "Commands that were asked for here.", &["command", "result"]),
            waiting: on.gauge("viewmill_commands_waiting", "Commands whose outcomes are waited for here."),
        }
    }

    /// A command of this type was answered.
    pub fn answered(&self, command: &'static str, result: CommandResult) {
        self.commands.with_label_values(&[command, RESULTS[result as usize]]).inc();
    }

    /// One more waits.
    pub fn wait(&self) {
        self.waiting.inc();
    }

    /// One no longer waits.
    pub fn end_wait(&self) {
        self.waiting.dec();
    }
}
