//! The bodies of commands, as `crate::commands` reads them: nothing missing, nothing unknown; `null` is the same as absent.

use serde_json::{Value, json};

use super::schema;
use crate::money::Currency;
use crate::settings::OrderSettings;

/// Under their names.
pub(super) fn schemas(settings: OrderSettings) -> Vec<(&'static str, Value)> {
    let payment = json!({
        "oneOf": [schema("PaymentArrived"), schema("PaymentFailed")],
        "description": "A payment that arrived, or one that failed: that has a `code`.",
    });
    vec![
        ("Amount", amount()),
        (
            "ListedCurrency",
            json!({"type": "string", "enum": Currency::listed().collect::<Vec<_>>(), "description": "ISO 4217, as in use today."}),
        ),
        ("NewItem", new_item()),
        ("NewAddress", new_address()),
        ("CreateOrder", create_order(settings.default_currency)),
        ("ApproveOrder", object(&[], json!({"note": or_null(remark())}))),
        ("RejectOrder", object(&["reason"], json!({"reason": remark()}))),
        ("CancelOrder", object(&["reason"], json!({"reason": remark()}))),
        (
            "ShipOrder",
            object(&["carrier", "trackingNumber"], json!({"carrier": line(), "trackingNumber": id(), "shippedAt": or_null(time())})),
        ),
        ("DeliverOrder", object(&[], json!({"deliveredAt": or_null(time())}))),
        ("ChangeAddress", object(&["shippingAddress"], json!({"shippingAddress": schema("NewAddress")}))),
        (
            "PaymentArrived",
            object(&["paymentId", "method", "amount"], json!({"paymentId": id(), "method": id(), "amount": schema("Amount")})),
        ),
        ("PaymentFailed", object(&["paymentId", "code"], json!({"paymentId": id(), "code": id()}))),
        ("Payment", payment),
        ("Refund", object(&["amount", "reason"], json!({"refundId": or_null(id()), "amount": schema("Amount"), "reason": remark()}))),
    ]
}

/// An object with these members and no others.
fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn amount() -> Value {
    json!({
        "type": ["number", "string"],
        "description": "An exact decimal of more than 0 and at most 28 digits; also as text, for clients whose numbers are binary.",
        "exclusiveMinimum": 0,
        "pattern": "^(?=.*[1-9])[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?$",
        "examples": [12.5, "12.50"],
    })
}

fn new_item() -> Value {
    let quantity = json!({"type": "integer", "minimum": 1, "maximum": u32::MAX});
    object(
        &["productId", "name", "price", "quantity"],
        json!({"productId": id(), "name": line(), "price": schema("Amount"), "quantity": quantity}),
    )
}

fn new_address() -> Value {
    let express = json!({"type": ["boolean", "null"], "default": false});
    object(
        &["recipient", "street", "city", "postalCode", "country"],
        json!({"recipient": line(), "street": line(), "city": line(), "postalCode": line(), "country": line(), "express": express}),
    )
}

fn create_order(default_currency: Currency) -> Value {
    let currency = json!({
        "anyOf": [schema("ListedCurrency"), {"type": "null"}],
        "description": format!("Of all prices; {default_currency} where none is given."),
    });
    let mut order = object(
        &["userId", "items", "shippingAddress"],
        json!({
            "userId": id(),
            "items": {"type": "array", "minItems": 1, "maxItems": 200, "items": schema("NewItem")},
            "shippingAddress": schema("NewAddress"),
            "currency": currency,
        }),
    );
    order["description"] = "The total is computed; it must have at most 28 digits.".into();
    order
}

fn id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 200})
}

fn line() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 500})
}

fn remark() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 2_000})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}
