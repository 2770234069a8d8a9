//! All that the engine asks of Kafka, as traits ("ports").
//!
//! Two things stand behind each port: [`crate::kafka`] on librdkafka, and the fake cluster in [`crate::testkit`]. The loop in
//! `runtime/step/` knows only these traits, so the commit cycle, fencing, the start decision and restore run step by step from
//! a seed. No call here blocks longer than the time it is given, and every failure says what must follow from it
//! ([`PortErrorClass`]).

mod admin;
mod changelog_reader;
mod cluster_facts;
mod command_log;
mod data_consumer;
mod error;
mod membership;
mod producer;

pub use admin::{Admin, NewTopic, TopicInfo};
pub use changelog_reader::{ChangelogReader, Chunk, EachRow, Located, LogBounds, LogRecord, Reached};
pub use cluster_facts::ClusterFacts;
pub use command_log::{Delivery, FollowedRecord, RecordSender, TopicFollower};
pub use data_consumer::{DataConsumer, Fetched, InputMessage, Wake};
pub use error::{PortError, PortErrorClass};
pub use membership::{Generation, Membership, MembershipEvent};
pub use producer::{Delivered, TransactionalProducer};

/// The ports of one stream thread.
pub trait ThreadPorts {
    /// The group consumer.
    type Membership: Membership;
    /// The consumer of source partitions.
    type Data: DataConsumer;
    /// The producer with the thread's transactional id.
    type Producer: TransactionalProducer;
}
