//! Sums of many amounts, which no single odd amount can break.
//!
//! A sum in the form of an amount has 28 digits to spend: one order over `0.0000000000000000000000000001` would leave none before
//! the point, and every honest amount after it would be out of range. So a sum keeps what stands before and behind the point apart.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::{MAX_SCALE, Money, MoneyError};

/// So many of the smallest fraction make a whole.
const ONE: i128 = 10_i128.pow(MAX_SCALE);

/// An exact sum of amounts: room for 2^31 of the largest, whatever their digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum {
    whole: i128,
    /// From 0 up to, and not including, [`ONE`]: -0.05 is -1 + 0.95.
    fraction: i128,
}

impl Sum {
    /// With one amount in place of another.
    pub fn exchange(self, old: Money, new: Money) -> Result<Sum, MoneyError> {
        if old == new {
            return Ok(self);
        }
        self.minus(Sum::from(old))?.plus(Sum::from(new))
    }

    /// Both together.
    pub fn plus(self, other: Sum) -> Result<Sum, MoneyError> {
        carried(self.whole.checked_add(other.whole), self.fraction + other.fraction)
    }

    /// The difference.
    pub fn minus(self, other: Sum) -> Result<Sum, MoneyError> {
        carried(self.whole.checked_sub(other.whole), self.fraction - other.fraction)
    }

    /// All digits, with at least so many after the point: `269.10`.
    pub fn digits(self, min_fraction_digits: u32) -> String {
        let negative = self.whole < 0;
        let (whole, fraction) = match (negative, self.fraction) {
            (true, 1..) => (-(self.whole + 1), ONE - self.fraction),
            (_, fraction) => (self.whole, fraction),
        };
        let mut digits = format!("{}{}", if negative { "-" } else { "" }, whole.unsigned_abs());
        let fraction = format!("{fraction:0width$}", width = MAX_SCALE as usize);
        let shown = fraction.trim_end_matches('0').len().max(min_fraction_digits as usize).min(fraction.len());
        if shown > 0 {
            let _ = write!(digits, ".{}", &fraction[..shown]);
        }
        digits
    }

    /// The digits as a JSON number.
    pub fn to_json(self, min_fraction_digits: u32) -> Box<RawValue> {
        RawValue::from_string(self.digits(min_fraction_digits)).expect("digits with a point are a JSON number")
    }
}

impl From<Money> for Sum {
    fn from(amount: Money) -> Sum {
        match amount.scale() {
            0 => Sum { whole: amount.mantissa(), fraction: 0 },
            scale => {
                let power = 10_i128.pow(scale);
                let (whole, rest) = (amount.mantissa().div_euclid(power), amount.mantissa().rem_euclid(power));
                Sum { whole, fraction: rest * 10_i128.pow(MAX_SCALE - scale) }
            }
        }
    }
}

/// Fractions of two sums together are less than two wholes, and not below minus one.
fn carried(whole: Option<i128>, fraction: i128) -> Result<Sum, MoneyError> {
    let (carry, fraction) = match fraction {
        ..0 => (-1, fraction + ONE),
        ONE.. => (1, fraction - ONE),
        _ => (0, fraction),
    };
    let whole = whole.and_then(|whole| whole.checked_add(carry)).ok_or(MoneyError::OutOfRange)?;
    Ok(Sum { whole, fraction })
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => self.to_json(0).serialize(serializer),
            false => (self.whole, self.fraction).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sum, D::Error> {
        if deserializer.is_human_readable() {
            return Money::deserialize(deserializer).map(Sum::from);
        }
        match <(i128, i128)>::deserialize(deserializer)? {
            (whole, fraction @ 0..ONE) => Ok(Sum { whole, fraction }),
            (_, fraction) => Err(de::Error::custom(format_args!("a sum's fraction is {fraction}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn sums_are_shown_with_their_digits() {
        for (amounts, minor_digits, shown) in [
            (&["129.50", "139.6"][..], 2, "269.10"),
            (&["39000"], 0, "39000"),
            (&["39000"], 2, "39000.00"),
            (&["0.005", "0.005"], 2, "0.01"),
            (&["0.1", "0.005"], 2, "0.105"),
            (&["-0.05"], 2, "-0.05"),
            (&["-1", "-2.00"], 0, "-3"),
            (&["1", "-1.25"], 0, "-0.25"),
            (&[], 0, "0"),
            (&["79228162514264337593543950335", "1e-28"], 0, "79228162514264337593543950335.0000000000000000000000000001"),
        ] {
            let sum = amounts.iter().try_fold(Sum::default(), |sum, amount| sum.plus(money(amount).into())).unwrap();
            assert_eq!(sum.digits(minor_digits), shown);
            assert_eq!(sum.to_json(minor_digits).get(), shown);
        }
    }

    #[test]
    fn an_odd_amount_does_not_stand_in_the_way_of_others() {
        let mut sum = Sum::from(money("1e-28"));
        for _ in 0..1_000 {
            sum = sum.plus(money("79228162514264337593543950335").into()).unwrap();
        }
        sum = sum.minus(money("1e-28").into()).unwrap();
        assert_eq!(sum.digits(2), "79228162514264337593543950335000.00");
    }

    /// Rows with sums lie on disks.
    #[test]
    fn a_sum_is_stored_in_these_bytes() {
        let mut bytes = Vec::new();
        viewmill::codec::encode_body(&Sum::from(money("-269.10")), &mut bytes).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(hex, @"fb1b02fe000000504804a93c4340293a00000000");
    }

    proptest! {
        #[test]
        fn what_was_added_can_be_taken_away_in_any_order(amounts: Vec<(i64, u8)>) {
            let amounts: Vec<Money> = amounts.into_iter().map(|(mantissa, scale)| Money::new(mantissa.into(), u32::from(scale % 29)).unwrap()).collect();
            let sum = amounts.iter().try_fold(Sum::default(), |sum, amount| sum.exchange(Money::ZERO, *amount)).unwrap();
            let mut bytes = Vec::new();
            viewmill::codec::encode_body(&sum, &mut bytes).unwrap();
            prop_assert_eq!(viewmill::codec::decode_body::<Sum>(&bytes).unwrap(), sum);
            let backwards = amounts.iter().rev().try_fold(Sum::default(), |sum, amount| sum.plus(Sum::from(*amount))).unwrap();
            prop_assert_eq!(backwards, sum);
            let rest = amounts.iter().try_fold(sum, |sum, amount| sum.exchange(*amount, Money::ZERO)).unwrap();
            prop_assert_eq!(rest, Sum::default());
        }
    }
}
