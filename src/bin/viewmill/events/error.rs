//! Why the bytes of a record are no event.

/// The most bytes of a fault that are kept: it may quote the input, which may be large.
const MAX_DETAIL_BYTES: usize = 400;

/// Why the bytes of a record are no event. Each of them is a case for the poison policy of its source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// JSON is UTF-8; these bytes are not.
    #[error("cannot read the event: not UTF-8 from byte {valid_up_to} on")]
    NotUtf8 {
        /// The first byte that is wrong, from 0.
        valid_up_to: usize,
    },
    /// Not JSON, or a field is missing, doubled or of the wrong kind; the detail names the field.
    #[error("cannot read the event: {detail}")]
    Malformed {
        /// What is wrong and where.
        detail: String,
    },
    /// The type is none that this application knows.
    #[error("cannot read the event: unknown type `{name}`")]
    UnknownType {
        /// The type as written.
        name: String,
    },
    /// The order named in `data` is not the one that the event is about.
    #[error("cannot read the event: data.orderId is `{order_id}`, but aggregateId is `{aggregate_id}`")]
    OrderDiffers {
        /// `data.orderId`.
        order_id: String,
        /// `aggregateId`.
        aggregate_id: String,
    },
}

impl EventError {
    pub(super) fn malformed(detail: &impl ToString) -> EventError {
        EventError::Malformed { detail: shortened(&detail.to_string()) }
    }

    pub(super) fn unknown_type(name: &str) -> EventError {
        EventError::UnknownType { name: shortened(name) }
    }

    pub(super) fn order_differs(order_id: &str, aggregate_id: &str) -> EventError {
        EventError::OrderDiffers { order_id: shortened(order_id), aggregate_id: shortened(aggregate_id) }
    }
}

/// The text, with its middle left out when it is long: a fault's cause and its place stand at its ends.
fn shortened(text: &str) -> String {
    if text.len() <= MAX_DETAIL_BYTES {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(MAX_DETAIL_BYTES / 2);
    let tail = text.ceil_char_boundary(text.len() - MAX_DETAIL_BYTES / 2);
    format!("{}…{}", &text[..head], &text[tail..])
}
