use std::sync::Arc;

use serde_json::value::RawValue;

use super::*;
use crate::clock::ManualClock;
use crate::command::{Actor, Rejection};
use crate::metrics::{Metrics, Versions};
use crate::ports::{Delivery, PortError};
use crate::record::{Header, Offset};

/// Keeps what is sent; answers at once, or never.
#[derive(Default)]
struct Log {
    sent: Mutex<Vec<(String, String, String)>>,
    withheld: Mutex<Vec<Delivery>>,
    mode: Mode,
}

#[derive(Default, PartialEq)]
enum Mode {
    #[default]
    Takes,
    Withholds,
    Refuses(PortErrorClass),
}

impl RecordSender for Log {
    fn send(&self, record: &OutputRecord<'_>, done: Delivery) {
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        self.sent.lock().unwrap().push((record.topic.to_owned(), text(record.key), text(record.value)));
        match self.mode {
            Mode::Takes => done(Ok(Offset(7))),
            Mode::Withholds => self.withheld.lock().unwrap().push(done),
            Mode::Refuses(class) => done(Err(PortError::new(class, "write", "no"))),
        }
    }
}

#[derive(Clone, Debug)]
struct Ask;

impl CommandData for Ask {
    fn type_name(&self) -> &'static str {
        "ASK"
    }
    fn from_json(_: &str, _: &RawValue) -> Result<Self, Rejection> {
        Ok(Ask)
    }
    fn to_json(&self) -> Box<RawValue> {
        RawValue::NULL.to_owned()
    }
}

fn gateway(mode: Mode, waiting: usize) -> (Commands, Arc<Log>) {
    let clock = Arc::new(ManualClock::at(Timestamp(1_772_323_200_250)));
    let metrics = Metrics::new(Versions { librdkafka: "", rocksdb: "" }, clock.clone());
    let commands = Commands::new("results", |topic| format!("p-{topic}"), GatewayLimits { waiting }, metrics.commands.clone(), clock);
    let log = Arc::new(Log { mode, ..Log::default() });
    commands.open(log.clone());
    commands.set_following(true);
    (commands, log)
}

fn ask() -> CommandRecord<Ask> {
    CommandRecord { command_id: Some("c-1".into()), actor: Some(Actor { id: "kim".into(), operator: false }), ..CommandRecord::new(Ask) }
}

/// The outcome of the command that was sent last, as its handler writes it.
fn outcome_of(log: &Log) -> Vec<u8> {
    let sent = log.sent.lock().unwrap();
    let command: serde_json::Value = serde_json::from_str(&sent.last().unwrap().2).unwrap();
    let pending = Outcome::pending("c-1", "o-1", Timestamp(1));
    let outcome = Outcome {
        request_id: command["requestId"].as_str().map(str::to_owned),
        state: CommandState::Succeeded,
        version: Some(3),
        ..pending
    };
    serde_json::to_vec(&outcome).unwrap()
}

fn tell(commands: &Commands, value: &[u8]) {
    let headers = Headers::new(vec![Header { name: POSITION_HEADER.into(), value: Some(b"events:1=8".to_vec()) }]);
    commands.deliver(FollowedRecord { key: Some(b"c-1"), value: Some(value), headers: &headers });
}

#[tokio::test]
async fn a_command_is_written_and_answered_by_its_outcome() {
    let (commands, log) = gateway(Mode::Takes, 1);
    let told = async {
        while log.sent.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        tell(&commands, b"no outcome");
        tell(&commands, &serde_json::to_vec(&Outcome::pending("c-1", "o-1", Timestamp(1))).unwrap());
        tell(&commands, &outcome_of(&log));
    };
    let (sent, ()) = tokio::join!(commands.send("commands", "o-1", ask(), Duration::from_secs(5)), told);
    let Sent::Told(told) = sent.unwrap() else { panic!("no outcome") };
    assert_eq!((told.outcome.version, told.position.as_deref()), (Some(3), Some("events:1=8")));
    let sent = log.sent.lock().unwrap();
    assert_eq!(sent.iter().map(|(topic, key, _)| (topic.as_str(), key.as_str())).collect::<Vec<_>>(), [("p-commands", "o-1")]);
    assert_eq!(commands.waiting(), 0);
}

#[tokio::test]
async fn what_does_not_come_in_time_is_pending_and_leaves_nothing_behind() {
    let (commands, log) = gateway(Mode::Takes, 1);
    // Nobody waits any more.
    let late = serde_json::to_vec(&Outcome::pending("c-1", "o-1", Timestamp(1))).unwrap();
    for wait in [Duration::ZERO, Duration::from_millis(20)] {
        tell(&commands, &late);
        let sent = commands.send("commands", "o-1", ask(), wait).await.unwrap();
        assert!(matches!(sent, Sent::Pending), "{sent:?}");
        assert_eq!(commands.waiting(), 0);
        let sent = std::mem::take(&mut *log.sent.lock().unwrap());
        let [(commands, ..), (results, id, note)] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((commands.as_str(), results.as_str(), id.as_str()), ("p-commands", "p-results", "c-1"), "it can be asked for");
        assert_eq!(note, r#"{"commandId":"c-1","aggregateId":"o-1","state":"pending","at":"2026-03-01T00:00:00.250Z"}"#);
    }
}

#[tokio::test]
async fn commands_are_refused_at_the_bound_and_while_outcomes_are_not_heard_of() {
    let (commands, log) = gateway(Mode::Withholds, 1);
    let first = commands.send("commands", "o-1", ask(), Duration::from_secs(5));
    let mut first = std::pin::pin!(first);
    assert!(futures_now(&mut first).await.is_none());
    assert_eq!(commands.send("commands", "o-2", ask(), Duration::ZERO).await.err(), Some(NotSent::Overloaded { waiting: 1 }));
    assert_eq!(commands.look_for_room("ASK"), Err(NotSent::Overloaded { waiting: 1 }));
    // Its place is free when its outcome is told, before it gets to answer anybody.
    tell(&commands, &outcome_of(&log));
    assert_eq!((commands.waiting(), commands.look_for_room("ASK")), (0, Ok(())));
    assert!(matches!(futures_now(&mut first).await, Some(Ok(Sent::Told(_)))));
    commands.set_following(false);
    assert_eq!(commands.send("commands", "o-2", ask(), Duration::ZERO).await.err(), Some(NotSent::NotReady));
}

#[tokio::test]
async fn what_kafka_does_not_take_is_told_by_kind() {
    let (commands, _log) = gateway(Mode::Refuses(PortErrorClass::RecordTooLarge), 1);
    assert!(matches!(commands.send("commands", "o-1", ask(), Duration::ZERO).await, Err(NotSent::TooLarge(_))));
    let (commands, _log) = gateway(Mode::Refuses(PortErrorClass::Retriable), 1);
    assert!(matches!(commands.send("commands", "o-1", ask(), Duration::ZERO).await, Err(NotSent::Unconfirmed(_))));
    assert_eq!(commands.waiting(), 0);
}

/// What a future has now.
async fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}
