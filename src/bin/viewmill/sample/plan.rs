//! What happens to an order, thought out in advance.

use fastrand::Rng;

use super::HOUR_MS;
use super::goods::{Shop, one_of, total};
use crate::events::{
    Body, OrderCreated, OrderEvent, OrderShipped, PaymentCompleted, PaymentEvent, PaymentFailed, PaymentRefunded, ShipmentEvent,
    ShipmentStep, Text,
};
use crate::money::Money;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What becomes of an order.
#[derive(Clone, Copy)]
enum Outcome {
    Placed,
    Paid,
    Rejected,
    CancelledUnpaid,
    CancelledAndRefunded,
    FailedThenApproved,
    FailedThenCancelled,
    Approved,
    MovedThenApproved,
    InTransit,
    Delivered,
    DeliveredAtSecondTry,
    DeliveredThenPartlyRefunded,
}

/// How many of a thousand orders end so. This makes 3.4 events an order.
const OUTCOMES: [(Outcome, u32); 13] = [
    (Outcome::Placed, 60),
    (Outcome::Paid, 350),
    (Outcome::Rejected, 40),
    (Outcome::CancelledUnpaid, 40),
    (Outcome::CancelledAndRefunded, 60),
    (Outcome::FailedThenApproved, 50),
    (Outcome::FailedThenCancelled, 20),
    (Outcome::Approved, 190),
    (Outcome::MovedThenApproved, 25),
    (Outcome::InTransit, 60),
    (Outcome::Delivered, 80),
    (Outcome::DeliveredAtSecondTry, 10),
    (Outcome::DeliveredThenPartlyRefunded, 15),
];

/// An event that is still to be written.
pub(super) struct Step {
    /// When it happened.
    pub(super) happened_ms: i64,
    /// When it is written: a little later.
    pub(super) written_ms: i64,
    /// What happened.
    pub(super) body: Body,
}

/// The events of an order as they are thought out, one after the other.
pub(super) struct Plan<'a> {
    rng: &'a mut Rng,
    shop: &'static Shop,
    payment_id: Text,
    carrier: Text,
    tracking_number: Text,
    total: Money,
    express: bool,
    now_ms: i64,
    outcome: Outcome,
    steps: Vec<Step>,
}

