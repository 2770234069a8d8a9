//! From JSON to a command.
//!
//! Bounds of texts are in characters. A total that the client computed (`totalAmount`) is an unknown member like any other: it could only
//! be right, and then it says nothing, or wrong.

use serde_json::value::RawValue;
use viewmill::command::Rejection;

use super::fault::{self, FaultCode, Faults};
use super::form::{Form, Value};
use super::{CreateOrder, OrderCommand, RefundPayment};
use crate::events::{Address, AddressLines, Item, OrderShipped, PaymentCompleted, PaymentFailed, Text};
use crate::money::Money;

/// The most lines of an order.
pub const MAX_ITEMS: usize = 200;
/// The most characters of an id, a code, or a method.
pub const MAX_ID_CHARS: usize = 200;
/// The most characters of a name, or of a line of an address.
pub const MAX_LINE_CHARS: usize = 500;
/// The most characters of a note or a reason.
pub const MAX_REMARK_CHARS: usize = 2_000;

type Read = fn(&mut Form<'_, '_>) -> Option<OrderCommand>;

/// Reads the data of a command of that type.
///
/// # Errors
/// `validation-failed` with all faults at once, each at its JSON pointer into the data.
pub fn command(type_name: &str, data: &RawValue) -> Result<OrderCommand, Rejection> {
    let Some(read) = reader(type_name) else {
        return Err(fault::reject("", FaultCode::Unknown, "its type is none that this application knows"));
    };
    let mut faults = Faults::default();
    match Value::new(data, &mut faults).object(read) {
        Some(command) if faults.is_empty() => Ok(command),
        _ => Err(faults.reject()),
    }
}

fn reader(type_name: &str) -> Option<Read> {
    let read: Read = match type_name {
        "CREATE_ORDER" => create,
        "APPROVE_ORDER" => |form| form.optional("note", remark).map(|note| OrderCommand::Approve { note }),
        "REJECT_ORDER" => |form| form.required("reason", remark).map(|reason| OrderCommand::Reject { reason }),
        "SHIP_ORDER" => ship,
        "DELIVER_ORDER" => |form| form.optional("deliveredAt", time).map(|delivered_at| OrderCommand::Deliver { delivered_at }),
        "CANCEL_ORDER" => |form| form.required("reason", remark).map(|reason| OrderCommand::Cancel { reason }),
        "CHANGE_SHIPPING_ADDRESS" => |form| {
            let shipping_address = form.required("shippingAddress", address)?.into();
            Some(OrderCommand::ChangeAddress { shipping_address })
        },
        "RECORD_PAYMENT" => record_payment,
        "FAIL_PAYMENT" => fail_payment,
        "REFUND_PAYMENT" => refund_payment,
        _ => return None,
    };
    Some(read)
}

// In each of these all members are read before the first is needed.

fn create(form: &mut Form<'_, '_>) -> Option<OrderCommand> {
    let user_id = form.required("userId", id);
    let items = form.required("items", |list| list.list(MAX_ITEMS, item));
    let shipping_address = form.required("shippingAddress", address);
    let currency = form.optional("currency", |value| value.currency());
    match CreateOrder::new(user_id?, items?, shipping_address?, currency?) {
        Ok(order) => Some(OrderCommand::Create(order)),
        Err(_) => form.fault("items", FaultCode::OutOfRange, "must have a total of at most 28 digits"),
    }
}

fn item(value: Value<'_, '_>) -> Option<Item> {
    value.object(|form| {
        let (product_id, name) = (form.required("productId", id), form.required("name", line));
        let (price, quantity) = (form.required("price", amount), form.required("quantity", |value| value.quantity()));
        Some(Item::new(&product_id?, Some(&*name?), price?, quantity?))
    })
}

fn address(value: Value<'_, '_>) -> Option<Address> {
    value.object(|form| {
        let (recipient, street, city) = (form.required("recipient", line), form.required("street", line), form.required("city", line));
        let (postal_code, country) = (form.required("postalCode", line), form.required("country", line));
        let express = form.optional("express", |value| value.flag());
        let (recipient, street, city, postal_code, country) = (recipient?, street?, city?, postal_code?, country?);
        let lines = AddressLines {
            recipient: Some(&recipient),
            street: Some(&street),
            city: Some(&city),
            postal_code: Some(&postal_code),
            country: Some(&country),
        };
        Some(Address::new(lines, express?.unwrap_or_default()))
    })
}

fn ship(form: &mut Form<'_, '_>) -> Option<OrderCommand> {
    let (carrier, tracking_number) = (form.required("carrier", line), form.required("trackingNumber", id));
    let shipped_at = form.optional("shippedAt", time);
    Some(OrderCommand::Ship(OrderShipped { shipped_at: shipped_at?, carrier: Some(carrier?), tracking_number: Some(tracking_number?) }))
}

fn record_payment(form: &mut Form<'_, '_>) -> Option<OrderCommand> {
    let (payment_id, method) = (form.required("paymentId", id), form.required("method", id));
    let amount = form.required("amount", amount);
    Some(OrderCommand::RecordPayment(PaymentCompleted { payment_id: payment_id?, method: Some(method?), amount: amount? }))
}

fn fail_payment(form: &mut Form<'_, '_>) -> Option<OrderCommand> {
    let (payment_id, code) = (form.required("paymentId", id), form.required("code", id));
    Some(OrderCommand::FailPayment(PaymentFailed { payment_id: payment_id?, code: Some(code?) }))
}

fn refund_payment(form: &mut Form<'_, '_>) -> Option<OrderCommand> {
    let (payment_id, refund_id) = (form.required("paymentId", id), form.optional("refundId", id));
    let (amount, reason) = (form.required("amount", amount), form.required("reason", remark));
    let refund = RefundPayment { payment_id: payment_id?, refund_id: refund_id?, amount: amount?, reason: reason? };
    Some(OrderCommand::RefundPayment(refund))
}

fn id(value: Value<'_, '_>) -> Option<Text> {
    value.text(MAX_ID_CHARS)
}

fn line(value: Value<'_, '_>) -> Option<Text> {
    value.text(MAX_LINE_CHARS)
}

fn remark(value: Value<'_, '_>) -> Option<Text> {
    value.text(MAX_REMARK_CHARS)
}

fn amount(value: Value<'_, '_>) -> Option<Money> {
    value.amount()
}

fn time(value: Value<'_, '_>) -> Option<i64> {
    value.time()
}
