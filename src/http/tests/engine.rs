//! The engine's own routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{Client, Running, quick};
use crate::clock::{Clock, ManualClock};
use crate::http::{DiskCheck, Engine, TopologyText, engine_routes};
use crate::metrics::{LagRow, Metrics, Versions};
use crate::query::tests::fixture::Fixture;
use crate::query::{InstanceId, TaskView, ViewRegistry};
use crate::record::{Offset, Timestamp, TopicPartition};
use crate::runtime::{InstanceStatus, MemberIdentity, Members, TaskRow};

struct Instance {
    status: InstanceStatus,
    disk_is_full: Arc<AtomicBool>,
    running: Running,
    client: Client,
}

async fn instance() -> Instance {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp(10_000)));
    let metrics = Metrics::new(Versions { librdkafka: "2.12.1", rocksdb: "11.8.1" }, clock.clone());
    let status = InstanceStatus::new(clock.clone());
    let disk_is_full = Arc::new(AtomicBool::new(false));
    let full = disk_is_full.clone();
    let disk = DiskCheck::new(move || match full.load(Ordering::SeqCst) {
        false => Ok("writable".to_string()),
        true => Err("no space left".to_string()),
    });
    let engine = Engine {
        status: status.clone(),
        metrics: metrics.clone(),
        clock,
        instance: InstanceId("i-1".into()),
        views: Fixture::new(1).views,
        members: members(),
        topology: [("text", "text/plain; charset=utf-8", "Topology\n"), ("dot", "text/vnd.graphviz", "digraph topology {}\n")]
            .map(|(format, content_type, text)| TopologyText { format, content_type, text: text.to_string() })
            .into(),
        disk,
    };
    let routes = engine_routes(engine);
    assert_eq!(routes.undescribed(), Vec::<String>::new());
    let running = Running::with_metrics(routes, quick(), metrics).await;
    let client = Client::to(running.address).await;
    Instance { status, disk_is_full, running, client }
}

/// This instance alone, with a task that it restores.
fn members() -> Members {
    let (registry, clock) = (ViewRegistry::default(), ManualClock::at(Timestamp(10_000)));
    registry.publish(serde_json::from_value(json!({"subtopology": "orders", "partition": 2})).unwrap(), TaskView::Restoring);
    let identity =
        MemberIdentity { instance: InstanceId("i-1".into()), url: "http://127.0.0.1:80".into(), version: "0.1.0".into(), run: "r".into() };
    Members::new(identity, registry, Arc::new(clock))
}

/// A row of the task over a partition; `None`: of a token that this program does not know.
fn row(token: i32, partition: Option<i32>, state: &'static str) -> TaskRow {
    let task = partition.map(|partition| serde_json::from_value(json!({"subtopology": "orders", "partition": partition})).unwrap());
    TaskRow { token, task, state, thread: "stream-1".into() }
}

fn lag_row(partition: i32, end: Option<i64>, next: Option<i64>) -> LagRow {
    LagRow {
        topic: "order-events".into(),
        partition,
        task: format!("orders_{partition}"),
        position: Offset(5),
        committed: Offset(4),
        end: end.map(Offset),
        next_record_time: next.map(Timestamp),
        log_start: Some(Offset(0)),
        reached: None,
        waiting_since: None,
        silent_since: None,
        views: Arc::new([]),
    }
}

