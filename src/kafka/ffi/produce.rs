//! The calls of a transactional producer.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_vtype_t as Vtype;
use rdkafka::client::Client;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::types::{RDKafka, RDKafkaHeaders, RDKafkaRespErr, RDKafkaTopic, RDKafkaType};
use rdkafka::{ClientConfig, TopicPartitionList};

use super::super::log::{ClientLog, Connections};
use super::{GroupMetadata, NativeClient, NativeError, error_code, millis, take_error, text};
use crate::record::Headers;

/// Makes a producer whose connections are watched: its context's [`Connections`] hear of each change of
/// state, on librdkafka's threads.
pub(in crate::kafka) fn producer_client(config: &ClientConfig, context: ClientLog) -> KafkaResult<Client<ClientLog>> {
    let native = config.create_native_config()?;
    let opaque = Arc::as_ptr(context.connections()) as *mut c_void;
    // SAFETY: `native` is a valid configuration. `opaque` is read by the interceptor as long as the client lives; the client's
    // context holds the `Arc` behind it, and `Client` destroys the native client before it drops its context.
    unsafe {
        rd::rd_kafka_conf_set_events(native.ptr(), rd::RD_KAFKA_EVENT_DR | rd::RD_KAFKA_EVENT_ERROR);
        rd::rd_kafka_conf_interceptor_add_on_new(native.ptr(), c"viewmill".as_ptr(), Some(watch_connections), opaque);
    }
    Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)
}

/// Waits until some broker has answered; asks for no topic. `init_transactions` of a client that has no connection yet tries again
/// half a second later.
pub(in crate::kafka) fn connect(client: &impl NativeClient, timeout: Duration) {
    let mut metadata = ptr::null();
    // SAFETY: what is answered is ours to destroy, and only in case of success.
    unsafe {
        let answer = rd::rd_kafka_metadata(client.native(), 0, ptr::null_mut(), &mut metadata, millis(timeout));
        if error_code(answer).is_none() && !metadata.is_null() {
            rd::rd_kafka_metadata_destroy(metadata);
        }
    }
}

unsafe extern "C" fn watch_connections(
    client: *mut RDKafka,
    _conf: *const rd::rd_kafka_conf_t,
    opaque: *mut c_void,
    _errstr: *mut c_char,
    _errstr_size: usize,
) -> RDKafkaRespErr {
    // SAFETY: called by librdkafka with the client that it is making, before any connection.
    unsafe { rd::rd_kafka_interceptor_add_on_broker_state_change(client, c"viewmill".as_ptr(), Some(connection_changed), opaque) }
}

unsafe extern "C" fn connection_changed(
    _client: *mut RDKafka,
    broker_id: i32,
    _protocol: *const c_char,
    host: *const c_char,
    port: c_int,
    state: *const c_char,
    opaque: *mut c_void,
) -> RDKafkaRespErr {
    // SAFETY: see `producer_client`; the strings are librdkafka's and live as long as the call.
    unsafe {
        let connections = &*(opaque as *const Connections);
        connections.changed(broker_id, &text(host), port, &text(state));
    }
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// A topic that a producer writes to.
pub(in crate::kafka) struct Topic<C: NativeClient> {
    topic: NonNull<RDKafkaTopic>,
    client: Arc<C>,
}

// SAFETY: librdkafka's topics are thread-safe.
unsafe impl<C: NativeClient> Send for Topic<C> {}

impl<C: NativeClient> Topic<C> {
    /// A handle for a topic; `None` when the name cannot be one.
    pub(in crate::kafka) fn new(client: &Arc<C>, name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: the handle is ours to destroy.
        NonNull::new(unsafe { rd::rd_kafka_topic_new(client.native(), name.as_ptr(), ptr::null_mut()) })
            .map(|topic| Topic { topic, client: client.clone() })
    }

    /// The same number as [`Delivery::topic_identity`](super::Delivery::topic_identity).
    pub(in crate::kafka) fn identity(&self) -> usize {
        self.topic.as_ptr() as usize
    }

    /// Copies a record into the producer's queue. Partition -1 leaves the choice to the partitioner, timestamp 0 to the producer.
    pub(in crate::kafka) fn produce(
        &self,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        headers: &Headers,
    ) -> Result<(), RDKafkaErrorCode> {
        let headers = native_headers(headers)?;
        let parts = |part: Option<&[u8]>| part.map_or((ptr::null(), 0), |part| (part.as_ptr(), part.len()));
        let ((key, key_len), (value, value_len)) = (parts(key), parts(value));
        // SAFETY: each tag is followed by what its documentation says; bytes are copied before the call returns; headers pass to
        // librdkafka only on success.
        unsafe {
            let answer = rd::rd_kafka_producev(
                self.client.native(),
                Vtype::RD_KAFKA_VTYPE_RKT,
                self.topic.as_ptr(),
                Vtype::RD_KAFKA_VTYPE_PARTITION,
                partition,
                Vtype::RD_KAFKA_VTYPE_MSGFLAGS,
                rd::RD_KAFKA_MSG_F_COPY,
                Vtype::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                Vtype::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                Vtype::RD_KAFKA_VTYPE_TIMESTAMP,
                timestamp,
                Vtype::RD_KAFKA_VTYPE_HEADERS,
                headers,
                Vtype::RD_KAFKA_VTYPE_END,
            );
            match error_code(answer) {
                None => Ok(()),
                Some(code) => {
                    if !headers.is_null() {
                        rd::rd_kafka_headers_destroy(headers);
                    }
                    Err(code)
                }
            }
        }
    }
}

impl<C: NativeClient> Drop for Topic<C> {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { rd::rd_kafka_topic_destroy(self.topic.as_ptr()) }
    }
}

