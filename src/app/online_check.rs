//! `check --online`: what the brokers say against the configuration and the topology, all at once. Makes and alters nothing, joins
//! no group, fences no producer.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use super::config::Config;
use super::instance::{kafka_settings, topic_settings};
use crate::kafka::{BrokerAddress, KafkaAdmin, KafkaSettings, Right, TopicAccess, TopicRefusal, may_use_transactional_ids};
use crate::ports::{NewTopic, PortError, PortErrorClass};
use crate::runtime::{Inspection, TopicFault, TopicNeeded, TopicRole, TopicsNeeded};
use crate::topology::{Names, Topology};

/// How long one question may take. At most three are asked one after another when nobody answers.
const WITHIN: Duration = Duration::from_secs(4);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct OnlineReport {
    /// Each with what to do.
    pub faults: Vec<String>,
    /// What `run` would do first.
    pub notes: Vec<String>,
}

/// All that the brokers find wrong.
#[derive(Debug, thiserror::Error)]
#[error("the cluster has {} fault{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, .0.iter().map(|fault| format!("\n  - {fault}")).collect::<String>())]
pub(super) struct OnlineFaults(pub Vec<String>);

/// Asks the brokers of a configuration that has no faults by itself. `results`: the topic of outcomes (without prefix), where commands are taken
/// over HTTP.
pub(super) fn check_online(config: &Config, topology: &Topology, results: Option<&str>) -> OnlineReport {
    let mut report = OnlineReport::default();
    let settings = kafka_settings(config, "check");
    let Some((mut admin, settings, brokers)) = reach(&settings, &mut report) else { return report };
    for (broker, error) in admin.ask_brokers(&brokers) {
        report.faults.push(format!(
            "broker {} at {} does not answer ({}): the cluster names this address to its clients, see its advertised.listeners",
            broker.id, broker.address, error.detail
        ));
    }
    let names = Names::new(&config.application.id, &config.application.topic_prefix);
    let needed = TopicsNeeded::of(topology, &names, &topic_settings(config, topology));
    match look_topics_up(&mut admin, &needed) {
        Err(error) => report.faults.push(error.to_string()),
        Ok(access) => {
            let inspection = inspect(&needed, &access);
            report.faults.extend(inspection.faults.iter().map(ToString::to_string));
            let gateway = Gateway::of(topology, &names, results);
            report.faults.extend(missing_topic_rights(&needed, &gateway, &inspection, &access));
            ask_whether_topics_can_be_made(&mut admin, config, brokers.len(), inspection.missing, &mut report);
        }
    }
    ask_for_group_and_ids(&mut admin, &settings, &mut report);
    report
}

/// Asks every server of `kafka.bootstrap_servers` by itself; answers a client of those that can be reached.
fn reach(settings: &KafkaSettings, report: &mut OnlineReport) -> Option<(KafkaAdmin, KafkaSettings, Vec<BrokerAddress>)> {
    let servers: Vec<&str> = settings.bootstrap_servers.split(',').collect();
    let ask =
        |server: &str| -> Result<Vec<BrokerAddress>, PortError> { KafkaAdmin::new(&settings.through(server))?.within(WITHIN).brokers() };
    let ask = &ask;
    let mut reached: Vec<(&str, Vec<BrokerAddress>)> = Vec::new();
    // At most so many clients at a time.
    for some in servers.chunks(8) {
        let answers: Vec<_> = thread::scope(|scope| {
            let asking: Vec<_> = some.iter().map(|server| (*server, scope.spawn(move || ask(server)))).collect();
            asking.into_iter().map(|(server, answer)| (server, answer.join())).collect()
        });
        for (server, answer) in answers {
            match answer {
                Ok(Ok(brokers)) => reached.push((server, brokers)),
                Ok(Err(error)) => report.faults.push(unreachable(server, &error)),
                Err(_) => report.faults.push(format!("{server}: asking it failed, which is a fault of this program")),
            }
        }
    }
    let (_, brokers) = reached.first()?;
    let settings = settings.through(reached.iter().map(|(server, _)| *server).collect::<Vec<_>>().join(","));
    match KafkaAdmin::new(&settings) {
        Ok(admin) => Some((admin.within(WITHIN), settings, brokers.clone())),
        Err(error) => {
            report.faults.push(error.to_string());
            None
        }
    }
}

