//! Nearly all `unsafe` of the crate: what librdkafka can do and rdkafka's safe interface cannot.
//!
//! Contract: every native handle holds an `Arc` of the client that it belongs to, so that no handle outlives its client, and each
//! is destroyed exactly once, on drop. No function here keeps a pointer to memory of its caller, save where it says how that
//! memory is kept alive: a queue's call-back ([`Queue::wake`]) and a client's ([`consumer_client`], [`producer_client`]). Nothing here interprets what it finds.
#![allow(unsafe_code)]

mod consume;
mod describe;
mod event;
mod message;
mod offsets;
mod produce;
mod queue;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::slice;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::admin::AdminClient;
use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafka, RDKafkaConsumerGroupMetadata, RDKafkaRespErr};

pub(super) use self::consume::{assign, commit, committed, consumer_client, unassign};
pub(super) use self::describe::{Patience, describe_group, describe_topics};
pub(super) use self::event::{Delivery, Event};
pub(super) use self::message::NativeMessage;
pub(super) use self::offsets::delete_offsets;
pub(super) use self::produce::{Step, Topic, connect, producer_client, purge, send_now, transaction};
pub(super) use self::queue::{Pointers, Queue};

/// A client of librdkafka.
///
/// # Safety
/// `native` must answer the same valid client as long as the value lives.
pub(super) unsafe trait NativeClient: Send + Sync + 'static {
    /// The client itself.
    fn native(&self) -> *mut RDKafka;
}

// SAFETY: each owns its client until it is dropped.
unsafe impl<C: ClientContext + 'static> NativeClient for Client<C> {
    fn native(&self) -> *mut RDKafka {
        self.native_ptr()
    }
}

// SAFETY: as above.
unsafe impl<C: ConsumerContext + 'static> NativeClient for BaseConsumer<C> {
    fn native(&self) -> *mut RDKafka {
        self.client().native_ptr()
    }
}

// SAFETY: as above.
unsafe impl<C: ClientContext + 'static> NativeClient for AdminClient<C> {
    fn native(&self) -> *mut RDKafka {
        self.inner().native_ptr()
    }
}

/// The version of the linked librdkafka.
pub(super) fn version() -> String {
    // SAFETY: a static string.
    unsafe { text(rd::rd_kafka_version_str()) }
}

/// The member id that the group's coordinator gave, empty outside of the group.
pub(super) fn member_id(client: &impl NativeClient) -> String {
    // SAFETY: the id is ours to free.
    unsafe {
        let id = rd::rd_kafka_memberid(client.native());
        let copy = text(id);
        if !id.is_null() {
            rd::rd_kafka_mem_free(client.native(), id.cast());
        }
        copy
    }
}

/// Start and high watermark of a log as the last fetch response carried them, negative when none came yet. Asks no broker.
pub(super) fn cached_watermarks(client: &impl NativeClient, topic: &str, partition: i32) -> Option<(i64, i64)> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: plain out-parameters.
    let answer = unsafe { rd::rd_kafka_get_watermark_offsets(client.native(), topic.as_ptr(), partition, &mut low, &mut high) };
    (answer == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then_some((low, high))
}

/// The group's metadata at one moment.
pub(super) struct GroupMetadata(NonNull<RDKafkaConsumerGroupMetadata>);

// SAFETY: never changed after it was made.
unsafe impl Send for GroupMetadata {}
unsafe impl Sync for GroupMetadata {}

impl GroupMetadata {
    /// Takes the metadata as they are now.
    pub(super) fn capture(client: &impl NativeClient) -> Option<Self> {
        // SAFETY: the answer is ours to destroy.
        NonNull::new(unsafe { rd::rd_kafka_consumer_group_metadata(client.native()) }).map(GroupMetadata)
    }

    pub(super) fn member_id(&self) -> String {
        // SAFETY: the string belongs to the metadata.
        unsafe { text(rd::rd_kafka_consumer_group_metadata_member_id(self.0.as_ptr())) }
    }

    pub(super) fn generation_id(&self) -> i32 {
        // SAFETY: a plain getter.
        unsafe { rd::rd_kafka_consumer_group_metadata_generation_id(self.0.as_ptr()) }
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { rd::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}

/// What a call failed with.
#[derive(Debug)]
pub(super) struct NativeError {
    pub(super) code: RDKafkaErrorCode,
    pub(super) text: String,
    pub(super) is_fatal: bool,
    pub(super) is_retriable: bool,
    pub(super) requires_abort: bool,
}

/// # Safety
/// `error` is null or an error that is ours to destroy.
unsafe fn take_error(error: *mut rd::rd_kafka_error_t) -> Result<(), NativeError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: by contract.
    unsafe {
        let answer = NativeError {
            code: RDKafkaErrorCode::from(rd::rd_kafka_error_code(error)),
            text: text(rd::rd_kafka_error_string(error)),
            is_fatal: rd::rd_kafka_error_is_fatal(error) != 0,
            is_retriable: rd::rd_kafka_error_is_retriable(error) != 0,
            requires_abort: rd::rd_kafka_error_txn_requires_abort(error) != 0,
        };
        rd::rd_kafka_error_destroy(error);
        Err(answer)
    }
}

fn error_code(answer: RDKafkaRespErr) -> Option<RDKafkaErrorCode> {
    (answer != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| answer.into())
}

/// Whole milliseconds, upwards: rounding down would turn a short wait into none.
fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
}

/// # Safety
/// `start` is null or a string that ends with a nul and lives as long as the call.
unsafe fn text(start: *const c_char) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: by contract.
    unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned()
}

/// # Safety
/// `start` is null or `len` bytes that live as long as `'a`.
unsafe fn bytes<'a>(start: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: by contract.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast(), len) })
}
