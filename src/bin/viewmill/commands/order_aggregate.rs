//! What a command leads to: the state machine of an order, and the guards around it. Pure.
//!
//! ```text
//!  (none) ─create─► CREATED ─approve─► APPROVED ─ship─► SHIPPED ─deliver─► DELIVERED
//!                     │  │                 │
//!                reject  └──cancel──┐ ┌────┘ cancel
//!                     ▼             ▼ ▼
//!                 REJECTED       CANCELLED
//! ```
//!
//! Payments and parcels are axes of their own: money that arrived has arrived, also for an order that was cancelled meanwhile, and can
//! then be given back. One command leads to one event, or to none when what is asked for is so already.

use uuid::Uuid;
use viewmill::command::{Actor, Aggregate, CommandData as _, DecisionContext, EventMeta, Members, Rejection};
use viewmill::record::Headers;
use viewmill::{ProcessorError, Timestamp};

use super::fault::{self, FaultCode};
use super::{CreateOrder, OrderCommand, RefundPayment, Step, headers};
use crate::events::{Axis, Body, EnvelopeParts, Event, OrderCreated, OrderEvent, OrderShipped, PaymentEvent, PaymentRefunded, Text};
use crate::money::Currency;
use crate::order_id::OrderId;
use crate::settings::OrderSettings;
use crate::views::orders::{Applied, fold};
use crate::views::{Order, OrderStatus, PaymentStatus, etag};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Decides about orders.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderAggregate {
    /// What is configured.
    pub settings: OrderSettings,
}

impl Aggregate for OrderAggregate {
    type Id = OrderId;
    type State = Order;
    type Command = OrderCommand;
    type Fact = Body;
    type Event = Event;

    fn decide(&self, state: Option<&Order>, command: &OrderCommand, context: &DecisionContext<'_>) -> Result<Vec<Body>, Rejection> {
        self.admit(state, command, context)?;
        if let Some(order) = state.filter(|state| !state.is_shell()) {
            if is_so_already(order, command, context) {
                return Ok(Vec::new());
            }
            if !command.step().is_some_and(|step| self.allows(order, step)) {
                return Err(self.invalid_transition(order, command));
            }
            check_amounts(order, command)?;
        }
        let fact = self.fact(command, context);
        if state.is_some_and(|state| state.versions(fact.axis()).next().is_none()) {
            return Err(Rejection::new("invalid-transition", "an event of this order took the last version that there is"));
        }
        Ok(vec![fact])
    }

    /// Of another's order nothing is told, but that its id is taken.
    fn admit(&self, state: Option<&Order>, command: &OrderCommand, context: &DecisionContext<'_>) -> Result<(), Rejection> {
        let (code, detail) = match (state.filter(|state| !state.is_shell()), command) {
            (Some(order), _) if may_act(context.actor, &order.user_id) => return Ok(()),
            (None, OrderCommand::Create(create)) if may_act(context.actor, &create.user_id) => return Ok(()),
            (None, OrderCommand::Create(_)) => ("forbidden", "a user places orders only for themselves"),
            (Some(_), OrderCommand::Create(_)) => ("invalid-transition", "there is an order of this id already"),
            _ => ("order-not-found", "there is no such order"),
        };
        Err(Rejection::new(code, detail))
    }

    fn event(&self, state: Option<&Order>, id: &OrderId, fact: Body, meta: &EventMeta<'_>) -> Event {
        let parts = EnvelopeParts {
            aggregate_id: id.as_ref().into(),
            event_id: Some(meta.event_id.to_string().into()),
            aggregate_type: Some("order".into()),
            correlation_id: Some(meta.correlation_id.into()),
            causation_id: Some(meta.command_id.into()),
            command_id: Some(meta.command_id.into()),
            actor: meta.actor.and_then(|actor| serde_json::to_string(actor).ok()).map(Into::into),
            version: state.map_or(Some(1), |state| state.versions(fact.axis()).next()),
            schema_version: Some(1),
            time_ms: Some(meta.time.as_millis()),
        };
        Event::new(&parts, fact)
    }

