//! Questions that change nothing, for `check --online`: brokers, topics and groups with what is allowed there, and whether topics
//! could be made.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::ResourceSpecifier;
use rdkafka::error::RDKafkaErrorCode;

use super::{KafkaAdmin, Right, Rights, native};
use crate::kafka::error::{class_of, from_code, from_kafka, from_transaction};
use crate::kafka::ffi::{self, Step};
use crate::kafka::log::ClientLog;
use crate::kafka::settings::KafkaSettings;
use crate::ports::{NewTopic, PortError, TopicInfo};

/// How often is looked why no broker answers.
const SLICE: Duration = Duration::from_millis(250);

/// A broker, as the cluster names it to its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Kafka's number.
    pub id: i32,
    /// `host:port`.
    pub address: String,
}

/// What is told of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicAccess {
    /// It does not exist.
    Missing,
    /// It may not be seen; nobody tells whether it exists.
    Hidden,
    /// It exists, and so much is allowed.
    There(TopicInfo, Rights),
}

impl KafkaAdmin {
    /// The brokers of the cluster. A refused password or certificate is told at once, an address where nobody answers when the time
    /// is over.
    pub fn brokers(&mut self) -> Result<Vec<BrokerAddress>, PortError> {
        const OPERATION: &str = "ask for the brokers";
        let deadline = Instant::now() + self.max_request;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.client.inner().fetch_metadata(None, SLICE.min(left)) {
                Ok(metadata) => {
                    let address = |broker: &rdkafka::metadata::MetadataBroker| BrokerAddress {
                        id: broker.id(),
                        address: format!("{}:{}", broker.host(), broker.port()),
                    };
                    return Ok(metadata.brokers().iter().map(address).collect());
                }
                Err(error) => {
                    let failure = self.failed(OPERATION, "the cluster", &error);
                    let complaint = self.client.inner().context().last_complaint();
                    match complaint {
                        Some((code @ (RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL), text)) => {
                            return Err(PortError::new(class_of(code), OPERATION, text));
                        }
                        _ if failure.is_retriable() && Instant::now() < deadline && !self.is_stopped() => {}
                        complaint => return Err(PortError { detail: self.or_silence(complaint), ..failure }),
                    }
                }
            }
        }
    }

    fn or_silence(&self, complaint: Option<(RDKafkaErrorCode, String)>) -> String {
        complaint.map_or_else(|| format!("no answer within {} s", self.max_request.as_secs()), |(_, text)| text)
    }

    /// Those of the brokers that do not answer at the address that the cluster names. All are asked at the same time.
    pub fn ask_brokers(&mut self, brokers: &[BrokerAddress]) -> Vec<(BrokerAddress, PortError)> {
        const OPERATION: &str = "ask a broker";
        // Only the broker itself can tell its settings; also that it may not be asked is an answer.
        let questions: Vec<_> = brokers.iter().map(|broker| ResourceSpecifier::Broker(broker.id)).collect();
        let ask = |question| self.client.describe_configs([question], &self.options());
        let asking: Vec<_> = brokers.iter().zip(questions.iter().map(ask)).collect();
        let silent = asking.into_iter().filter_map(|(broker, answer)| {
            let mut error = self.wait(OPERATION, &broker.address, answer).err().filter(PortError::is_retriable)?;
            let complaint = self.client.inner().context().last_complaint().filter(|(_, text)| text.contains(&broker.address));
            error.detail = self.or_silence(complaint);
            Some((broker.clone(), error))
        });
        silent.collect()
    }

    /// What is told of topics, in the order of the names.
    pub fn access(&mut self, names: &[&str]) -> Result<Vec<TopicAccess>, PortError> {
        const OPERATION: &str = "look topics up";
        let unique: Vec<&str> = names.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        if unique.is_empty() {
            return Ok(Vec::new());
        }
        let described = self.ask(OPERATION, &unique.join(", "), |patience| ffi::describe_topics(&self.client, &unique, patience))?;
        let mut found = BTreeMap::new();
        for topic in described {
            let access = match topic.error {
                Some(RDKafkaErrorCode::UnknownTopicOrPartition) => TopicAccess::Missing,
                Some(RDKafkaErrorCode::TopicAuthorizationFailed) => TopicAccess::Hidden,
                Some(code) => return Err(from_code(OPERATION, &topic.name, code)),
                None => {
                    let partitions = topic.partitions as i32;
                    TopicAccess::There(
                        TopicInfo { name: topic.name.clone(), partitions, id: topic.id, ..TopicInfo::default() },
                        Rights::new(topic.operations),
                    )
                }
            };
            found.insert(topic.name, access);
        }
        self.add_settings(OPERATION, &mut found)?;
        Ok(names.iter().map(|name| found.get(*name).cloned().unwrap_or(TopicAccess::Missing)).collect())
    }

    fn add_settings(&self, operation: &'static str, found: &mut BTreeMap<String, TopicAccess>) -> Result<(), PortError> {
        let there: Vec<String> = found.values().filter_map(TopicAccess::topic).map(|topic| topic.name.clone()).collect();
        if there.is_empty() {
            return Ok(());
        }
        let resources: Vec<_> = there.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        // One answer a topic, in the order asked. rdkafka leaves out why an answer is empty: its settings may not be read.
        let answers = self.wait(operation, &there.join(", "), self.client.describe_configs(&resources, &self.options()))?;
        for (name, answer) in there.iter().zip(answers) {
            let settings = answer.ok();
            let value = |name: &str| settings.as_ref().and_then(|settings| settings.get(name)?.value.clone());
            if let Some(TopicAccess::There(topic, _)) = found.get_mut(name) {
                topic.cleanup_policy = value("cleanup.policy");
                topic.delete_retention_ms = value("delete.retention.ms").and_then(|value| value.parse().ok());
            }
        }
        Ok(())
    }

    /// What is allowed in a group, whether it exists or not.
    pub fn group_rights(&mut self, group: &str) -> Result<Rights, PortError> {
        const OPERATION: &str = "look a group up";
        let deadline = Instant::now() + self.max_request;
        loop {
            let described = self.ask(OPERATION, group, |patience| ffi::describe_group(&self.client, group, patience));
            let failure = match described.map(|group| (group.error, group.operations)) {
                Ok((None, operations)) => return Ok(Rights::new(operations)),
                Ok((Some(RDKafkaErrorCode::GroupAuthorizationFailed), _)) => return Ok(Rights::none()),
                Ok((Some(code), _)) => from_code(OPERATION, group, code),
                Err(failure) => failure,
            };
            // A coordinator that has just been chosen does not know its groups yet.
            if !failure.is_retriable() || Instant::now() >= deadline || self.is_stopped() {
                return Err(failure);
            }
            thread::sleep(SLICE);
        }
    }

    /// Why topics could not be made, by name. Makes none.
    pub fn validate_topics(&mut self, topics: &[NewTopic]) -> Result<Vec<(String, TopicRefusal)>, PortError> {
        const OPERATION: &str = "ask whether topics could be made";
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let natives: Vec<_> = topics.iter().map(native).collect();
        let options = self.options().validate_only(true);
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let answers = self.wait(OPERATION, &names.join(", "), self.client.create_topics(&natives, &options))?;
        let refused = answers.into_iter().filter_map(Result::err).filter_map(|(name, code)| Some((name, TopicRefusal::of(code)?)));
        Ok(refused.collect())
    }
}

