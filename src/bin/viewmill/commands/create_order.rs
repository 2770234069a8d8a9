//! An order as somebody places it. What it costs is computed here; a total of the client would be one more thing to trust.

use std::sync::Arc;

use crate::events::{Address, Item, Text};
use crate::money::{Currency, Money, MoneyError};

/// An order that somebody wants to place. Its total is always that of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOrder {
    /// Who orders.
    pub user_id: Text,
    /// Where it goes.
    pub shipping_address: Arc<Address>,
    /// The currency of all prices; none stands for the one that is configured.
    pub currency: Option<Currency>,
    items: Arc<[Item]>,
    total: Money,
}

impl CreateOrder {
    /// An order of these lines.
    ///
    /// # Errors
    /// The total would have more digits than can be kept exactly.
    pub fn new(user_id: Text, items: Vec<Item>, shipping_address: Address, currency: Option<Currency>) -> Result<Self, MoneyError> {
        let total = items.iter().try_fold(Money::ZERO, |sum, item| sum.checked_add(item.price.checked_mul(item.quantity)?))?;
        Ok(CreateOrder { user_id, shipping_address: Arc::new(shipping_address), currency, items: items.into(), total })
    }

    /// The lines.
    pub fn items(&self) -> &Arc<[Item]> {
        &self.items
    }

    /// The exact sum of price × quantity.
    pub fn total(&self) -> Money {
        self.total
    }
}
