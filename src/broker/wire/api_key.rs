//! Which requests are answered, in which versions: the one table from which all else follows.

/// One kind of request. The numbers are Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum ApiKey {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    DescribeGroups = 15,
    ListGroups = 16,
    ApiVersions = 18,
    CreateTopics = 19,
    DeleteTopics = 20,
    DeleteRecords = 21,
    InitProducerId = 22,
    OffsetForLeaderEpoch = 23,
    AddPartitionsToTxn = 24,
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    TxnOffsetCommit = 28,
    DescribeConfigs = 32,
    AlterConfigs = 33,
    DescribeLogDirs = 35,
    CreatePartitions = 37,
    DeleteGroups = 42,
    IncrementalAlterConfigs = 44,
    ListPartitionReassignments = 46,
    OffsetDelete = 47,
    DescribeCluster = 60,
    DescribeProducers = 61,
    DescribeTransactions = 65,
    ListTransactions = 66,
    DescribeTopicPartitions = 75,
}

/// What is known of a kind of request.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    pub key: ApiKey,
    /// The oldest version that is understood.
    pub oldest: i16,
    /// The newest.
    pub newest: i16,
    /// The first version in the flexible encoding.
    pub flexible: i16,
}

const NEVER: i16 = i16::MAX;

/// The oldest versions are Kafka 4's. The newest are Kafka 4's but for these, left out on purpose: Produce 12 and 13, AddPartitionsToTxn 4
/// and 5, EndTxn 5 and TxnOffsetCommit 5 belong to transactions of version 2, whose clients no longer say which partitions they are about to
/// write; OffsetCommit and OffsetFetch 10 to the groups of KIP-848; ListOffsets 11 to tiered storage; Fetch 18 to followers. Topics
/// are known by id in Metadata and Fetch, so that a client notices when a topic was deleted and made again.
pub const APIS: &[Api] = &[
    api(ApiKey::Produce, 3, 11, 9),
    api(ApiKey::Fetch, 4, 17, 12),
    api(ApiKey::ListOffsets, 1, 10, 6),
    api(ApiKey::Metadata, 0, 12, 9),
    api(ApiKey::OffsetCommit, 2, 9, 8),
    api(ApiKey::OffsetFetch, 1, 9, 6),
    api(ApiKey::FindCoordinator, 0, 6, 3),
    api(ApiKey::JoinGroup, 0, 9, 6),
    api(ApiKey::Heartbeat, 0, 4, 4),
    api(ApiKey::LeaveGroup, 0, 5, 4),
    api(ApiKey::SyncGroup, 0, 5, 4),
    api(ApiKey::DescribeGroups, 0, 6, 5),
    api(ApiKey::ListGroups, 0, 5, 3),
    api(ApiKey::ApiVersions, 0, 4, 3),
    api(ApiKey::CreateTopics, 2, 7, 5),
    api(ApiKey::DeleteTopics, 1, 6, 4),
    api(ApiKey::DeleteRecords, 0, 2, 2),
    api(ApiKey::InitProducerId, 0, 5, 2),
    api(ApiKey::OffsetForLeaderEpoch, 2, 4, 4),
    api(ApiKey::AddPartitionsToTxn, 0, 3, 3),
    api(ApiKey::AddOffsetsToTxn, 0, 4, 3),
    api(ApiKey::EndTxn, 0, 4, 3),
    api(ApiKey::TxnOffsetCommit, 0, 4, 3),
    api(ApiKey::DescribeConfigs, 1, 4, 4),
    api(ApiKey::AlterConfigs, 0, 2, 2),
    api(ApiKey::DescribeLogDirs, 1, 4, 2),
    api(ApiKey::CreatePartitions, 0, 3, 2),
    api(ApiKey::DeleteGroups, 0, 2, 2),
    api(ApiKey::IncrementalAlterConfigs, 0, 1, 1),
    api(ApiKey::ListPartitionReassignments, 0, 0, 0),
    api(ApiKey::OffsetDelete, 0, 0, NEVER),
    api(ApiKey::DescribeCluster, 0, 1, 0),
    api(ApiKey::DescribeProducers, 0, 0, 0),
    api(ApiKey::DescribeTransactions, 0, 0, 0),
    api(ApiKey::ListTransactions, 0, 1, 0),
    api(ApiKey::DescribeTopicPartitions, 0, 0, 0),
];

const fn api(key: ApiKey, oldest: i16, newest: i16, flexible: i16) -> Api {
    Api { key, oldest, newest, flexible }
}

impl Api {
    /// The row of a number on the wire.
    pub fn of(key: i16) -> Option<&'static Api> {
        APIS.iter().find(|api| api.key as i16 == key)
    }

    /// Bytes of memory that a byte of a request may cost until it is answered. Names come back with all that is to be told of each; records do
    /// not, nor do requests that may wait long, whose answers have bounds of their own.
    pub fn memory_per_byte(key: i16) -> usize {
        const OF_RECORDS_OR_WAITING: [ApiKey; 4] = [ApiKey::Produce, ApiKey::Fetch, ApiKey::JoinGroup, ApiKey::SyncGroup];
        if OF_RECORDS_OR_WAITING.iter().any(|waiting| *waiting as i16 == key) { 1 } else { 128 }
    }

    /// Whether this version is understood.
    pub fn understands(&self, version: i16) -> bool {
        (self.oldest..=self.newest).contains(&version)
    }

    /// Whether this version is in the flexible encoding.
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible
    }

    /// The oldest version that is announced. librdkafka takes compression for unsupported unless Produce begins at 0 (as Kafka
    /// itself announces it, though it refuses them too).
    pub fn announced_oldest(&self) -> i16 {
        if self.key == ApiKey::Produce { 0 } else { self.oldest }
    }
}