#[tokio::test]
async fn it_is_alive_whatever_happens() {
    let mut instance = instance().await;
    instance.status.set_error("poison");
    let reply = instance.client.ask("GET", "/livez").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"live":true}"#));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn it_is_ready_when_it_runs_and_has_restored_and_can_write() {
    let mut instance = instance().await;
    let ask = async |instance: &mut Instance, path: &str| {
        let reply = instance.client.ask("GET", path).await;
        let oks: Vec<bool> = reply.json()["checks"].as_array().unwrap().iter().map(|check| check["ok"] == true).collect();
        (reply.status, oks)
    };
    assert_eq!(ask(&mut instance, "/readyz").await, (503, vec![false, false, true]));
    instance.status.set_joining(["stream-1".to_string()]);
    instance.status.set_tasks("stream-1", vec![row(0, Some(0), "restoring"), row(1, Some(1), "active")]);
    assert_eq!(ask(&mut instance, "/readyz?verbose").await, (503, vec![false, false, true]));
    instance.status.set_tasks("stream-1", vec![row(0, Some(0), "active"), row(1, None, "unknown")]);
    let reply = instance.client.ask("GET", "/readyz?verbose").await;
    let expected = json!({"ready": true, "checks": [
        {"name": "state", "ok": true, "detail": "running"},
        {"name": "tasks", "ok": true, "detail": "1 active, 0 restoring, 1 unknown"},
        {"name": "disk", "ok": true, "detail": "writable"},
    ]});
    assert_eq!((reply.status, reply.json()), (200, expected));
    instance.disk_is_full.store(true, Ordering::SeqCst);
    assert_eq!(ask(&mut instance, "/readyz").await, (503, vec![true, true, false]));
    instance.disk_is_full.store(false, Ordering::SeqCst);
    instance.status.set_error("orders_0 met a record that cannot be processed");
    let reply = instance.client.ask("GET", "/readyz").await;
    assert_eq!((reply.status, &reply.json()["ready"]), (503, &json!(false)));
    assert_eq!(reply.json()["checks"][0]["detail"], "error: orders_0 met a record that cannot be processed");
}

#[tokio::test]
async fn a_disk_that_hangs_is_not_ready_and_takes_one_thread() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (wake, hang) = std::sync::mpsc::channel::<()>();
    let (count, hang) = (asked.clone(), std::sync::Mutex::new(hang));
    let disk = DiskCheck::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        // Ends once the other side is dropped.
        let _ = hang.lock().unwrap().recv();
        Ok("writable".to_string())
    });
    let status = InstanceStatus::new(Arc::new(ManualClock::default()));
    let probe = async || super::super::readiness::checks(&status, &disk).await.pop().unwrap();
    let (first, second) = tokio::join!(probe(), probe());
    assert!(!first.ok && !second.ok && first.detail.contains("has not answered"), "{first:?} {second:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    drop(wake);
    let found = async { while !probe().await.ok {} };
    tokio::time::timeout(super::client::PATIENCE, found).await.expect("answers again");
}

#[tokio::test]
async fn metrics_are_in_prometheus_text_format() {
    let mut instance = instance().await;
    let reply = instance.client.ask("GET", "/metrics").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(reply.body.contains("viewmill_build_info{"), "{}", reply.body);
    assert!(instance.running.series("viewmill_http_requests_total{code=\"200\",method=\"GET\",route=\"/metrics\"} 1").len() == 1);
}

#[tokio::test]
async fn tasks_have_this_shape() {
    let mut instance = instance().await;
    instance.status.set_joining(["stream-1".to_string()]);
    let rows = vec![row(7, None, "unknown"), row(1, Some(3), "restoring"), row(0, Some(0), "active")];
    instance.status.set_tasks("stream-1", rows);
    let expected = json!({"tasks": [
        {"id": "orders_0", "token": 0, "subtopology": "orders", "partition": 0, "role": "active", "state": "active",
         "instance": "i-1", "thread": "stream-1", "restoreRemaining": 0,
         "restoreRate": null, "restoreEtaSeconds": null},
        {"id": "orders_3", "token": 1, "subtopology": "orders", "partition": 3, "role": "active", "state": "restoring",
         "instance": "i-1", "thread": "stream-1", "restoreRemaining": null,
         "restoreRate": null, "restoreEtaSeconds": null},
        {"id": null, "token": 7, "subtopology": null, "partition": null, "role": null, "state": "unknown",
         "instance": "i-1", "thread": "stream-1", "restoreRemaining": null,
         "restoreRate": null, "restoreEtaSeconds": null},
    ]});
    assert_eq!(instance.client.ask("GET", "/v1/tasks").await.json(), expected);
    assert_eq!(instance.client.ask("GET", "/v1/tasks?scope=local").await.json(), expected);
    instance.client.ask("GET", "/v1/tasks?scope=cluster").await.assert_problem(400, "validation-failed", "/v1/tasks");
}

