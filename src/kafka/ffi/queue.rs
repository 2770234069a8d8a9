//! Queues of a client: taking batches of records, events, and being told that one is no longer empty.

use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::types::{RDKafka, RDKafkaMessage, RDKafkaQueue};

use super::super::readiness::Readiness;
use super::{Event, NativeClient, NativeMessage, millis};

/// A queue of a client.
pub(in crate::kafka) struct Queue<C: NativeClient> {
    queue: NonNull<RDKafkaQueue>,
    /// Keeps what the call-back points to.
    readiness: Option<Arc<Readiness>>,
    client: Arc<C>,
}

// SAFETY: librdkafka's queues are thread-safe.
unsafe impl<C: NativeClient> Send for Queue<C> {}

impl<C: NativeClient> Queue<C> {
    /// A queue for answers, which nothing else fills.
    pub(super) fn new(client: &Arc<C>) -> Option<Self> {
        // SAFETY: the answer is ours to destroy.
        Self::from_native(client, unsafe { rd::rd_kafka_queue_new(client.native()) })
    }

    /// The queue itself, as long as this value lives.
    pub(super) fn native(&self) -> *mut RDKafkaQueue {
        self.queue.as_ptr()
    }

    /// The queue of events: delivery reports, log lines, errors.
    pub(in crate::kafka) fn main(client: &Arc<C>) -> Option<Self> {
        // SAFETY: the answer is ours to destroy.
        Self::from_native(client, unsafe { rd::rd_kafka_queue_get_main(client.native()) })
    }

    /// The queue that a consumer's poll reads.
    pub(in crate::kafka) fn consumer(client: &Arc<C>) -> Option<Self> {
        // SAFETY: as above.
        Self::from_native(client, unsafe { rd::rd_kafka_queue_get_consumer(client.native()) })
    }

    /// The queue of one partition, cut off from the consumer's. Cut it off *before* the partition is assigned: starting a partition
    /// forwards its queue to the consumer's, unless it has been cut off once.
    pub(in crate::kafka) fn partition(client: &Arc<C>, topic: &str, partition: i32) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: as above; forwarding to null cuts the queue off.
        unsafe {
            let queue = Self::from_native(client, rd::rd_kafka_queue_get_partition(client.native(), topic.as_ptr(), partition))?;
            rd::rd_kafka_queue_forward(queue.queue.as_ptr(), ptr::null_mut());
            Some(queue)
        }
    }

    fn from_native(client: &Arc<C>, queue: *mut RDKafkaQueue) -> Option<Self> {
        NonNull::new(queue).map(|queue| Queue { queue, readiness: None, client: client.clone() })
    }

    /// How many entries wait.
    pub(in crate::kafka) fn len(&self) -> usize {
        // SAFETY: a plain getter.
        unsafe { rd::rd_kafka_queue_length(self.queue.as_ptr()) }
    }

    /// Raises `readiness` each time the queue goes from empty to non-empty.
    pub(in crate::kafka) fn wake(&mut self, readiness: Arc<Readiness>) {
        let opaque = Arc::as_ptr(&readiness) as *mut c_void;
        // SAFETY: the call-back runs under the queue's lock, and enabling takes that lock: once this returns, no call-back with
        // the former pointer runs or will run. `self` keeps the new one until drop, which disables the call-back first.
        unsafe { rd::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), Some(raise), opaque) }
        self.readiness = Some(readiness);
    }

    /// Takes at most `max` messages without waiting; `pointers` is scratch space. Messages of an assignment that was given up are
    /// skipped by librdkafka. Fewer than `max` means that the queue was empty.
    pub(in crate::kafka) fn take(&self, max: usize, pointers: &mut Pointers, mut each: impl FnMut(NativeMessage<C>)) -> usize {
        let pointers = &mut pointers.0;
        pointers.clear();
        pointers.reserve(max);
        // SAFETY: there is room for `max` pointers, and librdkafka says how many it wrote; each is ours to destroy.
        unsafe {
            let taken = rd::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, pointers.as_mut_ptr(), max);
            pointers.set_len(usize::try_from(taken).unwrap_or(0));
        }
        for message in pointers.iter() {
            let message = NonNull::new(*message).expect("librdkafka hands out no null messages");
            each(NativeMessage::own(message, self.client.clone()));
        }
        pointers.len()
    }

    /// The next event, waiting at most `timeout`.
    pub(in crate::kafka) fn next_event(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the event is ours to destroy.
        NonNull::new(unsafe { rd::rd_kafka_queue_poll(self.queue.as_ptr(), millis(timeout)) }).map(Event::own)
    }
}

unsafe extern "C" fn raise(_client: *mut RDKafka, opaque: *mut c_void) {
    // SAFETY: see `Queue::wake`.
    unsafe { (*(opaque as *const Readiness)).raise() }
}

impl<C: NativeClient> Drop for Queue<C> {
    fn drop(&mut self) {
        // SAFETY: owned; the fields (what the call-back points to, the client) are dropped after this.
        unsafe {
            if self.readiness.is_some() {
                rd::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            }
            rd::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Scratch space for [`Queue::take`]; empty between calls as far as anybody can tell.
#[derive(Default)]
pub(in crate::kafka) struct Pointers(Vec<*mut RDKafkaMessage>);

// SAFETY: what it holds between calls is never read.
unsafe impl Send for Pointers {}
