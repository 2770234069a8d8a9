//! Where logs begin and end, asked of many partitions at once.

use std::sync::Arc;

use hashbrown::HashMap;
use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_IsolationLevel_t as Isolation;
use rdkafka::bindings::rd_kafka_admin_op_t as Operation;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::question::{Question, failed, unexpected};
use super::{NativeClient, NativeError, Patience, error_code, take_error, text};

/// A place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kafka) enum Place {
    /// The first offset that still exists.
    Start,
    /// The last stable offset.
    StableEnd,
    /// The high watermark.
    End,
}

impl Place {
    fn spec(self) -> Offset {
        match self {
            Place::Start => Offset::Beginning,
            Place::StableEnd | Place::End => Offset::End,
        }
    }

    fn isolation(self) -> Isolation {
        match self {
            Place::StableEnd => Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
            Place::Start | Place::End => Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
        }
    }
}

/// The place of each partition, in their order; or why it is not told.
pub(in crate::kafka) type Places = Vec<Result<i64, RDKafkaErrorCode>>;

/// Asks for places of partitions, each of which is named once: a request a place to each broker, all under way at once. Whatever the isolation
/// of the client itself.
pub(in crate::kafka) fn list_offsets<C: NativeClient, const N: usize>(
    client: &Arc<C>,
    partitions: &[(&str, i32)],
    places: [Place; N],
    patience: &Patience<'_>,
) -> Result<[Places; N], NativeError> {
    let mut asked = Vec::with_capacity(N);
    for place in places {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition_offset(topic, *partition, place.spec())
                .map_err(|error| failed(RDKafkaErrorCode::InvalidArgument, error.to_string()))?;
        }
        let question = Question::new(client, Operation::RD_KAFKA_ADMIN_OP_LISTOFFSETS, patience)?;
        // SAFETY: options and queue live; the call copies the list.
        unsafe {
            take_error(rd::rd_kafka_AdminOptions_set_isolation_level(question.options(), place.isolation()))?;
            rd::rd_kafka_ListOffsets(client.native(), list.ptr(), question.options(), question.queue());
        }
        asked.push(question);
    }
    let mut all = [const { Vec::new() }; N];
    for (question, places) in asked.iter().zip(&mut all) {
        *places = answered(question, partitions, patience)?;
    }
    Ok(all)
}

fn answered<C: NativeClient>(question: &Question<C>, partitions: &[(&str, i32)], patience: &Patience<'_>) -> Result<Places, NativeError> {
    let event = question.answer(patience)?;
    // SAFETY: what the getters answer belongs to the event, which lives to the end.
    unsafe {
        let mut count = 0;
        let result = rd::rd_kafka_event_ListOffsets_result(event.native());
        if result.is_null() {
            return Err(unexpected());
        }
        let infos = rd::rd_kafka_ListOffsets_result_infos(result, &mut count);
        let elements = (0..count).filter_map(|at| rd::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(at)).as_ref());
        let told = elements.map(|element| {
            let answer = match error_code(element.err) {
                Some(code) => Err(code),
                // Nobody answered for this one.
                None if element.offset < 0 => Err(RDKafkaErrorCode::OffsetNotAvailable),
                None => Ok(element.offset),
            };
            ((text(element.topic), element.partition), answer)
        });
        let mut told: HashMap<(String, i32), Result<i64, RDKafkaErrorCode>> = told.collect();
        let missing = Err(RDKafkaErrorCode::UnknownPartition);
        Ok(partitions.iter().map(|(topic, partition)| told.remove(&((*topic).to_owned(), *partition)).unwrap_or(missing)).collect())
    }
}
