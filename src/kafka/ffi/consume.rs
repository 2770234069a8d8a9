//! The calls of a consumer that is assigned by us.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::types::{RDKafka, RDKafkaRespErr, RDKafkaType};
use rdkafka::{ClientConfig, TopicPartitionList};

use super::super::log::ClientLog;
use super::{NativeClient, NativeError, Queue, error_code, millis, take_error, text};

/// Makes a consumer that never subscribes. Its events are read from [`Queue::consumer`](super::Queue::consumer).
///
/// Some errors of a partition, such as its topic being gone, are no messages: librdkafka tells them by a call-back while the
/// partition's queue is read, and the context keeps the last one ([`ClientLog::take_queue_error`]).
pub(in crate::kafka) fn consumer_client(config: &ClientConfig, context: ClientLog) -> KafkaResult<Client<ClientLog>> {
    let native = config.create_native_config()?;
    // SAFETY: `native` is a valid configuration; for the call-back's opaque see `queue_failed`.
    unsafe {
        rd::rd_kafka_conf_set_events(native.ptr(), rd::RD_KAFKA_EVENT_ERROR);
        rd::rd_kafka_conf_set_error_cb(native.ptr(), Some(queue_failed));
    }
    let client = Client::new(config, native, RDKafkaType::RD_KAFKA_CONSUMER, context)?;
    // SAFETY: a new consumer.
    unsafe { rd::rd_kafka_poll_set_consumer(client.native_ptr()) };
    Ok(client)
}

unsafe extern "C" fn queue_failed(_client: *mut RDKafka, code: c_int, reason: *const c_char, opaque: *mut c_void) {
    // SAFETY: `Client` sets its context as the opaque and keeps it until the native client is gone; the string lives as long as
    // the call.
    unsafe {
        let code = RDKafkaRespErr::try_from(code).map_or(RDKafkaErrorCode::Unknown, RDKafkaErrorCode::from);
        (*(opaque as *const ClientLog)).note_queue_error(code, text(reason));
    }
}

/// Adds partitions, each with an offset to start at.
pub(in crate::kafka) fn assign(client: &impl NativeClient, partitions: &TopicPartitionList) -> Result<(), NativeError> {
    // SAFETY: the list is copied; the error is ours.
    unsafe { take_error(rd::rd_kafka_incremental_assign(client.native(), partitions.ptr())) }
}

/// Gives partitions up. When this returns, nothing that was fetched for them is handed out any more.
pub(in crate::kafka) fn unassign(client: &impl NativeClient, partitions: &TopicPartitionList) -> Result<(), NativeError> {
    // SAFETY: as above.
    unsafe { take_error(rd::rd_kafka_incremental_unassign(client.native(), partitions.ptr())) }
}

/// Commits offsets as a member of the client's group, under the generation in which it is when it sends them. Waits at most `timeout` for
/// the answer; without one they may still be committed later.
pub(in crate::kafka) fn commit<C: NativeClient>(
    client: &Arc<C>,
    partitions: &TopicPartitionList,
    timeout: Duration,
) -> Result<(), RDKafkaErrorCode> {
    // One queue a commit: an answer that comes after the time is over finds nobody, and is not taken for that of the next.
    let Some(answers) = Queue::new(client) else { return Err(RDKafkaErrorCode::CriticalSystemResource) };
    // SAFETY: the list is copied; the answer goes to the queue, which librdkafka keeps for as long as it needs it.
    let asked = unsafe { rd::rd_kafka_commit_queue(client.native(), partitions.ptr(), answers.native(), None, std::ptr::null_mut()) };
    error_code(asked).map_or(Ok(()), Err)?;
    match answers.next_event(timeout) {
        Some(event) => event.error().map_or(Ok(()), Err),
        None => Err(RDKafkaErrorCode::OperationTimedOut),
    }
}

/// Fills in the group's committed offsets; an element can carry an error of its own.
pub(in crate::kafka) fn committed(
    client: &impl NativeClient,
    partitions: &mut TopicPartitionList,
    timeout: Duration,
) -> Result<(), RDKafkaErrorCode> {
    // SAFETY: the list is ours alone.
    let answer = unsafe { rd::rd_kafka_committed(client.native(), partitions.ptr(), millis(timeout)) };
    error_code(answer).map_or(Ok(()), Err)
}
