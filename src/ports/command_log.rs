//! What accepts commands asks of Kafka: to write records outside of transactions, and to follow a topic from its end on.

use std::time::Duration;

use super::PortError;
use crate::record::{Headers, Offset, OutputRecord};

/// Called once, on any thread: where the record came to lie, when all replicas in sync have it; or why nobody knows that they have.
pub type Delivery = Box<dyn FnOnce(Result<Offset, PortError>) + Send>;

/// Writes records, each once however often it has to be sent.
pub trait RecordSender: Send + Sync {
    /// Hands over one record; it is copied. Never waits: where there is no room it says so at once.
    fn send(&self, record: &OutputRecord<'_>, done: Delivery);
}

/// A record of a topic that is followed.
#[derive(Clone, Copy, Debug)]
pub struct FollowedRecord<'a> {
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a Headers,
}

/// Reads what comes into all partitions of a topic, committed records only.
pub trait TopicFollower: Send {
    /// Waits at most so long for records, and calls `each` with those that have come.
    ///
    /// # Errors
    /// Records may have been passed over: a follower that failed is to be made anew.
    fn follow(&mut self, at_most: Duration, each: &mut dyn FnMut(FollowedRecord<'_>)) -> Result<(), PortError>;
}
