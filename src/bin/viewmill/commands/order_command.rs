//! What can be asked of an order.

use std::sync::Arc;

use serde_json::value::RawValue;
use viewmill::command::{CommandData, Rejection};

use super::{CreateOrder, Step, read, write};
use crate::events::{Address, OrderShipped, PaymentCompleted, PaymentFailed, Text};
use crate::money::Money;

/// What can be asked of an order, without its id. Names and members in JSON only ever grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderCommand {
    /// `CREATE_ORDER`.
    Create(CreateOrder),
    /// `APPROVE_ORDER`.
    Approve {
        /// For people.
        note: Option<Text>,
    },
    /// `REJECT_ORDER`.
    Reject {
        /// Why, for people.
        reason: Text,
    },
    /// `SHIP_ORDER`: carrier and tracking number are always there.
    Ship(OrderShipped),
    /// `DELIVER_ORDER`.
    Deliver {
        /// When, if not now; milliseconds since the Unix epoch.
        delivered_at: Option<i64>,
    },
    /// `CANCEL_ORDER`.
    Cancel {
        /// Why, for people.
        reason: Text,
    },
    /// `CHANGE_SHIPPING_ADDRESS`.
    ChangeAddress {
        /// Where it goes from now on.
        shipping_address: Arc<Address>,
    },
    /// `RECORD_PAYMENT`: the method is always there.
    RecordPayment(PaymentCompleted),
    /// `FAIL_PAYMENT`: the code is always there.
    FailPayment(PaymentFailed),
    /// `REFUND_PAYMENT`.
    RefundPayment(RefundPayment),
}

/// Money that is to go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundPayment {
    /// The payment that it was part of.
    pub payment_id: Text,
    /// The same id twice is one refund; without one, each command is a refund of its own.
    pub refund_id: Option<Text>,
    /// How much.
    pub amount: Money,
    /// Why, for people.
    pub reason: Text,
}

impl CommandData for OrderCommand {
    fn type_name(&self) -> &'static str {
        match self {
            OrderCommand::Create(_) => "CREATE_ORDER",
            OrderCommand::Approve { .. } => "APPROVE_ORDER",
            OrderCommand::Reject { .. } => "REJECT_ORDER",
            OrderCommand::Ship(_) => "SHIP_ORDER",
            OrderCommand::Deliver { .. } => "DELIVER_ORDER",
            OrderCommand::Cancel { .. } => "CANCEL_ORDER",
            OrderCommand::ChangeAddress { .. } => "CHANGE_SHIPPING_ADDRESS",
            OrderCommand::RecordPayment(_) => "RECORD_PAYMENT",
            OrderCommand::FailPayment(_) => "FAIL_PAYMENT",
            OrderCommand::RefundPayment(_) => "REFUND_PAYMENT",
        }
    }

    fn from_json(type_name: &str, data: &RawValue) -> Result<OrderCommand, Rejection> {
        read::command(type_name, data)
    }

    fn to_json(&self) -> Box<RawValue> {
        write::data(self)
    }
}

impl OrderCommand {
    /// What it does with an order that is there; none for the command that needs one that is not.
    pub fn step(&self) -> Option<Step> {
        Some(match self {
            OrderCommand::Create(_) => return None,
            OrderCommand::Approve { .. } => Step::Approve,
            OrderCommand::Reject { .. } => Step::Reject,
            OrderCommand::Ship(_) => Step::Ship,
            OrderCommand::Deliver { .. } => Step::Deliver,
            OrderCommand::Cancel { .. } => Step::Cancel,
            OrderCommand::ChangeAddress { .. } => Step::Address,
            OrderCommand::RecordPayment(_) | OrderCommand::FailPayment(_) => Step::Payments,
            OrderCommand::RefundPayment(_) => Step::Refunds,
        })
    }
}
