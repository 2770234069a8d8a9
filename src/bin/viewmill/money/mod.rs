//! Exact amounts of money, read from and written as the digits that people see.
//!
//! An amount is a decimal number without a currency; the currency stands beside it, in the order. Amounts are read
//! from the digits of a JSON number (`129.5`, `1.5e3`) or of a string (`"129.50"`), never by way of a binary float, and
//! are written as JSON numbers with the same digits: `269.10` stays `269.10`. Arithmetic is exact or an error. In binary
//! formats an amount is its mantissa and its scale.

mod currency;
mod format;
mod sum;

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

pub use currency::Currency;
pub use format::Language;
pub use sum::Sum;

/// The most digits that may stand after the point, and about the most that an amount may have in all.
const MAX_SCALE: u32 = 28;

/// An exact amount of money, in units of a currency that stands beside it (`269.10` is 269 dollars and 10 cents).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(Decimal);

/// Why an amount could not be read or calculated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a decimal number.
    #[error("not an amount of money: expected a decimal number")]
    NotANumber,
    /// The number, or the result of a calculation, has more digits than can be kept exactly.
    #[error("amount of money out of range: at most 28 digits can be kept exactly")]
    OutOfRange,
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(Decimal::ZERO);

    /// An amount of `mantissa` × 10^-`scale`: `new(26910, 2)` is `269.10`.
    pub fn new(mantissa: i128, scale: u32) -> Result<Money, MoneyError> {
        Decimal::try_from_i128_with_scale(mantissa, scale).map(Money).map_err(|_| MoneyError::OutOfRange)
    }

    /// The sum, with as many digits after the point as the longer of the two has.
    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        self.aligned(other, i128::checked_add)
    }

    /// So many times the amount.
    pub fn checked_mul(self, times: u32) -> Result<Money, MoneyError> {
        let mantissa = self.0.mantissa().checked_mul(i128::from(times)).ok_or(MoneyError::OutOfRange)?;
        Money::new(mantissa, self.0.scale())
    }

    /// The digits without their point: 26910 for `269.10`.
    pub fn mantissa(self) -> i128 {
        self.0.mantissa()
    }

    /// How many of the digits stand after the point: 2 for `269.10`.
    pub fn scale(self) -> u32 {
        self.0.scale()
    }

    /// Less than nothing.
    pub fn is_negative(self) -> bool {
        self < Money::ZERO
    }

    /// Decimal's own operators round when the digits do not fit; on whole mantissas that is an overflow.
    fn aligned(self, other: Money, operation: fn(i128, i128) -> Option<i128>) -> Result<Money, MoneyError> {
        let scale = self.0.scale().max(other.0.scale());
        let mantissa = |money: Money| money.0.mantissa().checked_mul(10_i128.pow(scale - money.0.scale()));
        let result = mantissa(self).zip(mantissa(other)).and_then(|(a, b)| operation(a, b));
        Money::new(result.ok_or(MoneyError::OutOfRange)?, scale)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads digits with an optional sign, point and exponent, as in JSON.
    fn from_str(text: &str) -> Result<Money, MoneyError> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (number, exponent) = match digits.find(['e', 'E']) {
            Some(at) => (&digits[..at], read_exponent(&digits[at + 1..])?),
            None => (digits, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || (fraction.is_empty() && whole.len() != number.len()) {
            return Err(MoneyError::NotANumber);
        }
        let mantissa = read_digits(read_digits(0, whole)?, fraction)?;
        let mantissa = if negative { -mantissa } else { mantissa };
        place_point(mantissa, i64::try_from(fraction.len()).unwrap_or(i64::MAX).saturating_sub(exponent))
    }
}

/// `start` followed by the digits of `text`.
fn read_digits(start: i128, text: &str) -> Result<i128, MoneyError> {
    let mut mantissa = start;
    // 64 bits hold 18 digits and are several times faster than 128.
    for chunk in text.as_bytes().chunks(18) {
        let (mut digits, mut power) = (0_i64, 1_i64);
        for byte in chunk {
            if !byte.is_ascii_digit() {
                return Err(MoneyError::NotANumber);
            }
            digits = digits * 10 + i64::from(byte - b'0');
            power *= 10;
        }
        // Saturates once out of range, so that a letter further on is still found.
        mantissa = mantissa.saturating_mul(i128::from(power)).saturating_add(i128::from(digits));
    }
    Ok(mantissa)
}

/// The digits after `e`; values beyond any use saturate.
fn read_exponent(text: &str) -> Result<i64, MoneyError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MoneyError::NotANumber);
    }
    let size = digits.parse::<i32>().map_or(i64::from(i32::MAX), i64::from);
    Ok(if negative { -size } else { size })
}

/// `mantissa` × 10^-`scale`, where the scale may be negative or too large.
fn place_point(mantissa: i128, scale: i64) -> Result<Money, MoneyError> {
    if mantissa == 0 {
        return Money::new(0, u32::try_from(scale.max(0)).map_or(MAX_SCALE, |scale| scale.min(MAX_SCALE)));
    }
    if scale > i64::from(MAX_SCALE) || scale < -i64::from(MAX_SCALE) {
        return Err(MoneyError::OutOfRange);
    }
    let power = 10_i128.pow(u32::try_from(-scale).unwrap_or(0));
    Money::new(mantissa.checked_mul(power).ok_or(MoneyError::OutOfRange)?, u32::try_from(scale).unwrap_or(0))
}

/// Plain digits with a point, no exponent: `269.10`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            RawValue::from_string(self.to_string()).map_err(ser::Error::custom)?.serialize(serializer)
        } else {
            (self.0.mantissa(), self.0.scale()).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        if deserializer.is_human_readable() {
            read_json(<&RawValue>::deserialize(deserializer)?.get()).map_err(de::Error::custom)
        } else {
            let (mantissa, scale) = <(i128, u32)>::deserialize(deserializer)?;
            Money::new(mantissa, scale).map_err(de::Error::custom)
        }
    }
}

/// Reads a JSON number, or a JSON string that holds one.
fn read_json(json: &str) -> Result<Money, MoneyError> {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        None => json.parse(),
        Some(text) if text.contains('\\') => serde_json::from_str::<String>(json).map_err(|_| MoneyError::NotANumber)?.parse(),
        Some(text) => text.parse(),
    }
}

#[cfg(test)]
mod tests;