fn unreachable(server: &str, error: &PortError) -> String {
    let detail = &error.detail;
    let advice = match error.class {
        PortErrorClass::Unauthorized => "see sasl.mechanism, sasl.username and sasl.password in kafka.properties",
        PortErrorClass::Fatal => "see security.protocol and ssl.* in kafka.properties",
        _ => "is a broker running there, and are kafka.bootstrap_servers and security.protocol right?",
    };
    format!("{server} cannot be reached: {detail}; {advice}")
}

type Access = BTreeMap<String, TopicAccess>;

fn look_topics_up(admin: &mut KafkaAdmin, needed: &TopicsNeeded) -> Result<Access, PortError> {
    let names = needed.names();
    let access = admin.access(&names)?;
    Ok(names.into_iter().map(str::to_string).zip(access).collect())
}

/// What `run` would find; a topic that may not be seen is neither missing nor wrong.
fn inspect(needed: &TopicsNeeded, access: &Access) -> Inspection {
    let found = access.iter().filter_map(|(name, access)| Some((name.clone(), access.topic()?.clone()))).collect();
    let mut inspection = needed.inspect(&found);
    let is_hidden = |name: &str| access.get(name) == Some(&TopicAccess::Hidden);
    inspection.missing.retain(|topic| !is_hidden(&topic.name));
    inspection.faults.retain(|fault| !matches!(fault, TopicFault::Missing { topic, .. } if is_hidden(topic)));
    inspection
}

/// What an instance does with topics besides its topology: it writes commands that come over HTTP, and follows what becomes of them.
#[derive(Default)]
struct Gateway {
    commands: Vec<String>,
    results: Option<String>,
}

impl Gateway {
    fn of(topology: &Topology, names: &Names, results: Option<&str>) -> Self {
        let Some(results) = results else { return Gateway::default() };
        let commands = topology.command_topics().iter().map(|topic| names.topic(topic)).collect();
        Gateway { commands, results: Some(names.topic(results)) }
    }

    /// What it must be allowed, and how the topic is called.
    fn needs(&self, topic: &str) -> Option<(&'static [Right], &'static str)> {
        match topic {
            topic if self.results.as_deref() == Some(topic) => Some((&[Right::Read, Right::Write], "topic of outcomes")),
            topic if self.commands.iter().any(|commands| commands == topic) => Some((&[Right::Write], "command topic")),
            _ => None,
        }
    }
}

/// The rights that are missing, one fault a topic. Of topics that do not exist nothing is told.
fn missing_topic_rights(needed: &TopicsNeeded, gateway: &Gateway, inspection: &Inspection, access: &Access) -> Vec<String> {
    let tasks: i32 = inspection.partitions.values().sum();
    let told = |name: &&str| {
        let access = access.get(*name)?;
        let roles = || needed.topics().iter().filter(|topic| topic.name == *name);
        let grows = access.topic().is_some_and(|topic| topic.partitions < tasks);
        let gateway = gateway.needs(name);
        let besides = gateway.map_or(&[][..], |(rights, _)| rights).iter().copied();
        let rights: BTreeSet<Right> = roles().flat_map(|topic| rights_for(topic, grows)).chain(besides).collect();
        let missing = access.missing(&rights.into_iter().collect::<Vec<_>>());
        if missing.is_empty() {
            return None;
        }
        let purpose = gateway.map(|(_, purpose)| purpose).or(roles().next().map(|topic| purpose(topic.role))).unwrap_or("topic");
        let seen = if *access == TopicAccess::Hidden { ", and whether it exists may not be seen" } else { "" };
        let rights = list(&missing);
        Some(format!("{purpose} {name}: {rights} not allowed{seen}: give this user an ACL for {rights} on topic {name}"))
    };
    needed.names().iter().filter_map(told).collect()
}

