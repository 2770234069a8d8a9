//! One order on its way from its arrival to its end, writing its events one by one.

use std::cmp::Ordering;

use fastrand::Rng;
use uuid::Uuid;

use super::SampleEvent;
use super::plan::{Plan, Step};
use crate::events::{Body, EnvelopeParts, Event};

/// An order under way, ordered by when it writes next.
pub(super) struct Life {
    number: u64,
    order_id: String,
    correlation_id: String,
    rng: Rng,
    /// How many events each topic has got of this order.
    versions: [u64; 3],
    /// What is still to be written, the next one last.
    steps: Vec<Step>,
}

impl Life {
    /// Plans the life of the order of that number, out of so many, that arrives at that time.
    pub(super) fn new(mut rng: Rng, number: u64, orders: u64, arrival_ms: i64) -> Life {
        let correlation_id = event_id(&mut rng, arrival_ms);
        let date = crate::events::format_time(arrival_ms)[..10].replace('-', "");
        let mut steps = Plan::new(&mut rng, number, orders, arrival_ms).into_steps();
        steps.sort_by_key(|step| step.written_ms);
        steps.reverse();
        Life { number, order_id: format!("ORD-{date}-{number:07}"), correlation_id, rng, versions: [0; 3], steps }
    }

    pub(super) fn is_over(&self) -> bool {
        self.steps.is_empty()
    }

    /// When the next event is written; never, when there is none.
    pub(super) fn next_ms(&self) -> i64 {
        self.steps.last().map_or(i64::MAX, |step| step.written_ms)
    }

    /// The next event. Must not be called when the life is over.
    pub(super) fn write_next(&mut self) -> SampleEvent {
        let step = self.steps.pop().expect("a life is taken off the agenda when it is over");
        let version = match &step.body {
            Body::Order(_) => &mut self.versions[0],
            Body::Payment(_) => &mut self.versions[1],
            Body::Shipment(_) => &mut self.versions[2],
        };
        *version += 1;
        let parts = EnvelopeParts {
            aggregate_id: self.order_id.as_str().into(),
            event_id: Some(event_id(&mut self.rng, step.happened_ms).into()),
            aggregate_type: Some("Order".into()),
            correlation_id: Some(self.correlation_id.as_str().into()),
            version: Some(*version),
            schema_version: Some(1),
            time_ms: Some(step.happened_ms),
            ..EnvelopeParts::default()
        };
        let event = Event::new(&parts, step.body);
        SampleEvent {
            topic: event.axis().topic(),
            key: self.order_id.clone(),
            value: serde_json::to_vec(&event).expect("an event of ours can be written"),
            timestamp_ms: step.written_ms,
        }
    }
}

impl Ord for Life {
    fn cmp(&self, other: &Life) -> Ordering {
        (self.next_ms(), self.number).cmp(&(other.next_ms(), other.number))
    }
}

impl PartialOrd for Life {
    fn partial_cmp(&self, other: &Life) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Life {
    fn eq(&self, other: &Life) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Life {}

/// A UUID v7 of that time whose random part comes from the seed.
fn event_id(rng: &mut Rng, time_ms: i64) -> String {
    let mut random = [0; 10];
    rng.fill(&mut random);
    let id: Uuid = uuid::Builder::from_unix_timestamp_millis(time_ms.max(0).unsigned_abs(), &random).into_uuid();
    id.to_string()
}
