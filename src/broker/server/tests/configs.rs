//! Settings of topics, changed by several clients.

use super::Running;
use super::requests::make_topic;
use crate::broker::Fsync;
use crate::broker::wire::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use crate::broker::wire::{ApiKey, ErrorCode};

const OF_TOPIC: i8 = 2;

fn set(name: &str, value: &str) -> IncrementalAlterConfigsRequest {
    let configs = vec![AlterableConfig { name: name.to_owned(), config_operation: 0, value: Some(value.to_owned()) }];
    let resources = vec![AlterConfigsResource { resource_type: OF_TOPIC, resource_name: "t".to_owned(), configs }];
    IncrementalAlterConfigsRequest { resources, validate_only: false }
}

#[test]
fn two_clients_that_change_a_topic_at_once_do_not_undo_each_other() {
    let running = Running::start(|settings| settings.fsync = Fsync::Never);
    make_topic(&mut running.client(), "t");
    std::thread::scope(|scope| {
        for name in ["retention.ms", "segment.ms"] {
            let running = &running;
            scope.spawn(move || {
                let mut client = running.client();
                for round in 1..200 {
                    let value = round.to_string();
                    let response: IncrementalAlterConfigsResponse = client.ask(ApiKey::IncrementalAlterConfigs, 1, set(name, &value));
                    assert_eq!(response.responses[0].error_code, ErrorCode::None);
                    let topic = running.logs().topic("t").expect("is there");
                    assert_eq!(topic.config.overrides().get(name), Some(&value), "nobody else sets {name}");
                }
            });
        }
    });
}

#[test]
fn an_operation_that_nobody_knows_changes_nothing() {
    let running = Running::start(|_| {});
    let mut client = running.client();
    make_topic(&mut client, "t");
    let mut request = set("retention.ms", "1");
    let unknown = AlterableConfig { name: "segment.ms".to_owned(), config_operation: 4, value: None };
    request.resources[0].configs.push(unknown);
    let response: IncrementalAlterConfigsResponse = client.ask(ApiKey::IncrementalAlterConfigs, 1, request);
    assert_eq!(response.responses[0].error_code, ErrorCode::InvalidRequest);
    assert!(running.logs().topic("t").expect("is there").config.overrides().is_empty());
}