    fn event_id(&self, event: &Event) -> Option<Uuid> {
        event.envelope.command_id()?;
        Uuid::parse_str(event.envelope.event_id()?).ok()
    }

    fn evolve(&self, state: &mut Option<Order>, event: &Event, time: Timestamp) -> Result<(), ProcessorError> {
        match fold(state, event, time.as_millis()) {
            Applied::Rejected(error) => Err(ProcessorError::rejected(error)),
            _ => Ok(()),
        }
    }

    fn headers(&self, event: &Event) -> Headers {
        headers::of_event(event)
    }

    fn version(&self, state: Option<&Order>) -> u64 {
        state.map_or(0, |state| state.versions(Axis::Order).version())
    }

    fn describe(&self, id: &OrderId, state: Option<&Order>) -> Members {
        let mut members = Members::new();
        members.set("orderId", id);
        if let Some(order) = state.filter(|state| !state.is_shell()) {
            members.set("status", &order.status);
            members.set("paymentStatus", &order.payment_status);
            members.set("shippingStatus", &order.shipping_status);
            members.set("totalAmount", &order.total_amount);
            members.set("currency", &order.currency);
            members.set("version", &order.versions(Axis::Order).version());
            members.set("etag", &etag(order));
        }
        members
    }
}

impl OrderAggregate {
    /// Whether a step would move the order as it is.
    fn allows(&self, order: &Order, step: Step) -> bool {
        let (status, payment) = (order.status, order.payment_status);
        match step {
            Step::Approve => status == OrderStatus::Created && (!self.settings.approve_only_when_paid || payment == PaymentStatus::Paid),
            Step::Reject => status == OrderStatus::Created,
            Step::Ship => status == OrderStatus::Approved,
            Step::Deliver => status == OrderStatus::Shipped,
            Step::Cancel | Step::Address => matches!(status, OrderStatus::Created | OrderStatus::Approved),
            Step::Payments => matches!(payment, PaymentStatus::Pending | PaymentStatus::Failed),
            Step::Refunds => matches!(payment, PaymentStatus::Paid | PaymentStatus::PartiallyRefunded),
        }
    }

    fn invalid_transition(&self, order: &Order, command: &OrderCommand) -> Rejection {
        let (status, payment) = (order.status, order.payment_status);
        let allowed: Vec<Step> = Step::ALL.into_iter().filter(|step| self.allows(order, *step)).collect();
        let detail = format!("{} is not possible: the order is {}, its payment {}", command.type_name(), status.name(), payment.name());
        Rejection::new("invalid-transition", detail).with("status", &status).with("paymentStatus", &payment).with("allowed", &allowed)
    }

    /// What happens, once nothing stands in its way.
    fn fact(&self, command: &OrderCommand, context: &DecisionContext<'_>) -> Body {
        let now = context.now.as_millis();
        match command.clone() {
            OrderCommand::Create(create) => created(&create, now, self.settings.default_currency),
            OrderCommand::Approve { note } => Body::Order(OrderEvent::Approved { note }),
            OrderCommand::Reject { reason } => Body::Order(OrderEvent::Rejected { reason: Some(reason) }),
            OrderCommand::Ship(shipped) => {
                Body::Order(OrderEvent::Shipped(OrderShipped { shipped_at: shipped.shipped_at.or(Some(now)), ..shipped }))
            }
            OrderCommand::Deliver { delivered_at } => Body::Order(OrderEvent::Delivered { delivered_at: delivered_at.or(Some(now)) }),
            OrderCommand::Cancel { reason } => Body::Order(OrderEvent::Cancelled { reason: Some(reason) }),
            OrderCommand::ChangeAddress { shipping_address } => Body::Order(OrderEvent::AddressChanged { shipping_address }),
            OrderCommand::RecordPayment(payment) => Body::Payment(PaymentEvent::Completed(payment)),
            OrderCommand::FailPayment(failure) => Body::Payment(PaymentEvent::Failed(failure)),
            OrderCommand::RefundPayment(refund) => {
                let refund_id = refund_id(&refund, context);
                let RefundPayment { payment_id, amount, reason, .. } = refund;
                Body::Payment(PaymentEvent::Refunded(PaymentRefunded { payment_id, refund_id, amount, reason: Some(reason) }))
            }
        }
    }
}

