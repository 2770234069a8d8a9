//! What the cluster tells of topics and groups by name, and what the asking user may do with each.

use std::ffi::{CString, c_char};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafkaAdminOptions, RDKafkaQueue};

use super::{Event, NativeClient, NativeError, Queue, error_code, millis, take_error, text};

/// A topic or a group, as it was described.
pub(in crate::kafka) struct Description {
    pub(in crate::kafka) name: String,
    /// Why nothing is told of it.
    pub(in crate::kafka) error: Option<RDKafkaErrorCode>,
    /// Of a topic.
    pub(in crate::kafka) partitions: usize,
    /// Of a topic, as Kafka's tools write it; `None` when the brokers give none.
    pub(in crate::kafka) id: Option<String>,
    /// Of a group: each member as client id and host.
    pub(in crate::kafka) members: Vec<(String, String)>,
    /// Kafka's numbers of the operations that are allowed; `None` when the broker does not tell.
    pub(in crate::kafka) operations: Option<Vec<i32>>,
}

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

/// Describes topics, each named once. Makes none.
pub(in crate::kafka) fn describe_topics<C: NativeClient>(
    client: &Arc<C>,
    names: &[&str],
    patience: &Patience<'_>,
) -> Result<Vec<Description>, NativeError> {
    let names = Names::new(names)?;
    let ask = |options: *mut RDKafkaAdminOptions, queue: *mut RDKafkaQueue| {
        let mut pointers = names.pointers();
        // SAFETY: the collection copies the names and is destroyed once; the call copies what it is given.
        unsafe {
            let topics = rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            rd::rd_kafka_DescribeTopics(client.native(), topics, options, queue);
            rd::rd_kafka_TopicCollection_destroy(topics);
        }
    };
    let event = answer(client, Operation::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, patience, ask)?;
    // SAFETY: what the getters answer belongs to the event, which lives to the end.
    unsafe {
        let mut count = 0;
        let result = rd::rd_kafka_event_DescribeTopics_result(event.native());
        if result.is_null() {
            return Err(unexpected());
        }
        let found = rd::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        let topics = (0..count).filter_map(|at| (*found.add(at)).as_ref()).map(|topic| {
            let (mut partitions, mut operations) = (0, 0);
            rd::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
            let allowed = rd::rd_kafka_TopicDescription_authorized_operations(topic, &mut operations);
            Description {
                name: text(rd::rd_kafka_TopicDescription_name(topic)),
                error: code_of(rd::rd_kafka_TopicDescription_error(topic)),
                partitions,
                id: id_of(rd::rd_kafka_TopicDescription_topic_id(topic)),
                members: Vec::new(),
                operations: numbers(allowed, operations),
            }
        });
        Ok(topics.collect())
    }
}

/// Describes a group. Does not join it.
pub(in crate::kafka) fn describe_group<C: NativeClient>(
    client: &Arc<C>,
    group: &str,
    patience: &Patience<'_>,
) -> Result<Description, NativeError> {
    let names = Names::new(&[group])?;
    let ask = |options: *mut RDKafkaAdminOptions, queue: *mut RDKafkaQueue| {
        let mut pointers = names.pointers();
        // SAFETY: the call copies what it is given.
        unsafe { rd::rd_kafka_DescribeConsumerGroups(client.native(), pointers.as_mut_ptr(), pointers.len(), options, queue) }
    };
    let event = answer(client, Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, patience, ask)?;
    // SAFETY: as above.
    unsafe {
        let mut count = 0;
        let result = rd::rd_kafka_event_DescribeConsumerGroups_result(event.native());
        if result.is_null() {
            return Err(unexpected());
        }
        let found = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
        let Some(group) = (count == 1).then(|| (*found).as_ref()).flatten() else { return Err(unexpected()) };
        let mut operations = 0;
        let allowed = rd::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &mut operations);
        Ok(Description {
            name: text(rd::rd_kafka_ConsumerGroupDescription_group_id(group)),
            error: code_of(rd::rd_kafka_ConsumerGroupDescription_error(group)),
            partitions: 0,
            id: None,
            members: members_of(group),
            operations: numbers(allowed, operations),
        })
    }
}

