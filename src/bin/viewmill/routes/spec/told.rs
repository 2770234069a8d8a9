//! The shapes of answers. What is unknown is null; names only ever grow.

use serde_json::{Map, Value, json};

use super::schema;
use crate::commands::Step;
use crate::views::OrderStatus;

/// Under their names.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Money", json!({"type": "number", "description": "Exact: its digits are those of the amount."})),
        ("Currency", json!({"type": "string", "pattern": "^[A-Z]{3}$"})),
        ("OrderStatus", json!({"type": "string", "enum": OrderStatus::ALL.map(OrderStatus::name)})),
        ("PaymentStatus", json!({"type": "string", "enum": ["PENDING", "PAID", "FAILED", "PARTIALLY_REFUNDED", "REFUNDED"]})),
        (
            "ShippingStatus",
            json!({
                "type": "string",
                "enum": ["NOT_SHIPPED", "PREPARING", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED", "DELIVERY_FAILED"],
            }),
        ),
        (
            "Step",
            json!({"type": "string", "enum": Step::ALL.map(Step::name), "description": "What can be asked of an order: the end of its route."}),
        ),
        ("Item", item()),
        ("Address", address()),
        ("Order", order()),
        ("OrderList", order_list()),
        ("EventList", event_list()),
        ("Counts", counts()),
        (
            "Revenue",
            object(json!({"gross": schema("Money"), "paid": schema("Money"), "refunded": schema("Money"), "net": schema("Money")})),
        ),
        ("Dashboard", dashboard()),
        ("Done", done()),
        ("Created", created()),
        ("Pending", pending()),
        ("KnownCommand", known_command()),
    ]
}

/// An object of which every member is always there. Later versions may have more.
fn object(properties: Value) -> Value {
    let required: Vec<String> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn text_or_null() -> Value {
    json!({"type": ["string", "null"]})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn time_or_null() -> Value {
    json!({"type": ["string", "null"], "format": "date-time"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn item() -> Value {
    object(json!({"productId": text(), "name": text_or_null(), "price": schema("Money"), "quantity": count()}))
}

fn address() -> Value {
    object(json!({
        "recipient": text_or_null(),
        "street": text_or_null(),
        "city": text_or_null(),
        "postalCode": text_or_null(),
        "country": text_or_null(),
        "express": {"type": "boolean"},
    }))
}

fn order() -> Value {
    let change = object(json!({"status": schema("OrderStatus"), "at": time(), "version": {"type": ["integer", "null"]}}));
    object(json!({
        "orderId": text(),
        "userId": text(),
        "status": schema("OrderStatus"),
        "paymentStatus": schema("PaymentStatus"),
        "shippingStatus": schema("ShippingStatus"),
        "items": {"type": "array", "items": schema("Item")},
        "itemCount": {"type": "integer", "minimum": 0, "description": "Lines, not pieces."},
        "totalAmount": schema("Money"),
        "paidAmount": schema("Money"),
        "refundedAmount": schema("Money"),
        "currency": schema("Currency"),
        "formattedTotal": {"type": "string", "description": "As a reader of the language that `Accept-Language` asks for reads it."},
        "shippingAddress": {"anyOf": [schema("Address"), {"type": "null"}]},
        "estimatedDelivery": time_or_null(),
        "createdAt": time_or_null(),
        "updatedAt": time_or_null(),
        "approvedAt": time_or_null(),
        "shippedAt": time_or_null(),
        "deliveredAt": time_or_null(),
        "paidAt": time_or_null(),
        "paymentMethod": text_or_null(),
        "carrier": text_or_null(),
        "trackingNumber": text_or_null(),
        "statusHistory": {"type": "array", "items": change},
        "version": {"type": "integer", "minimum": 0, "description": "Of ORDER_* events: what `If-Match` compares."},
    }))
}

fn order_list() -> Value {
    object(json!({
        "orders": {"type": "array", "items": schema("Order")},
        "total": {"type": "integer", "minimum": 0, "description": "How many there are on all pages."},
        "limit": {"type": "integer", "minimum": 1},
        "nextCursor": {"type": ["string", "null"], "description": "Where the next page begins; null on the last."},
    }))
}

fn event_list() -> Value {
    let event = object(json!({
        "topic": text(),
        "partition": {"type": "integer", "minimum": 0},
        "offset": {"type": "integer", "minimum": 0},
        "version": {"type": ["integer", "null"], "minimum": 0, "description": "Per topic."},
        "eventId": text_or_null(),
        "type": text(),
        "timestamp": {"type": "string", "format": "date-time"},
        "actor": {"description": "Who asked for it; null where nobody said so."},
        "commandId": text_or_null(),
        "correlationId": text_or_null(),
        "causationId": text_or_null(),
        "data": {"description": "As it stands in the log."},
    }));
    object(json!({
        "orderId": text(),
        "events": {"type": "array", "items": event},
        "total": {"type": "integer", "minimum": 0, "description": "How many there are on all pages."},
        "truncated": {"type": "boolean", "description": "There were more, which cannot be read any more."},
        "limit": {"type": "integer", "minimum": 1},
        "nextCursor": {"type": ["string", "null"], "description": "Where the next page begins; null on the last."},
    }))
}

fn counts() -> Value {
    let all: Map<String, Value> = OrderStatus::ALL.into_iter().map(|status| (status.name().to_owned(), count())).collect();
    object(all.into())
}

fn dashboard() -> Value {
    object(json!({
        "total": count(),
        "byStatus": schema("Counts"),
        "revenue": {
            "type": "object",
            "propertyNames": schema("Currency"),
            "additionalProperties": schema("Revenue"),
            "description": "By currency. Cancelled and rejected orders are not in `gross`; `net` is paid less refunded.",
        },
    }))
}

/// What an order tells of itself after a command.
fn done_members() -> Value {
    json!({
        "success": {"const": true},
        "orderId": text(),
        "status": schema("OrderStatus"),
        "paymentStatus": schema("PaymentStatus"),
        "shippingStatus": schema("ShippingStatus"),
        "totalAmount": schema("Money"),
        "currency": schema("Currency"),
        "version": count(),
    })
}

fn done() -> Value {
    object(done_members())
}

fn created() -> Value {
    let mut members = done_members();
    members["commandId"] = text();
    members["message"] = text();
    object(members)
}

fn pending() -> Value {
    object(json!({"commandId": text(), "orderId": text(), "state": {"const": "pending"}}))
}

fn known_command() -> Value {
    let mut known = object(json!({
        "commandId": text(),
        "orderId": text(),
        "state": {"type": "string", "enum": ["pending", "succeeded", "rejected"]},
    }));
    known["properties"]["code"] = json!({"type": "string", "description": "Why it was rejected: that of the problem."});
    known["properties"]["detail"] = text();
    known["properties"]["data"] =
        json!({"type": "object", "description": "What the order told of itself, or what else is known of the rejection."});
    known
}
