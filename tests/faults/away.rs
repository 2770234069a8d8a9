//! Kafka away: at the start, and for more than a minute under load. On a broker of its own.

use std::thread;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::support::{Instance, PATIENCE};
use crate::workload::{DRAIN_LIMIT, Kind, Workload, records};

/// Longer than every time-out of the clients.
const AWAY: Duration = Duration::from_secs(70);

/// Longer than a client takes to give up its first attempts.
const AWAY_AT_START: Duration = Duration::from_secs(8);

/// A lag of one that hears nothing from Kafka shows at the latest after so long.
const SHOWN_WITHIN: Duration = Duration::from_secs(12);

#[test]
fn kafka_may_be_away_at_the_start_and_for_seventy_seconds_under_load() {
    let broker = Broker::start();
    let mut workload = Workload::new("away", Kind::Functions);
    workload.run.bootstrap = broker.address.clone();
    broker.kill();
    let mut instance = workload.start("a", &[]);
    thread::sleep(AWAY_AT_START);
    assert_eq!(status(&mut instance, "/livez"), 200, "it lives though there is no Kafka");
    assert_eq!(status(&mut instance, "/readyz"), 503, "and is not ready");
    broker.start_again();
    instance.wait_ready();

    workload.produce(records(), AWAY + Duration::from_secs(20));
    let key = wait_for_row(&mut instance);
    let path = format!("/v1/stores/counts/items/{key}");
    thread::sleep(Duration::from_secs(6));
    broker.kill();
    let began = Instant::now();
    let mut lags = Vec::new();
    while began.elapsed() < AWAY {
        thread::sleep(Duration::from_secs(2));
        assert_eq!(status(&mut instance, "/livez"), 200, "after {:?}", began.elapsed());
        let read = instance.try_get(&path).unwrap();
        assert_eq!(read.status, 200, "after {:?}: {}", began.elapsed(), read.body);
        if began.elapsed() > SHOWN_WITHIN {
            let lag = read.header("view-lag-seconds").expect("the lag is shown while Kafka is away").parse::<f64>().unwrap();
            lags.push((began.elapsed().as_secs_f64(), lag));
        }
    }
    println!("seconds away, lag shown: {lags:?}");
    assert!(lags.windows(2).all(|pair| pair[0].1 < pair[1].1), "the lag must grow: {lags:?}");
    assert!(lags.iter().all(|(away, lag)| *lag > away - SHOWN_WITHIN.as_secs_f64()), "the lag is too small: {lags:?}");
    broker.start_again();
    workload.finish_producing();
    workload.assert_right(&mut [&mut instance]);
    println!("all right {:?} after Kafka went away", began.elapsed());
    assert!(instance.terminate(DRAIN_LIMIT).success());
}

#[test]
fn orders_are_served_and_marked_as_stale_while_kafka_is_away() {
    let broker = Broker::start();
    let mut workload = Workload::new("away-orders", Kind::Orders);
    workload.run.bootstrap = broker.address.clone();
    workload.produce(2_000, Duration::from_secs(3));
    let mut instance = workload.start("a", &[]);
    instance.wait_ready();
    workload.finish_producing();
    workload.assert_right(&mut [&mut instance]);
    // At the end of its topics nothing waits: without Kafka it cannot know that any more.
    let lag = |instance: &mut Instance| {
        let read = instance.try_get("/api/dashboard").unwrap();
        assert_eq!(read.status, 200, "{}", read.body);
        read.header("view-lag-seconds").map(|lag| lag.parse::<f64>().unwrap())
    };
    assert_eq!(lag(&mut instance), Some(0.0));
    broker.kill();
    thread::sleep(SHOWN_WITHIN);
    let first = lag(&mut instance).expect("the lag is shown");
    thread::sleep(Duration::from_secs(3));
    let second = lag(&mut instance).expect("the lag is shown");
    println!("lag at the end of the topics, without Kafka: {first}, then {second}");
    assert!(first > 0.0 && second >= first + 2.9, "{first} {second}");
    let metric = instance.metric("viewmill_view_lag_seconds", &["view=\"orders\""]);
    assert!(metric >= second, "{metric}");
    broker.start_again();
    let deadline = Instant::now() + PATIENCE;
    while lag(&mut instance) != Some(0.0) {
        assert!(Instant::now() < deadline, "the lag is not 0 again");
        thread::sleep(Duration::from_millis(100));
    }
    workload.assert_right(&mut [&mut instance]);
}

fn status(instance: &mut Instance, path: &str) -> u16 {
    instance.try_get(path).unwrap().status
}

/// The first key that is counted.
fn wait_for_row(instance: &mut Instance) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let body = instance.try_get("/v1/stores/counts/items?limit=1").map(|answer| answer.body).unwrap_or_default();
        let page: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        if let Some(key) = page["items"][0]["key"].as_str() {
            return key.to_owned();
        }
        assert!(Instant::now() < deadline, "no key is counted: {body}");
        thread::sleep(Duration::from_millis(100));
    }
}
