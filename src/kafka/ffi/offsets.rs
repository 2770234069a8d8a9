//! Removing single committed offsets of a group.

use std::ffi::CString;
use std::sync::Arc;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafkaAdminOptions, RDKafkaQueue};

use super::describe::{answer, code_of, failed, unexpected};
use super::{NativeClient, NativeError, Patience, error_code};

/// Removes the committed offsets of these partitions, as far as there are any; answers the first fault that is told of the group or of one of them. Kafka refuses it
/// for topics that members of the group are subscribed to.
pub(in crate::kafka) fn delete_offsets<C: NativeClient>(
    client: &Arc<C>,
    group: &str,
    partitions: &TopicPartitionList,
    patience: &Patience<'_>,
) -> Result<Option<RDKafkaErrorCode>, NativeError> {
    let group = CString::new(group).map_err(|_| failed(RDKafkaErrorCode::InvalidArgument, "a name holds a nul".to_owned()))?;
    let ask = |options: *mut RDKafkaAdminOptions, queue: *mut RDKafkaQueue| {
        // SAFETY: the request copies name and list, the call copies the request, which is destroyed once.
        unsafe {
            let mut request = rd::rd_kafka_DeleteConsumerGroupOffsets_new(group.as_ptr(), partitions.ptr());
            rd::rd_kafka_DeleteConsumerGroupOffsets(client.native(), &mut request, 1, options, queue);
            rd::rd_kafka_DeleteConsumerGroupOffsets_destroy(request);
        }
    };
    let event = answer(client, Operation::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, patience, ask)?;
    // SAFETY: what the getters answer belongs to the event, which lives to the end.
    unsafe {
        let mut count = 0;
        let result = rd::rd_kafka_event_DeleteConsumerGroupOffsets_result(event.native());
        if result.is_null() {
            return Err(unexpected());
        }
        let groups = rd::rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, &mut count);
        let Some(group) = (count == 1).then(|| (*groups).as_ref()).flatten() else { return Err(unexpected()) };
        if let Some(code) = code_of(rd::rd_kafka_group_result_error(group)) {
            return Ok(Some(code));
        }
        let Some(list) = rd::rd_kafka_group_result_partitions(group).as_ref() else { return Ok(None) };
        let told = (0..usize::try_from(list.cnt).unwrap_or(0)).map(|at| (*list.elems.add(at)).err);
        Ok(told.filter_map(error_code).find(|code| *code != RDKafkaErrorCode::UnknownTopicOrPartition))
    }
}
