//! The view `orders` once more, slow and from its definition, to check the real one against.
//!
//! It takes the whole log of one order at once: drops what does not count, puts the rest into the order of versions, and
//! lets each event overwrite what came before it, in plain JSON. Money is counted in cents.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

/// A record of an order's log.
#[derive(Clone, Debug)]
pub struct Logged {
    pub json: String,
    pub record_time_ms: i64,
}

/// The answer about the order, or none when it is a shell or unknown.
pub fn answer(order_id: &str, log: &[Logged]) -> Option<Value> {
    let mut topics: BTreeMap<&str, Vec<(u64, usize, Value, i64)>> = BTreeMap::new();
    let mut last_version: BTreeMap<&str, u64> = BTreeMap::new();
    let mut count: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen: HashSet<String> = HashSet::new();
    let mut updated = i64::MIN;
    for (i, logged) in log.iter().enumerate() {
        let event: Value = serde_json::from_str(&logged.json).unwrap();
        let kind = event["type"].as_str().unwrap();
        let topic = ["ORDER", "PAYMENT", "SHIPMENT"].into_iter().find(|topic| kind.starts_with(topic)).unwrap();
        let version = event["version"].as_u64();
        if version.is_some_and(|version| !seen.insert(format!("{topic} {version}"))) {
            continue;
        }
        *count.entry(topic).or_default() += 1;
        let last = last_version.entry(topic).or_default();
        *last = version.unwrap_or(0).max(*last);
        let place = version.unwrap_or(*last);
        let once = match kind {
            "ORDER_CREATED" => Some("created".to_owned()),
            "PAYMENT_COMPLETED" => Some(format!("payment {}", event["data"]["paymentId"])),
            "PAYMENT_REFUNDED" => Some(format!("refund {}", event["data"]["refundId"])),
            _ => None,
        };
        if once.is_some_and(|once| !seen.insert(once)) {
            continue;
        }
        let at = event["timestamp"].as_str().map_or(logged.record_time_ms, millis);
        updated = updated.max(at);
        topics.entry(topic).or_default().push((place, i, event, at));
    }

    let mut row = Map::new();
    let (mut paid, mut refunded, mut payments, mut failed) = (0, 0, 0, false);
    let mut history = Vec::new();
    for events in topics.values_mut() {
        events.sort_by_key(|(place, arrived, ..)| (*place, *arrived));
        for (_, _, event, at) in events {
            let data = &event["data"];
            let copy = |row: &mut Map<String, Value>, names: &[&str]| {
                for name in names.iter().filter(|name| !data[**name].is_null()) {
                    row.insert((*name).to_owned(), data[*name].clone());
                }
            };
            let mut status = |row: &mut Map<String, Value>, status: &str| {
                row.insert("status".into(), status.into());
                history.push(json!({"status": status, "at": text(*at), "version": event["version"]}));
            };
            match event["type"].as_str().unwrap() {
                "ORDER_CREATED" => {
                    status(&mut row, "CREATED");
                    copy(&mut row, &["userId", "items", "totalAmount", "currency", "shippingAddress", "estimatedDelivery"]);
                    row.insert("createdAt".into(), text(*at).into());
                }
                "ORDER_APPROVED" => {
                    status(&mut row, "APPROVED");
                    row.insert("approvedAt".into(), text(*at).into());
                }
                "ORDER_REJECTED" => status(&mut row, "REJECTED"),
                "ORDER_CANCELLED" => status(&mut row, "CANCELLED"),
                "ORDER_SHIPPED" => {
                    status(&mut row, "SHIPPED");
                    row.insert("shippedAt".into(), text(*at).into());
                    copy(&mut row, &["shippedAt", "carrier", "trackingNumber"]);
                }
                "ORDER_DELIVERED" => {
                    status(&mut row, "DELIVERED");
                    row.insert("deliveredAt".into(), text(*at).into());
                    copy(&mut row, &["deliveredAt"]);
                }
                "ORDER_ADDRESS_CHANGED" => copy(&mut row, &["shippingAddress"]),
                "PAYMENT_COMPLETED" => {
                    payments += 1;
                    paid += cents(&data["amount"]);
                    row.insert("paidAt".into(), text(*at).into());
                    if !data["method"].is_null() {
                        row.insert("paymentMethod".into(), data["method"].clone());
                    }
                }
                "PAYMENT_FAILED" => failed = true,
                "PAYMENT_REFUNDED" => refunded += cents(&data["amount"]),
                shipment => {
                    let status = match shipment {
                        "SHIPMENT_CREATED" => "PREPARING",
                        other => other.strip_prefix("SHIPMENT_").unwrap(),
                    };
                    row.insert("shippingStatus".into(), status.into());
                    for (from, to) in [("carrier", "warehouseCarrier"), ("trackingNumber", "warehouseNumber")] {
                        if !data[from].is_null() {
                            row.insert(to.into(), data[from].clone());
                        }
                    }
                }
            }
        }
    }

    row.contains_key("createdAt").then(|| {
        let get = |name: &str| row.get(name).cloned().unwrap_or(Value::Null);
        let either = |name: &str, other: &str| if get(name).is_null() { get(other) } else { get(name) };
        let order = last_version.get("ORDER").copied().filter(|last| *last > 0).or(count.get("ORDER").copied());
        json!({
            "orderId": order_id, "userId": get("userId"), "status": get("status"),
            "paymentStatus": match (payments, failed, refunded) {
                (0, false, 0) => "PENDING",
                (0, true, 0) => "FAILED",
                (_, _, 0) => "PAID",
                _ if refunded < paid => "PARTIALLY_REFUNDED",
                _ => "REFUNDED",
            },
            "shippingStatus": row.get("shippingStatus").cloned().unwrap_or("NOT_SHIPPED".into()),
            "items": get("items").as_array().unwrap().iter().map(|item| {
                let mut item = item.clone();
                item["price"] = decimal(cents(&item["price"]));
                item
            }).collect::<Vec<_>>(),
            "itemCount": get("items").as_array().unwrap().len(),
            "totalAmount": decimal(cents(&get("totalAmount"))), "paidAmount": decimal(paid), "refundedAmount": decimal(refunded),
            "currency": either("currency", "none").as_str().unwrap_or("KRW"),
            "shippingAddress": get("shippingAddress"), "estimatedDelivery": get("estimatedDelivery"),
            "createdAt": get("createdAt"), "updatedAt": text(updated), "approvedAt": get("approvedAt"), "shippedAt": get("shippedAt"),
            "deliveredAt": get("deliveredAt"), "paidAt": get("paidAt"), "paymentMethod": get("paymentMethod"),
            "carrier": either("carrier", "warehouseCarrier"), "trackingNumber": either("trackingNumber", "warehouseNumber"),
            "statusHistory": history, "version": order,
        })
    })
}

fn millis(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn text(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).unwrap().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The amounts of the tests are strings with two digits after the point.
fn cents(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// As a JSON reader sees the digits.
fn decimal(cents: i64) -> Value {
    serde_json::from_str(&format!("{}.{:02}", cents / 100, cents % 100)).unwrap()
}
