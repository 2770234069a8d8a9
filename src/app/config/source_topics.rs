//! Policies of single source topics against the topics that are read.

use std::sync::Arc;

use super::keys::POISON_POLICY;
use super::{Config, ConfigFault, ConfigFaults, Origin, edit_distance};

impl Config {
    /// Refuses what is set for topics that no source reads. `read` are the topics of the topology, without prefix.
    pub fn check_source_topics(&self, read: &[Arc<str>]) -> Result<(), ConfigFaults> {
        let unread = self.processing.sources.keys().filter(|topic| !read.iter().any(|name| **name == ***topic));
        let faults: Vec<ConfigFault> = unread.map(|topic| self.unread(topic, read)).collect();
        if faults.is_empty() { Ok(()) } else { Err(ConfigFaults { faults }) }
    }

    fn unread(&self, topic: &str, read: &[Arc<str>]) -> ConfigFault {
        let name = format!("processing.sources.{topic:?}.{POISON_POLICY}");
        let place = self.settings.iter().find(|setting| setting.name == name).map_or(Origin::Default, |setting| setting.origin.clone());
        let without_prefix = topic.strip_prefix(&self.application.topic_prefix).filter(|rest| read.iter().any(|name| **name == **rest));
        let meant = without_prefix.or_else(|| edit_distance::nearest(topic, read.iter().map(|name| &**name)));
        let hint = match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("sources read {}", read.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")),
        };
        ConfigFault { place, what: format!("no source reads topic {topic}; {hint}") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sources;
    use super::*;

    #[test]
    fn a_policy_of_an_unread_topic_is_told_with_its_place_and_what_was_meant() {
        let flags = ["order-evnets", "shop.payments", "nothing-alike", "orders"];
        let flags = flags.map(|topic| format!("processing.sources.{topic:?}.poison_policy=skip"));
        let flags = flags.into_iter().chain(["application.topic_prefix=shop.".to_string()]).collect();
        let config = Config::load(&Sources { flags, directory: "/nonexistent".into(), ..Sources::none() }).unwrap();
        let read: Vec<Arc<str>> = ["orders", "order-events", "payments"].map(Into::into).to_vec();
        let flag = |topic: &str| format!("--set processing.sources.{topic:?}.poison_policy: no source reads topic {topic}; ");
        let told: Vec<String> = config.check_source_topics(&read).unwrap_err().faults.iter().map(ToString::to_string).collect();
        let expected = [
            flag("nothing-alike") + "sources read orders, order-events, payments",
            flag("order-evnets") + "did you mean order-events?",
            flag("shop.payments") + "did you mean payments?",
        ];
        assert_eq!(told, expected);
        config.check_source_topics(&["nothing-alike", "order-evnets", "shop.payments", "orders"].map(Into::into)).unwrap();
    }
}
