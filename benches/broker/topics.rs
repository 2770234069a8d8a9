//! Topics of the benches.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;

use super::Fallible;

/// A client's configuration: the address, and what is given.
pub fn client(address: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    settings.iter().for_each(|(name, value)| _ = config.set(*name, *value));
    config
}

/// Makes a topic.
pub fn create(address: &str, topic: &str, partitions: i32) -> Fallible<()> {
    let admin: AdminClient<DefaultClientContext> = client(address, &[]).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(1))];
    for result in runtime.block_on(admin.create_topics(&topics, &AdminOptions::new()))? {
        result.map_err(|(topic, code)| format!("{topic} cannot be made: {code}"))?;
    }
    Ok(())
}