fn rights_for(topic: &TopicNeeded, grows: bool) -> Vec<Right> {
    match topic.role {
        TopicRole::Source => vec![Right::Read],
        TopicRole::Repartition | TopicRole::Changelog | TopicRole::Members => vec![Right::Read, Right::Write],
        TopicRole::DeadLetters | TopicRole::Sink => vec![Right::Write],
        TopicRole::TaskLog if grows => vec![Right::Read, Right::Write, Right::Alter],
        TopicRole::TaskLog => vec![Right::Read, Right::Write],
    }
}

fn purpose(role: TopicRole) -> &'static str {
    match role {
        TopicRole::Source => "source topic",
        TopicRole::Repartition => "repartition topic",
        TopicRole::Changelog => "changelog",
        TopicRole::DeadLetters => "dead-letter topic",
        TopicRole::Sink => "output topic",
        TopicRole::TaskLog => "task log",
        TopicRole::Members => "members topic",
    }
}

fn list(rights: &[Right]) -> String {
    rights.iter().map(Right::to_string).collect::<Vec<_>>().join(" and ")
}

fn ask_whether_topics_can_be_made(
    admin: &mut KafkaAdmin,
    config: &Config,
    brokers: usize,
    missing: Vec<NewTopic>,
    report: &mut OnlineReport,
) {
    let factor = config.topics.replication_factor.filter(|factor| config.topics.create && *factor as usize > brokers);
    if let Some(factor) = factor {
        report.faults.push(format!(
            "topics.replication_factor is {factor}, but the cluster has {brokers} broker{}: set it to at most {brokers}",
            if brokers == 1 { "" } else { "s" }
        ));
    }
    let refused: BTreeMap<String, TopicRefusal> = match admin.validate_topics(&missing) {
        Ok(refused) => refused.into_iter().collect(),
        Err(error) => return report.faults.push(error.to_string()),
    };
    for topic in missing {
        let name = &topic.name;
        match refused.get(name) {
            None => report.notes.push(format!("topic {name} does not exist and would be made, with {} partitions", topic.partitions)),
            Some(TopicRefusal::NotAllowed) => report.faults.push(format!(
                "topic {name} does not exist, and Create is not allowed: give this user an ACL for Create on topic {name}, or make the topic"
            )),
            // Said once for all.
            Some(TopicRefusal::ReplicationFactor) if factor.is_some() => {}
            Some(TopicRefusal::ReplicationFactor) => report.faults.push(format!(
                "topic {name} does not exist, and has by default more copies than there are brokers: set topics.replication_factor"
            )),
            Some(TopicRefusal::Other(why)) => report.faults.push(format!("topic {name} does not exist, and cannot be made: {why}")),
        }
    }
}

fn ask_for_group_and_ids(admin: &mut KafkaAdmin, settings: &KafkaSettings, report: &mut OnlineReport) {
    let group = &settings.application_id;
    match admin.group_rights(group).map(|rights| rights.missing(&[Right::Read])) {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => {
            let rights = list(&missing);
            report.faults.push(format!("group {group}: {rights} not allowed: give this user an ACL for {rights} on group {group}"));
        }
        Err(error) => report.faults.push(error.to_string()),
    }
    match may_use_transactional_ids(settings, WITHIN) {
        Ok(true) => {}
        Ok(false) => report.faults.push(format!(
            "transactional ids that begin with {group}-: Write not allowed: give this user an ACL for Write on transactional ids with the \
             prefix {group}- (asked for {group}-check)"
        )),
        Err(error) => report.faults.push(error.to_string()),
    }
}
