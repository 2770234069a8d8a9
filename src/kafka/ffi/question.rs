//! Questions of administration: each has its options and a queue of its own for the answer.

use std::ffi::c_char;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafkaAdminOptions, RDKafkaQueue};

use super::{Event, NativeClient, NativeError, Queue, error_code, millis, take_error, text};

/// How long a question may take, and when to give it up before.
pub(in crate::kafka) struct Patience<'a> {
    pub(in crate::kafka) timeout: Duration,
    /// Asked a few times a second.
    pub(in crate::kafka) is_over: &'a dyn Fn() -> bool,
}

/// How often [`Patience::is_over`] is asked.
const SLICE: Duration = Duration::from_millis(50);
/// librdkafka ends a question itself; this is for its answer to get here.
const GRACE: Duration = Duration::from_millis(500);

/// What is asked of a client. Calls copy its options, and librdkafka keeps the queue for as long as it needs it.
pub(super) struct Question<C: NativeClient> {
    options: Options,
    queue: Queue<C>,
    deadline: Instant,
}

impl<C: NativeClient> Question<C> {
    pub(super) fn new(client: &Arc<C>, operation: Operation, patience: &Patience<'_>) -> Result<Self, NativeError> {
        let queue = Queue::new(client).ok_or_else(unexpected)?;
        let options = Options::new(&**client, operation, patience.timeout)?;
        Ok(Question { options, queue, deadline: Instant::now() + patience.timeout + GRACE })
    }

    /// Its options, as long as this value lives.
    pub(super) fn options(&self) -> *mut RDKafkaAdminOptions {
        self.options.0.as_ptr()
    }

    /// Where its answer is to be put.
    pub(super) fn queue(&self) -> *mut RDKafkaQueue {
        self.queue.native()
    }

    /// Waits for the answer.
    pub(super) fn answer(&self, patience: &Patience<'_>) -> Result<Event, NativeError> {
        loop {
            if let Some(event) = self.queue.next_event(SLICE) {
                // SAFETY: the event lives; its string belongs to it.
                let (code, said) =
                    unsafe { (rd::rd_kafka_event_error(event.native()), text(rd::rd_kafka_event_error_string(event.native()))) };
                return match error_code(code) {
                    None => Ok(event),
                    Some(code) => Err(failed(code, said)),
                };
            }
            if (patience.is_over)() || Instant::now() >= self.deadline {
                return Err(failed(RDKafkaErrorCode::OperationTimedOut, "no answer".to_owned()));
            }
        }
    }
}

/// Asks, and waits for the answer.
pub(super) fn answer<C: NativeClient>(
    client: &Arc<C>,
    operation: Operation,
    patience: &Patience<'_>,
    ask: impl FnOnce(*mut RDKafkaAdminOptions, *mut RDKafkaQueue),
) -> Result<Event, NativeError> {
    let question = Question::new(client, operation, patience)?;
    ask(question.options(), question.queue());
    question.answer(patience)
}

struct Options(NonNull<RDKafkaAdminOptions>);

impl Options {
    fn new(client: &impl NativeClient, operation: Operation, timeout: Duration) -> Result<Self, NativeError> {
        // SAFETY: the options are ours to destroy; an error of a setting is taken over.
        unsafe {
            let options = NonNull::new(rd::rd_kafka_AdminOptions_new(client.native(), operation)).map(Options).ok_or_else(unexpected)?;
            let mut said = [0 as c_char; 256];
            let native = options.0.as_ptr();
            let refused = rd::rd_kafka_AdminOptions_set_request_timeout(native, millis(timeout), said.as_mut_ptr(), said.len());
            if let Some(code) = error_code(refused) {
                return Err(failed(code, text(said.as_ptr())));
            }
            if matches!(operation, Operation::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS | Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS) {
                take_error(rd::rd_kafka_AdminOptions_set_include_authorized_operations(native, 1))?;
            }
            Ok(options)
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { rd::rd_kafka_AdminOptions_destroy(self.0.as_ptr()) }
    }
}

/// # Safety
/// `error` is null or an error that lives as long as the call.
pub(super) unsafe fn code_of(error: *const rd::rd_kafka_error_t) -> Option<RDKafkaErrorCode> {
    if error.is_null() {
        return None;
    }
    // SAFETY: by contract.
    error_code(unsafe { rd::rd_kafka_error_code(error) })
}

pub(super) fn failed(code: RDKafkaErrorCode, text: String) -> NativeError {
    NativeError { code, text, is_fatal: false, is_retriable: false, requires_abort: false }
}

pub(super) fn unexpected() -> NativeError {
    failed(RDKafkaErrorCode::Fail, "librdkafka gave no answer".to_owned())
}
