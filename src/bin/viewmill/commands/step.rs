//! What can be done with an order, by its name in routes.

use serde::{Serialize, Serializer};

/// What can be done with an order that is there: several commands may do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Accept it.
    Approve,
    /// Refuse it.
    Reject,
    /// Hand it to a carrier.
    Ship,
    /// Say that it arrived.
    Deliver,
    /// Call it off.
    Cancel,
    /// Send it elsewhere.
    Address,
    /// Pay it, or try in vain.
    Payments,
    /// Give money back.
    Refunds,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 8] =
        [Step::Approve, Step::Reject, Step::Ship, Step::Deliver, Step::Cancel, Step::Address, Step::Payments, Step::Refunds];

    /// As the last part of its route.
    pub fn name(self) -> &'static str {
        match self {
            Step::Approve => "approve",
            Step::Reject => "reject",
            Step::Ship => "ship",
            Step::Deliver => "deliver",
            Step::Cancel => "cancel",
            Step::Address => "address",
            Step::Payments => "payments",
            Step::Refunds => "refunds",
        }
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
