//! What of the order system can be set: the section `[orders]` of the configuration.
//!
//! All of it is looked at where a command is decided, and stands in the event then, so a replay does not ask again. Instances that differ would
//! decide the same command differently, by whose task it is: set the same everywhere.

use viewmill::app::config::{OwnKey, OwnSection, OwnSettings};

use crate::money::Currency;

const APPROVE_ONLY_WHEN_PAID: &str = "orders.approve_only_when_paid";
const DEFAULT_CURRENCY: &str = "orders.default_currency";

/// `[orders]`.
pub static SECTION: OwnSection = OwnSection {
    name: "orders",
    doc: "How commands on orders are decided. The same on all instances.",
    keys: &[
        OwnKey {
            name: APPROVE_ONLY_WHEN_PAID,
            doc: "An order is approved only once it is paid.",
            default: "false",
            quoted: false,
            check: |text| text.parse::<bool>().map(drop).map_err(|_| "must be true or false".to_string()),
        },
        OwnKey {
            name: DEFAULT_CURRENCY,
            doc: "The currency of an order that is placed without one: its ISO 4217 code.",
            default: "KRW",
            quoted: true,
            check: |text| currency(text).map(drop).ok_or_else(|| "must be the ISO 4217 code of a currency in use, such as KRW".to_string()),
        },
    ],
};

/// What holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderSettings {
    /// An order is approved only once it is paid.
    pub approve_only_when_paid: bool,
    /// The currency of an order that is placed without one.
    pub default_currency: Currency,
}

impl OrderSettings {
    /// Those of the configuration, which has checked them.
    pub fn of(own: &OwnSettings) -> Self {
        OrderSettings {
            approve_only_when_paid: own.text(APPROVE_ONLY_WHEN_PAID) == "true",
            default_currency: currency(own.text(DEFAULT_CURRENCY)).unwrap_or_default(),
        }
    }
}

fn currency(text: &str) -> Option<Currency> {
    text.parse().ok().filter(|currency: &Currency| currency.is_listed())
}

#[cfg(test)]
mod tests {
    use viewmill::app::config::{Config, Sources};

    use super::*;

    fn load(flags: &[&str]) -> Result<Config, String> {
        let flags = flags.iter().map(ToString::to_string).collect();
        Config::load(&Sources { own: Some(&SECTION), directory: "/nonexistent".into(), flags, ..Sources::none() })
            .map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_set_holds_and_else_the_default() {
        assert_eq!(OrderSettings::of(&load(&[]).unwrap().own), OrderSettings::default());
        let set = load(&["orders.approve_only_when_paid=true", "orders.default_currency=EUR"]).unwrap();
        let expected = OrderSettings { approve_only_when_paid: true, default_currency: Currency::EUR };
        assert_eq!(OrderSettings::of(&set.own), expected);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let told = load(&["orders.default_currency=XXX", "orders.approve_only_when_paid=yes", "orders.default_curency=EUR"]).unwrap_err();
        for said in [
            "orders.default_currency must be the ISO 4217 code of a currency in use, such as KRW, not \"XXX\"",
            "orders.approve_only_when_paid must be true or false, not \"yes\"",
            "did you mean orders.default_currency?",
        ] {
            assert!(told.contains(said), "{told}");
        }
    }

    #[test]
    fn the_committed_file_is_the_default_file() {
        let committed = include_str!("../../../config.toml");
        assert_eq!(committed, Config::default_file(Some(&SECTION)), "write it anew: viewmill config default > config.toml");
    }
}