/// Why a topic could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicRefusal {
    /// `Create` is not allowed.
    NotAllowed,
    /// More copies than brokers.
    ReplicationFactor,
    /// Anything else, in Kafka's words.
    Other(String),
}

impl TopicRefusal {
    fn of(code: RDKafkaErrorCode) -> Option<Self> {
        match code {
            // Somebody has just made it.
            RDKafkaErrorCode::TopicAlreadyExists => None,
            RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => Some(TopicRefusal::NotAllowed),
            RDKafkaErrorCode::InvalidReplicationFactor => Some(TopicRefusal::ReplicationFactor),
            code => Some(TopicRefusal::Other(code.to_string())),
        }
    }
}

impl TopicAccess {
    /// The topic, if it can be seen.
    pub fn topic(&self) -> Option<&TopicInfo> {
        match self {
            TopicAccess::There(topic, _) => Some(topic),
            TopicAccess::Missing | TopicAccess::Hidden => None,
        }
    }

    /// Those of `needed` that are missing as far as is told; of a topic that does not exist nothing is told.
    pub fn missing(&self, needed: &[Right]) -> Vec<Right> {
        match self {
            TopicAccess::Missing => Vec::new(),
            TopicAccess::Hidden => Rights::none().missing(needed),
            TopicAccess::There(_, rights) => rights.missing(needed),
        }
    }
}

/// Whether the application's transactional ids may be used; `false` when not. No producer of a running instance is fenced: what is
/// asked for is an id that none has, `<application-id>-check`, with a transaction time-out beyond what brokers grant. Brokers look at
/// permissions first and refuse the time-out then, before they remember anything.
pub fn may_use_transactional_ids(settings: &KafkaSettings, within: Duration) -> Result<bool, PortError> {
    const OPERATION: &str = "ask for the use of transactional ids";
    let (id, config) = settings.transactional_id_probe();
    let client =
        ffi::producer_client(&config, ClientLog::new(format!("{id}/producer"))).map_err(|error| from_kafka(OPERATION, &id, &error))?;
    let Err(error) = ffi::transaction(&client, Step::Init, within) else { return Ok(true) };
    let (code, text) = client.fatal_error().unwrap_or((error.code, error.text.clone()));
    match code {
        RDKafkaErrorCode::InvalidTransactionTimeout => Ok(true),
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed => Ok(false),
        _ => Err(PortError { detail: format!("{id}: {text}"), ..from_transaction(OPERATION, &id, &error) }),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    #[test]
    fn a_broker_that_the_cluster_names_and_that_does_not_answer_is_told() {
        let cluster = MockCluster::new(3).unwrap();
        let settings = KafkaSettings::new(cluster.bootstrap_servers(), "app", "check");
        let mut admin = KafkaAdmin::new(&settings).unwrap().within(Duration::from_secs(2));
        let brokers = admin.brokers().unwrap();
        assert_eq!(brokers.iter().map(|broker| broker.id).collect::<Vec<_>>(), [1, 2, 3]);
        cluster.broker_down(2).unwrap();
        let silent: Vec<BrokerAddress> = admin.ask_brokers(&brokers).into_iter().map(|(broker, _)| broker).collect();
        assert_eq!(silent, brokers[1..2]);
    }
}
