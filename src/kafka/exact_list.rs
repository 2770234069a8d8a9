//! Lists of offsets to commit.

use rdkafka::{Offset as NativeOffset, TopicPartitionList};

use crate::record::{Offset, TopicPartition};

/// The list with exactly these offsets: librdkafka drops those below 0 and answers an empty list with success, without asking Kafka.
pub(super) fn exact_list(offsets: &[(TopicPartition, Offset)]) -> Result<TopicPartitionList, String> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        if partition.topic.contains('\0') || offset.0 < 0 || list.find_partition(&partition.topic, partition.partition).is_some() {
            return Err(format!("{partition}: {offset} is no offset to commit, or is there twice"));
        }
        list.add_partition_offset(&partition.topic, partition.partition, NativeOffset::Offset(offset.0))
            .map_err(|error| format!("{partition}: {error}"))?;
    }
    match list.count() {
        0 => Err("there are no offsets to commit".into()),
        count if count == offsets.len() => Ok(list),
        count => Err(format!("{count} of {} offsets would be committed", offsets.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_that_commits_all_that_was_given_is_sent() {
        let at = |partition, offset| (TopicPartition::new("t", partition), Offset(offset));
        assert_eq!(exact_list(&[at(0, 0), at(1, 7)]).unwrap().count(), 2);
        assert!(exact_list(&[]).is_err());
        assert!(exact_list(&[at(0, 1), at(1, -1)]).is_err());
        assert!(exact_list(&[at(0, 1), at(0, 2)]).is_err());
    }
}
