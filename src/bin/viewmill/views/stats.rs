//! The view `order-stats`: how many orders there are of each status, and what they are worth, by currency.
//!
//! It follows the view `orders` change by change: what the old row was worth is taken away, what the new one is worth is added, in the
//! same record. So a status that changes moves a count and never doubles it. A shell is worth nothing, also what was paid for it:
//! when its order comes, all of it counts at once. Each partition has a row of its own; the reader adds them up.

use serde::{Deserialize, Serialize};
use viewmill::{Change, ProcessResult, Processor, ProcessorContext, ProcessorError, Record, StoreRef, StoreValue};

use super::by_status::ByStatus;
use super::order_row::Order;
use super::order_status::OrderStatus;
use crate::money::{Currency, Money, MoneyError, Sum};
use crate::order_id::OrderId;

/// Counts and sums over orders in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// How many orders, by status.
    pub by_status: ByStatus,
    /// What is due for all orders that are neither cancelled nor rejected.
    pub gross: Sum,
    /// What was paid for all orders.
    pub paid: Sum,
    /// What was given back, of all orders.
    pub refunded: Sum,
}

impl StoreValue for Stats {}

/// Keeps the view `order-stats`.
pub struct Statistics {
    stats: StoreRef<Currency, Stats>,
}

impl Statistics {
    /// Keeps the rows of this store.
    pub fn new(stats: StoreRef<Currency, Stats>) -> Self {
        Statistics { stats }
    }
}

impl Processor<OrderId, Change<Order>> for Statistics {
    fn process(&mut self, context: &mut ProcessorContext<'_>, record: Record<OrderId, Change<Order>>) -> ProcessResult {
        let (old, new) = (Share::of(record.value.old.as_deref()), Share::of(record.value.new.as_deref()));
        // An order's currency is decided with its creation, so both are of one row.
        let Some(currency) = new.currency.or(old.currency).filter(|_| new != old) else { return Ok(()) };
        context.store(self.stats).try_change(&currency, |row| row.get_or_insert_default().exchange(&old, &new))?;
        Ok(())
    }
}

/// What an order adds to the statistics of its currency. That of a shell is nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    currency: Option<Currency>,
    status: Option<OrderStatus>,
    gross: Money,
    paid: Money,
    refunded: Money,
}

impl Share {
    fn of(order: Option<&Order>) -> Share {
        let Some(order) = order.filter(|order| !order.is_shell()) else { return Share::default() };
        let gross = match order.status {
            OrderStatus::Cancelled | OrderStatus::Rejected => Money::ZERO,
            _ => order.total_amount,
        };
        let (currency, status) = (Some(order.currency), Some(order.status));
        Share { currency, status, gross, paid: order.paid_amount, refunded: order.refunded_amount }
    }
}

impl Stats {
    /// Takes the old share away and adds the new one.
    fn exchange(&mut self, old: &Share, new: &Share) -> ProcessResult {
        if old.status != new.status {
            let counted = old.status.is_none_or(|status| self.by_status.decrement(status))
                && new.status.is_none_or(|status| self.by_status.increment(status));
            if !counted {
                return Err(ProcessorError::rejected("the statistics never counted this order as it was"));
            }
        }
        for (sum, old, new) in [
            (&mut self.gross, old.gross, new.gross),
            (&mut self.paid, old.paid, new.paid),
            (&mut self.refunded, old.refunded, new.refunded),
        ] {
            *sum = sum.exchange(old, new).map_err(ProcessorError::rejected)?;
        }
        Ok(())
    }

    /// Adds the statistics of other orders.
    pub fn merge(&mut self, other: &Stats) -> Result<(), MoneyError> {
        self.by_status.merge(&other.by_status);
        self.gross = self.gross.plus(other.gross)?;
        self.paid = self.paid.plus(other.paid)?;
        self.refunded = self.refunded.plus(other.refunded)?;
        Ok(())
    }

    /// What was paid and not given back.
    pub fn net(&self) -> Result<Sum, MoneyError> {
        self.paid.minus(self.refunded)
    }
}
