//! What every event says about itself, packed: an event crosses several edges, so its many ids share one allocation.

use std::borrow::Cow;

use super::packed::Packed;

/// What an event says about itself: which order, which version, when, and because of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// In the order of [`Label`].
    labels: Packed<7>,
    version: Option<u64>,
    schema_version: Option<u32>,
    time_ms: Option<i64>,
}

/// The parts of an envelope before it is packed. Only the aggregate's id is needed.
#[derive(Clone, Debug, Default)]
pub struct EnvelopeParts<'a> {
    /// The order's id.
    pub aggregate_id: Cow<'a, str>,
    /// The event's own id, a UUID v7 when it is ours.
    pub event_id: Option<Cow<'a, str>>,
    /// The kind of aggregate.
    pub aggregate_type: Option<Cow<'a, str>>,
    /// What the whole conversation is known by.
    pub correlation_id: Option<Cow<'a, str>>,
    /// The id of the event or command that led to this one.
    pub causation_id: Option<Cow<'a, str>>,
    /// The command that led to this event.
    pub command_id: Option<Cow<'a, str>>,
    /// Who did it: a JSON text, since writers use strings as well as objects.
    pub actor: Option<Cow<'a, str>>,
    /// 1, 2, 3 … for each order and topic.
    pub version: Option<u64>,
    /// The version of the layout of `data`.
    pub schema_version: Option<u32>,
    /// Event time, milliseconds since the Unix epoch.
    pub time_ms: Option<i64>,
}

/// The place of each label in the packed text.
#[derive(Clone, Copy)]
enum Label {
    AggregateId,
    EventId,
    AggregateType,
    CorrelationId,
    CausationId,
    CommandId,
    Actor,
}

impl Envelope {
    /// Packs the parts.
    pub fn new(parts: &EnvelopeParts<'_>) -> Envelope {
        let labels = Packed::new([
            Some(&parts.aggregate_id),
            parts.event_id.as_deref(),
            parts.aggregate_type.as_deref(),
            parts.correlation_id.as_deref(),
            parts.causation_id.as_deref(),
            parts.command_id.as_deref(),
            parts.actor.as_deref(),
        ]);
        Envelope { labels, version: parts.version, schema_version: parts.schema_version, time_ms: parts.time_ms }
    }

    /// The order's id.
    pub fn aggregate_id(&self) -> &str {
        self.label(Label::AggregateId).unwrap_or_default()
    }

    /// The event's own id.
    pub fn event_id(&self) -> Option<&str> {
        self.label(Label::EventId)
    }

    /// The kind of aggregate, if the writer said it.
    pub fn aggregate_type(&self) -> Option<&str> {
        self.label(Label::AggregateType)
    }

    /// What the whole conversation is known by.
    pub fn correlation_id(&self) -> Option<&str> {
        self.label(Label::CorrelationId)
    }

    /// The id of the event or command that led to this one.
    pub fn causation_id(&self) -> Option<&str> {
        self.label(Label::CausationId)
    }

    /// The command that led to this event.
    pub fn command_id(&self) -> Option<&str> {
        self.label(Label::CommandId)
    }

    /// Who did it, as the JSON text that its writer chose.
    pub fn actor(&self) -> Option<&str> {
        self.label(Label::Actor)
    }

    /// 1, 2, 3 … for each order and topic; none from writers that do not count.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The version of the layout of `data`. Layouts only grow, so a newer one is read like the last known.
    pub fn schema_version(&self) -> Option<u32> {
        self.schema_version
    }

    /// When it happened, in milliseconds since the Unix epoch; without it the record's own time counts.
    pub fn time_ms(&self) -> Option<i64> {
        self.time_ms
    }

    fn label(&self, label: Label) -> Option<&str> {
        self.labels.get(label as usize)
    }
}
