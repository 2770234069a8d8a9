//! An order as HTTP answers it. What is unknown is null; times are RFC 3339 in UTC; money has its exact digits.

use std::fmt::Write;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::order_row::{Order, StatusChange};
use super::order_status::{OrderStatus, PaymentStatus, ShippingStatus};
use super::sequence::Sequence;
use crate::events::{Address, Item, format_time};
use crate::money::{Currency, Language, Money};

/// An order as HTTP answers it. Names only ever grow: clients depend on them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderJson<'a> {
    order_id: &'a str,
    user_id: &'a str,
    status: OrderStatus,
    payment_status: PaymentStatus,
    shipping_status: ShippingStatus,
    items: &'a [Item],
    item_count: usize,
    total_amount: Money,
    paid_amount: Money,
    refunded_amount: Money,
    currency: Currency,
    formatted_total: String,
    shipping_address: Option<&'a Address>,
    #[serde(serialize_with = "time")]
    estimated_delivery: Option<i64>,
    #[serde(serialize_with = "time")]
    created_at: Option<i64>,
    #[serde(serialize_with = "time")]
    updated_at: Option<i64>,
    #[serde(serialize_with = "time")]
    approved_at: Option<i64>,
    #[serde(serialize_with = "time")]
    shipped_at: Option<i64>,
    #[serde(serialize_with = "time")]
    delivered_at: Option<i64>,
    #[serde(serialize_with = "time")]
    paid_at: Option<i64>,
    payment_method: Option<&'a str>,
    carrier: Option<&'a str>,
    tracking_number: Option<&'a str>,
    #[serde(serialize_with = "history")]
    status_history: &'a [StatusChange],
    version: u64,
}

impl<'a> OrderJson<'a> {
    /// The answer about an order, to somebody who reads that language. A shell is no order: its caller answers 404.
    pub fn new(order_id: &'a str, order: &'a Order, language: Language) -> Self {
        OrderJson {
            order_id,
            user_id: &order.user_id,
            status: order.status,
            payment_status: order.payment_status,
            shipping_status: order.shipping_status,
            items: &order.items,
            item_count: order.items.len(),
            total_amount: order.total_amount,
            paid_amount: order.paid_amount,
            refunded_amount: order.refunded_amount,
            currency: order.currency,
            formatted_total: order.total_amount.format(order.currency, language),
            shipping_address: order.shipping_address.get().map(|address| &**address),
            estimated_delivery: order.estimated_delivery,
            created_at: order.created_at,
            updated_at: Some(order.updated_at),
            approved_at: order.approved_at.get().copied(),
            shipped_at: order.shipped_at.get().copied(),
            delivered_at: order.delivered_at.get().copied(),
            paid_at: order.paid_at.get().copied(),
            payment_method: order.payment_method.get().map(|method| &**method),
            carrier: order.carrier(),
            tracking_number: order.tracking_number(),
            status_history: &order.status_history,
            version: order.order_versions.version(),
        }
    }
}

/// The entity tag of an order, quoted as HTTP wants it: `"<order>-<payment>-<shipping>"`, the last version of each topic, or
/// the count of its events where they carry none. Events that changed the row without moving that number are counted after
/// a dot (`"7.1-2-0"`), so that no two states of a row share a tag.
pub fn etag(order: &Order) -> String {
    let mut tag = String::from("\"");
    for (i, versions) in [&order.order_versions, &order.payment_versions, &order.shipping_versions].into_iter().enumerate() {
        push_part(&mut tag, if i == 0 { "" } else { "-" }, versions);
    }
    tag.push('"');
    tag
}

fn push_part(tag: &mut String, separator: &str, versions: &Sequence) {
    let written = match versions.unmoved() {
        0 => write!(tag, "{separator}{}", versions.version()),
        unmoved => write!(tag, "{separator}{}.{unmoved}", versions.version()),
    };
    written.expect("writing to a string cannot fail");
}

fn time<S: Serializer>(time_ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    time_ms.map(format_time).serialize(serializer)
}

fn history<S: Serializer>(history: &&[StatusChange], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Change {
        status: OrderStatus,
        at: String,
        version: Option<u64>,
    }
    let mut list = serializer.serialize_seq(Some(history.len()))?;
    for change in *history {
        list.serialize_element(&Change { status: change.status, at: format_time(change.at), version: change.version() })?;
    }
    list.end()
}
