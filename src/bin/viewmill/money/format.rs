//! Amounts as a person reads them: `₩39,000`, `$269.10`, `269,10 €`.
//!
//! Formatting is for answers only and never stored. No digit is hidden: an amount with more digits than its currency
//! has is shown with all of them.

use super::{Currency, Money};

/// A no-break space, so that a line never ends between a number and its currency.
const NO_BREAK: char = '\u{a0}';

/// The language of an answer, as far as it changes how amounts look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `$269.10`; also the answer to those who ask for nothing that we speak.
    #[default]
    English,
    /// As English, for the currencies of today.
    Korean,
    /// `269,10 $`.
    German,
}

impl Language {
    /// The language that an `Accept-Language` header likes best (`ko-KR,ko;q=0.9,en;q=0.8`); English if it names none of ours.
    pub fn from_accept_language(header: &str) -> Language {
        let mut best = (0, Language::default());
        for range in header.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let quality = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(Some(1000), thousandths);
            let language = match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "en" | "*" => Language::English,
                "ko" => Language::Korean,
                "de" => Language::German,
                _ => continue,
            };
            if let Some(quality) = quality.filter(|quality| *quality > best.0) {
                best = (quality, language);
            }
        }
        best.1
    }
}

/// A quality of RFC 9110 (`0` to `1`, at most three digits after the point) in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = whole.parse::<u32>().ok().filter(|whole| *whole <= 1)?;
    let fraction = format!("{fraction:0<3}").parse::<u32>().ok()?;
    Some((whole * 1000 + fraction).min(1000))
}

impl Money {
    /// The amount as a person of that language reads it, with the currency's sign.
    pub fn format(self, currency: Currency, language: Language) -> String {
        let digits = self.to_string();
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (group, point) = match language {
            Language::English | Language::Korean => (',', '.'),
            Language::German => ('.', ','),
        };
        let mut number = grouped(whole, group);
        let fraction = fitted(fraction, currency.minor_digits() as usize);
        if !fraction.is_empty() {
            number.push(point);
            number.push_str(&fraction);
        }
        match (language, symbol(currency)) {
            (Language::German, symbol) => format!("{sign}{number}{NO_BREAK}{}", symbol.unwrap_or(currency.as_str())),
            (_, Some(symbol)) => format!("{sign}{symbol}{number}"),
            (_, None) => format!("{sign}{currency}{NO_BREAK}{number}"),
        }
    }
}

/// Whole digits in groups of three.
fn grouped(whole: &str, group: char) -> String {
    let mut out = String::with_capacity(whole.len() * 2);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(group);
        }
        out.push(digit);
    }
    out
}

/// Digits after the point: as many as the currency has, more only where they say something.
fn fitted(fraction: &str, minor_digits: usize) -> String {
    let kept = fraction.trim_end_matches('0');
    format!("{kept:0<minor_digits$}")
}

/// The sign of the currencies that have one known everywhere.
fn symbol(currency: Currency) -> Option<&'static str> {
    match currency.as_str() {
        "KRW" => Some("₩"),
        "USD" => Some("$"),
        "EUR" => Some("€"),
        "JPY" => Some("¥"),
        "GBP" => Some("£"),
        "INR" => Some("₹"),
        "VND" => Some("₫"),
        _ => None,
    }
}
