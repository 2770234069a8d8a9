//! From a command to JSON, under the names that reading knows. What was not given is left out.

use serde::Serialize;
use serde_json::value::RawValue;
use viewmill::command::Members;

use super::OrderCommand;
use crate::events::format_time;

/// The data of a command.
pub fn data(command: &OrderCommand) -> Box<RawValue> {
    let mut data = Members::new();
    match command {
        OrderCommand::Create(order) => {
            data.set("userId", &order.user_id);
            data.set("items", order.items());
            set_some(&mut data, "currency", order.currency);
            data.set("shippingAddress", &order.shipping_address);
        }
        OrderCommand::Approve { note } => set_some(&mut data, "note", note.as_ref()),
        OrderCommand::Reject { reason } | OrderCommand::Cancel { reason } => data.set("reason", reason),
        OrderCommand::Ship(shipped) => {
            set_some(&mut data, "carrier", shipped.carrier.as_ref());
            set_some(&mut data, "trackingNumber", shipped.tracking_number.as_ref());
            set_some(&mut data, "shippedAt", shipped.shipped_at.map(format_time));
        }
        OrderCommand::Deliver { delivered_at } => set_some(&mut data, "deliveredAt", delivered_at.map(format_time)),
        OrderCommand::ChangeAddress { shipping_address } => data.set("shippingAddress", shipping_address),
        OrderCommand::RecordPayment(payment) => {
            data.set("paymentId", &payment.payment_id);
            set_some(&mut data, "method", payment.method.as_ref());
            data.set("amount", &payment.amount);
        }
        OrderCommand::FailPayment(failure) => {
            data.set("paymentId", &failure.payment_id);
            set_some(&mut data, "code", failure.code.as_ref());
        }
        OrderCommand::RefundPayment(refund) => {
            data.set("paymentId", &refund.payment_id);
            set_some(&mut data, "refundId", refund.refund_id.as_ref());
            data.set("amount", &refund.amount);
            data.set("reason", &refund.reason);
        }
    }
    serde_json::value::to_raw_value(&data).expect("names with JSON are an object")
}

fn set_some(data: &mut Members, name: &'static str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        data.set(name, &value);
    }
}