/// A user sees and changes only their own orders, an operator all; where nobody says who acts, everybody may.
fn may_act(actor: Option<&Actor>, user_id: &str) -> bool {
    actor.is_none_or(|actor| actor.operator || actor.id == user_id)
}

/// What is asked for was done before: a client that asks again gets no second event, and no fault.
fn is_so_already(order: &Order, command: &OrderCommand, context: &DecisionContext<'_>) -> bool {
    match (command, order.status) {
        (OrderCommand::Approve { .. }, OrderStatus::Approved)
        | (OrderCommand::Deliver { .. }, OrderStatus::Delivered)
        | (OrderCommand::Cancel { .. }, OrderStatus::Cancelled) => true,
        (OrderCommand::Ship(shipped), OrderStatus::Shipped) => order.order_parcel.tracking_number.get() == shipped.tracking_number.as_ref(),
        (OrderCommand::RecordPayment(payment), _) => order.payments.contains(&payment.payment_id),
        (OrderCommand::FailPayment(failure), _) => order.failures.contains(&failure.payment_id),
        (OrderCommand::RefundPayment(refund), _) => order.refunds.contains(&refund_id(refund, context)),
        _ => false,
    }
}

/// What is paid is what is due, and no more goes back than was paid.
fn check_amounts(order: &Order, command: &OrderCommand) -> Result<(), Rejection> {
    match command {
        OrderCommand::RecordPayment(payment) if payment.amount != order.total_amount => {
            let detail = format!("must be what is due, {} {}", order.total_amount, order.currency);
            Err(fault::reject("/amount", FaultCode::Mismatch, detail).with("due", &order.total_amount).with("currency", &order.currency))
        }
        // Of very many payments the oldest ids are forgotten: then any id may be one of them.
        OrderCommand::RefundPayment(refund) if !order.payments.contains(&refund.payment_id) && !order.payments.is_full() => {
            Err(fault::reject("/paymentId", FaultCode::Mismatch, "is no payment of this order that arrived"))
        }
        OrderCommand::RefundPayment(refund)
            if order.refunded_amount.checked_add(refund.amount).is_ok_and(|sum| sum <= order.paid_amount) =>
        {
            Ok(())
        }
        OrderCommand::RefundPayment(_) => {
            let detail = format!("must be at most what was paid, {}, less what went back, {}", order.paid_amount, order.refunded_amount);
            Err(fault::reject("/amount", FaultCode::Mismatch, detail)
                .with("paidAmount", &order.paid_amount)
                .with("refundedAmount", &order.refunded_amount))
        }
        _ => Ok(()),
    }
}

/// When it should arrive is decided here, once: a replay gives the same answer.
fn created(order: &CreateOrder, now: i64, default_currency: Currency) -> Body {
    let days = if order.shipping_address.express { 2 } else { 5 };
    Body::Order(OrderEvent::Created(OrderCreated {
        user_id: order.user_id.clone(),
        items: order.items().clone(),
        total_amount: order.total(),
        currency: Some(order.currency.unwrap_or(default_currency)),
        shipping_address: Some(order.shipping_address.clone()),
        estimated_delivery: Some(now.saturating_add(days * DAY_MS)),
    }))
}

/// A refund without an id of its own is known by its command.
fn refund_id(refund: &RefundPayment, context: &DecisionContext<'_>) -> Text {
    refund.refund_id.clone().unwrap_or_else(|| Text::from(context.command_id))
}
