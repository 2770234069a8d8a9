//! The ports of [`crate::ports`] on librdkafka: the only folder that names rdkafka.
//!
//! ```text
//! KafkaMembership      subscribes to the task log only; who holds which token, under which generation
//! KafkaDataConsumer    plain assign of source partitions, one queue each, batches
//! KafkaProducer        one transactional producer a stream thread
//! KafkaChangelogReader task log, changelogs and stable offsets; on restore threads. Also single records of sources, for readers
//! KafkaRecordSender    commands, outside of transactions
//! KafkaTopicFollower   what became of them, as it comes
//! KafkaAdmin           topics and the cluster's id; at start, and for `check --online`
//! ```
//!
//! What rdkafka's safe interface lacks (offsets of end-of-partition, generations, batches, cached watermarks, the fate of
//! connections) lives in `ffi.rs`, which has nearly all `unsafe` of the crate. `error.rs` holds the one table from Kafka's error codes to
//! what must follow from them.

// Deadlines here are those of calls over the network: they pass by the machine's clock, whatever a test's clock says.
#![allow(clippy::disallowed_methods)]

mod admin;
mod changelog_reader;
mod data_consumer;
mod deliveries;
mod error;
mod exact_list;
mod ffi;
mod log;
mod membership;
mod producer;
mod readiness;
mod record_sender;
mod record_writer;
mod settings;
mod topic_follower;

pub use admin::{BrokerAddress, GroupMember, KafkaAdmin, Right, Rights, TopicAccess, TopicRefusal, may_use_transactional_ids};
pub use changelog_reader::KafkaChangelogReader;
pub use data_consumer::{KafkaDataConsumer, KafkaMessage};
pub use membership::KafkaMembership;
pub use producer::KafkaProducer;
pub use record_sender::KafkaRecordSender;
pub use record_writer::RecordWriter;
pub use settings::{KafkaSettings, reserved_property};
pub use topic_follower::KafkaTopicFollower;

/// The version of the librdkafka that is linked in, such as `2.12.1`.
pub fn librdkafka_version() -> String {
    ffi::version()
}

/// The ports of one stream thread, for the runtime.
pub struct KafkaPorts;

impl crate::ports::ThreadPorts for KafkaPorts {
    type Membership = KafkaMembership;
    type Data = KafkaDataConsumer;
    type Producer = KafkaProducer;
}