/// Asks, and waits for the answer on a queue of its own.
pub(super) fn answer<C: NativeClient>(
    client: &Arc<C>,
    operation: Operation,
    patience: &Patience<'_>,
    ask: impl FnOnce(*mut RDKafkaAdminOptions, *mut RDKafkaQueue),
) -> Result<Event, NativeError> {
    let queue = Queue::new(client).ok_or_else(unexpected)?;
    let options = Options::new(&**client, operation, patience.timeout)?;
    ask(options.0.as_ptr(), queue.native());
    let deadline = Instant::now() + patience.timeout + GRACE;
    loop {
        if let Some(event) = queue.next_event(SLICE) {
            // SAFETY: the event lives; its string belongs to it.
            let (code, said) = unsafe { (rd::rd_kafka_event_error(event.native()), text(rd::rd_kafka_event_error_string(event.native()))) };
            return match error_code(code) {
                None => Ok(event),
                Some(code) => Err(failed(code, said)),
            };
        }
        if (patience.is_over)() || Instant::now() >= deadline {
            return Err(failed(RDKafkaErrorCode::OperationTimedOut, "no answer".to_owned()));
        }
    }
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

/// Names as C has them.
struct Names(Vec<CString>);

impl Names {
    fn new(names: &[&str]) -> Result<Self, NativeError> {
        let names: Result<_, _> = names.iter().map(|name| CString::new(*name)).collect();
        names.map(Names).map_err(|_| failed(RDKafkaErrorCode::InvalidArgument, "a name holds a nul".to_owned()))
    }

    fn pointers(&self) -> Vec<*const c_char> {
        self.0.iter().map(|name| name.as_ptr()).collect()
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

/// # Safety
/// `id` is null or an id that lives as long as the call.
unsafe fn id_of(id: *const rd::rd_kafka_Uuid_t) -> Option<String> {
    // SAFETY: by contract; the text belongs to the id. Brokers without ids give zeros.
    unsafe {
        let is_given =
            !id.is_null() && (rd::rd_kafka_Uuid_most_significant_bits(id), rd::rd_kafka_Uuid_least_significant_bits(id)) != (0, 0);
        is_given.then(|| text(rd::rd_kafka_Uuid_base64str(id)))
    }
}

/// # Safety
/// `group` is a description that lives as long as the call.
unsafe fn members_of(group: *const rd::rd_kafka_ConsumerGroupDescription_t) -> Vec<(String, String)> {
    // SAFETY: by contract; members and their texts belong to the description.
    unsafe {
        let members = (0..rd::rd_kafka_ConsumerGroupDescription_member_count(group))
            .filter_map(|at| rd::rd_kafka_ConsumerGroupDescription_member(group, at).as_ref());
        let described =
            |member| (text(rd::rd_kafka_MemberDescription_client_id(member)), text(rd::rd_kafka_MemberDescription_host(member)));
        members.map(|member| described(member)).collect()
    }
}

/// # Safety
/// `start` is null or `count` operations that live as long as the call.
unsafe fn numbers(start: *const rd::rd_kafka_AclOperation_t, count: usize) -> Option<Vec<i32>> {
    if start.is_null() {
        return None;
    }
    // As numbers: a newer broker may know operations that the enumeration does not.
    // SAFETY: by contract; the enumeration has the size of an int.
    Some(unsafe { std::slice::from_raw_parts(start.cast::<i32>(), count) }.to_vec())
}

pub(super) fn failed(code: RDKafkaErrorCode, text: String) -> NativeError {
    NativeError { code, text, is_fatal: false, is_retriable: false, requires_abort: false }
}

pub(super) fn unexpected() -> NativeError {
    failed(RDKafkaErrorCode::Fail, "librdkafka gave no answer".to_owned())
}
