//! A message that was consumed, read where librdkafka put it.

use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafkaMessage, RDKafkaRespErr};

use super::{NativeClient, bytes, error_code, text};
use crate::record::{Header, Headers};

/// A message in librdkafka's memory: a record, an end of partition or an error. Keeps its client alive.
pub(in crate::kafka) struct NativeMessage<C: NativeClient> {
    message: NonNull<RDKafkaMessage>,
    _client: Arc<C>,
}

// SAFETY: a message belongs to whoever holds it. It is not `Sync`: reading headers parses them in place.
unsafe impl<C: NativeClient> Send for NativeMessage<C> {}

impl<C: NativeClient> NativeMessage<C> {
    /// Takes over a message that is ours to destroy.
    pub(in crate::kafka) fn own(message: NonNull<RDKafkaMessage>, client: Arc<C>) -> Self {
        NativeMessage { message, _client: client }
    }

    fn fields(&self) -> &RDKafkaMessage {
        // SAFETY: valid until drop.
        unsafe { self.message.as_ref() }
    }

    /// `None` for a record.
    pub(in crate::kafka) fn error(&self) -> Option<RDKafkaErrorCode> {
        error_code(self.fields().err)
    }

    pub(in crate::kafka) fn offset(&self) -> i64 {
        self.fields().offset
    }

    pub(in crate::kafka) fn key(&self) -> Option<&[u8]> {
        // SAFETY: librdkafka's memory, valid until drop.
        unsafe { bytes(self.fields().key, self.fields().key_len) }
    }

    /// The value of a record, the text of an error.
    pub(in crate::kafka) fn payload(&self) -> Option<&[u8]> {
        // SAFETY: as above.
        unsafe { bytes(self.fields().payload, self.fields().len) }
    }

    /// Milliseconds since the epoch, -1 when the record has none.
    pub(in crate::kafka) fn timestamp(&self) -> i64 {
        // SAFETY: the kind of time is not asked for.
        unsafe { rd::rd_kafka_message_timestamp(self.message.as_ptr(), ptr::null_mut()) }
    }

    pub(in crate::kafka) fn headers(&self) -> Headers {
        let mut list = Vec::new();
        // SAFETY: headers belong to the message; parsing in place is sound since a message is not shared between threads.
        unsafe {
            let mut native = ptr::null_mut();
            if rd::rd_kafka_message_headers(self.message.as_ptr(), &mut native) == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
                while rd::rd_kafka_header_get_all(native, list.len(), &mut name, &mut value, &mut size)
                    == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
                {
                    list.push(Header { name: text(name), value: bytes(value, size).map(<[u8]>::to_vec) });
                }
            }
        }
        Headers::new(list)
    }
}

impl<C: NativeClient> Drop for NativeMessage<C> {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { rd::rd_kafka_message_destroy(self.message.as_ptr()) }
    }
}