#[tokio::test]
async fn lag_has_this_shape_and_does_not_guess() {
    let mut instance = instance().await;
    instance.status.set_joining(["stream-1".to_string()]);
    instance.status.set_tasks("stream-1", vec![]);
    instance.status.set_lag("stream-1", vec![lag_row(2, None, None), lag_row(1, Some(8), Some(8_750)), lag_row(0, Some(5), None)]);
    let row = |partition: i32, rest: serde_json::Value| {
        let mut row =
            json!({"topic": "order-events", "partition": partition, "task": format!("orders_{partition}"), "position": 5, "committed": 4});
        row.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        row
    };
    let expected = json!({"rows": [
        row(0, json!({"end": 5, "lagRecords": 0, "lagSeconds": 0.0, "verdict": "ok", "etaSeconds": 0.0})),
        row(1, json!({"end": 8, "lagRecords": 3, "lagSeconds": 1.25, "verdict": "catching_up", "etaSeconds": null})),
        row(2, json!({"end": null, "lagRecords": null, "lagSeconds": null, "verdict": null, "etaSeconds": null})),
    ]});
    assert_eq!(instance.client.ask("GET", "/v1/lag").await.json(), expected);
    instance.status.set_lost(TopicPartition::new("order-events", 2));
    instance.status.set_error("stopped");
    let reply = instance.client.ask("GET", "/v1/lag").await.json();
    let verdicts: Vec<_> = reply["rows"].as_array().unwrap().iter().map(|row| row["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("stopped"), Some("stopped"), Some("lost")], "{reply}");
}

#[tokio::test]
async fn members_have_this_shape() {
    let mut instance = instance().await;
    let expected = json!({"members": [
        {"instance": "i-1", "url": "http://127.0.0.1:80", "version": "0.1.0", "lastSeenSeconds": null, "self": true,
         "tasks": [{"id": "orders_2", "role": "active", "state": "restoring"}]},
    ]});
    assert_eq!(instance.client.ask("GET", "/v1/members").await.json(), expected);
}

#[tokio::test]
async fn the_topology_is_told_in_each_format() {
    let mut instance = instance().await;
    for (path, content_type, body) in [
        ("/v1/topology", "text/plain; charset=utf-8", "Topology\n"),
        ("/v1/topology?format=text", "text/plain; charset=utf-8", "Topology\n"),
        ("/v1/topology?format=dot", "text/vnd.graphviz", "digraph topology {}\n"),
    ] {
        let reply = instance.client.ask("GET", path).await;
        assert_eq!((reply.header("content-type"), reply.body.as_str()), (Some(content_type), body));
    }
    let problem = instance.client.ask("GET", "/v1/topology?format=png").await.assert_problem(400, "validation-failed", "/v1/topology");
    assert_eq!(problem["errors"][0]["pointer"], "?format");
    assert_eq!(problem["errors"][0]["detail"], "must be one of text, dot");
}

#[tokio::test]
async fn unknown_parameters_are_refused_everywhere() {
    let mut instance = instance().await;
    for path in ["/livez", "/readyz", "/metrics", "/v1/tasks", "/v1/lag", "/v1/members", "/v1/topology"] {
        instance.client.ask("GET", &format!("{path}?x=1")).await.assert_problem(400, "validation-failed", path);
        instance.client.ask("POST", path).await.assert_problem(405, "method-not-allowed", path);
        assert_eq!(instance.client.ask("HEAD", path).await.body, "");
    }
}