impl<'a> Plan<'a> {
    /// An order of that number, out of so many, that arrives at that time.
    pub(super) fn new(rng: &'a mut Rng, number: u64, orders: u64, arrival_ms: i64) -> Plan<'a> {
        let shop = Shop::choose(rng);
        let items = shop.fill_cart(rng);
        let total = total(&items);
        let express = rng.u32(0..5) == 0;
        // Some people order often: the lesser of two throws makes low numbers common.
        let users = orders / 8 + 10;
        let user = rng.u64(0..users).min(rng.u64(0..users));
        let created = OrderCreated {
            user_id: format!("user-{user:05}").as_str().into(),
            items,
            total_amount: total,
            currency: Some(shop.currency),
            shipping_address: Some(shop.address(rng, express)),
            estimated_delivery: Some(arrival_ms + if express { 2 } else { 5 } * DAY_MS),
        };
        let mut plan = Plan {
            shop,
            payment_id: format!("pay-{number:07}-{:04x}", rng.u16(..)).as_str().into(),
            carrier: (*one_of(rng, shop.carriers)).into(),
            tracking_number: rng.u64(100_000_000_000..1_000_000_000_000).to_string().as_str().into(),
            total,
            express,
            now_ms: arrival_ms,
            outcome: outcome(rng),
            steps: Vec::new(),
            rng,
        };
        plan.add(Body::Order(OrderEvent::Created(created)));
        plan
    }

    /// All that happens to it, as it happens.
    pub(super) fn into_steps(mut self) -> Vec<Step> {
        match self.outcome {
            Outcome::Placed => {}
            Outcome::Paid => self.pay(),
            Outcome::Rejected => self.decide(OrderEvent::Rejected { reason: Some("out of stock".into()) }),
            Outcome::CancelledUnpaid => self.decide(OrderEvent::Cancelled { reason: Some("changed my mind".into()) }),
            Outcome::CancelledAndRefunded => {
                self.pay();
                self.decide(OrderEvent::Cancelled { reason: Some("ordered by mistake".into()) });
                self.refund(self.total, "order cancelled");
            }
            Outcome::FailedThenApproved => {
                self.fail_to_pay();
                self.pay();
                self.approve();
            }
            Outcome::FailedThenCancelled => {
                self.fail_to_pay();
                self.decide(OrderEvent::Cancelled { reason: Some("payment failed".into()) });
            }
            Outcome::Approved => {
                self.pay();
                self.approve();
            }
            Outcome::MovedThenApproved => {
                self.pay();
                let shipping_address = self.shop.address(self.rng, self.express);
                self.decide(OrderEvent::AddressChanged { shipping_address });
                self.approve();
            }
            Outcome::InTransit => self.ship(),
            Outcome::Delivered => {
                self.ship();
                self.deliver();
            }
            Outcome::DeliveredAtSecondTry => {
                self.ship();
                self.carry(DAY_MS, ShipmentStep::OutForDelivery);
                self.carry(8 * HOUR_MS, ShipmentStep::DeliveryFailed);
                self.deliver();
            }
            Outcome::DeliveredThenPartlyRefunded => {
                self.ship();
                self.deliver();
                self.wait(2 * DAY_MS);
                let half = Money::new(self.total.mantissa() / 2, self.total.scale()).expect("half of an amount is an amount");
                self.refund(half, "arrived damaged");
            }
        }
        self.steps
    }

    fn pay(&mut self) {
        let method = Some((*one_of(self.rng, self.shop.methods)).into());
        let completed = PaymentCompleted { payment_id: self.payment_id.clone(), method, amount: self.total };
        self.wait(3 * MINUTE_MS);
        self.add(Body::Payment(PaymentEvent::Completed(completed)));
        // Now and then the order is written so slowly that the payment overtakes it.
        if let [created, paid] = self.steps.as_mut_slice()
            && self.rng.u32(0..25) == 0
        {
            created.written_ms = paid.written_ms + self.rng.i64(1..3 * SECOND_MS);
        }
    }

    fn fail_to_pay(&mut self) {
        self.wait(2 * MINUTE_MS);
        let code = one_of(self.rng, &["CARD_DECLINED", "INSUFFICIENT_FUNDS", "TIMEOUT"]);
        let failed = PaymentFailed { payment_id: format!("{}-f", self.payment_id).as_str().into(), code: Some((*code).into()) };
        self.add(Body::Payment(PaymentEvent::Failed(failed)));
    }

    fn refund(&mut self, amount: Money, reason: &str) {
        self.wait(HOUR_MS);
        let refund_id = format!("ref-{}", self.payment_id).as_str().into();
        let refunded = PaymentRefunded { payment_id: self.payment_id.clone(), refund_id, amount, reason: Some(reason.into()) };
        self.add(Body::Payment(PaymentEvent::Refunded(refunded)));
    }

    fn approve(&mut self) {
        self.decide(OrderEvent::Approved { note: None });
    }

    fn decide(&mut self, event: OrderEvent) {
        self.wait(45 * MINUTE_MS);
        self.add(Body::Order(event));
    }

    /// From payment to the carrier's truck.
    fn ship(&mut self) {
        self.pay();
        self.approve();
        self.carry(3 * HOUR_MS, ShipmentStep::Created);
        self.wait(4 * HOUR_MS);
        let parcel = OrderShipped {
            shipped_at: Some(self.now_ms),
            carrier: Some(self.carrier.clone()),
            tracking_number: Some(self.tracking_number.clone()),
        };
        self.add(Body::Order(OrderEvent::Shipped(parcel)));
        self.carry(5 * HOUR_MS, ShipmentStep::InTransit);
    }

    fn deliver(&mut self) {
        self.carry(if self.express { 8 } else { 36 } * HOUR_MS, ShipmentStep::OutForDelivery);
        self.carry(8 * HOUR_MS, ShipmentStep::Delivered);
        self.wait(MINUTE_MS);
        self.add(Body::Order(OrderEvent::Delivered { delivered_at: Some(self.now_ms) }));
    }

    fn carry(&mut self, at_most_ms: i64, step: ShipmentStep) {
        self.wait(at_most_ms);
        let location = (step == ShipmentStep::InTransit).then(|| (*one_of(self.rng, self.shop.hubs)).into());
        let event =
            ShipmentEvent { step, carrier: Some(self.carrier.clone()), tracking_number: Some(self.tracking_number.clone()), location };
        self.add(Body::Shipment(event));
    }

    fn wait(&mut self, at_most_ms: i64) {
        self.now_ms += self.rng.i64(at_most_ms / 10..at_most_ms);
    }

    fn add(&mut self, body: Body) {
        let written_ms = self.now_ms + self.rng.i64(1..20);
        self.steps.push(Step { happened_ms: self.now_ms, written_ms, body });
    }
}

fn outcome(rng: &mut Rng) -> Outcome {
    let mut lot = rng.u32(0..OUTCOMES.iter().map(|(_, share)| share).sum());
    for (outcome, share) in OUTCOMES {
        if lot < share {
            return outcome;
        }
        lot -= share;
    }
    Outcome::Placed
}
