//! What librdkafka reports by itself: delivery reports, log lines, errors.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use rdkafka::bindings as rd;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafkaEvent, RDKafkaTopic};

use super::super::log::ClientLog;
use super::{error_code, text};

/// Something that librdkafka reports.
pub(in crate::kafka) struct Event(NonNull<RDKafkaEvent>);

/// What became of one record that was produced.
pub(in crate::kafka) struct Delivery {
    topic: NonNull<RDKafkaTopic>,
    /// The partition it went to.
    pub(in crate::kafka) partition: i32,
    /// Where it stands, negative when Kafka did not say.
    pub(in crate::kafka) offset: i64,
    /// Why it failed.
    pub(in crate::kafka) error: Option<RDKafkaErrorCode>,
}

impl Delivery {
    /// Tells topics apart cheaply, as long as handles to them live.
    pub(in crate::kafka) fn topic_identity(&self) -> usize {
        self.topic.as_ptr() as usize
    }
}

impl Event {
    /// Takes over an event that is ours to destroy.
    pub(in crate::kafka) fn own(event: NonNull<RDKafkaEvent>) -> Self {
        Event(event)
    }

    /// The event itself, as long as this value lives.
    pub(super) fn native(&self) -> *mut RDKafkaEvent {
        self.0.as_ptr()
    }

    /// Hands over each delivery report of the event; a report is not to be kept.
    pub(in crate::kafka) fn deliveries(&self, mut each: impl FnMut(&Delivery)) {
        // SAFETY: messages belong to the event; other kinds of events have none.
        unsafe {
            if rd::rd_kafka_event_type(self.0.as_ptr()) != rd::RD_KAFKA_EVENT_DR {
                return;
            }
            while let Some(message) = rd::rd_kafka_event_message_next(self.0.as_ptr()).as_ref() {
                each(&Delivery {
                    topic: NonNull::new(message.rkt).expect("a produced message has a topic"),
                    partition: message.partition,
                    offset: message.offset,
                    error: error_code(message.err),
                });
            }
        }
    }

    /// True for a record, which only the queue of its partition should hold.
    pub(in crate::kafka) fn is_record(&self) -> bool {
        // SAFETY: a plain getter.
        unsafe { rd::rd_kafka_event_type(self.0.as_ptr()) == rd::RD_KAFKA_EVENT_FETCH }
    }

    /// What the event says went wrong.
    pub(in crate::kafka) fn error(&self) -> Option<RDKafkaErrorCode> {
        // SAFETY: a plain getter.
        error_code(unsafe { rd::rd_kafka_event_error(self.0.as_ptr()) })
    }

    /// Passes a log line or an error on; other events are left alone.
    pub(in crate::kafka) fn tell(&self, log: &ClientLog) {
        let event = self.0.as_ptr();
        // SAFETY: strings belong to the event.
        unsafe {
            match rd::rd_kafka_event_type(event) {
                rd::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                    if rd::rd_kafka_event_log(event, &mut facility, &mut line, &mut level) == 0 {
                        log.line(log_level(level), text(facility).trim(), text(line).trim());
                    }
                }
                rd::RD_KAFKA_EVENT_ERROR => {
                    let code = RDKafkaErrorCode::from(rd::rd_kafka_event_error(event));
                    log.complaint(code, &text(rd::rd_kafka_event_error_string(event)));
                }
                _ => {}
            }
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

fn log_level(level: c_int) -> RDKafkaLogLevel {
    match level {
        0..=3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 | 6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}