/// Null for no headers, else a list that is the caller's to pass on or destroy.
fn native_headers(headers: &Headers) -> Result<*mut RDKafkaHeaders, RDKafkaErrorCode> {
    if headers.is_empty() {
        return Ok(ptr::null_mut());
    }
    // SAFETY: names and values are copied.
    unsafe {
        let native = rd::rd_kafka_headers_new(headers.iter().count());
        for header in headers.iter() {
            let (value, len) = header.value.as_deref().map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
            let name = header.name.as_bytes();
            let answer = rd::rd_kafka_header_add(native, name.as_ptr().cast(), name.len() as isize, value.cast(), len as isize);
            if let Some(code) = error_code(answer) {
                rd::rd_kafka_headers_destroy(native);
                return Err(code);
            }
        }
        Ok(native)
    }
}

/// A step of the transactional producer.
pub(in crate::kafka) enum Step<'a> {
    Init,
    Begin,
    SendOffsets(&'a TopicPartitionList, &'a GroupMetadata),
    Commit,
    Abort,
}

/// Takes a step, waiting at most `timeout` (which `Begin` does not need).
pub(in crate::kafka) fn transaction(client: &impl NativeClient, step: Step<'_>, timeout: Duration) -> Result<(), NativeError> {
    let (client, timeout) = (client.native(), millis(timeout));
    // SAFETY: lists and metadata are copied by librdkafka; the error is ours to destroy.
    unsafe {
        let error = match step {
            Step::Init => rd::rd_kafka_init_transactions(client, timeout),
            Step::Begin => rd::rd_kafka_begin_transaction(client),
            Step::SendOffsets(offsets, group) => rd::rd_kafka_send_offsets_to_transaction(client, offsets.ptr(), group.0.as_ptr(), timeout),
            Step::Commit => rd::rd_kafka_commit_transaction(client, timeout),
            Step::Abort => rd::rd_kafka_abort_transaction(client, timeout),
        };
        take_error(error)
    }
}

/// Sends what lingers, and waits at most `timeout` for it. Delivery reports are left in the queue.
pub(in crate::kafka) fn send_now(client: &impl NativeClient, timeout: Duration) {
    // SAFETY: plain call; a time-out is the usual answer.
    unsafe { rd::rd_kafka_flush(client.native(), millis(timeout)) };
}

/// Fails everything that is queued or under way, without waiting: for a client that is about to be dropped.
pub(in crate::kafka) fn purge(client: &impl NativeClient) {
    let flags = rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT | rd::RD_KAFKA_PURGE_F_NON_BLOCKING;
    // SAFETY: plain call with valid flags.
    unsafe { rd::rd_kafka_purge(client.native(), flags) };
}
