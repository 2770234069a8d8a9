//! Times in JSON: RFC 3339 text outside, milliseconds since the Unix epoch inside.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A moment, read from RFC 3339 text (`2026-03-01T09:30:00.250+09:00`), in milliseconds since the Unix epoch; finer digits are cut off.
pub(super) struct Time(pub(super) i64);

/// A moment, or a day alone (`2026-03-05`) that stands for its beginning in UTC: an estimate is often a day.
pub(super) struct Day(pub(super) i64);

/// The text of a time, RFC 3339 in UTC with milliseconds. Times beyond the years -9999 to 9999 are shown as the nearest that can be.
pub fn format_time(time_ms: i64) -> String {
    let nearest = if time_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    format!("{:.3}", Timestamp::from_millisecond(time_ms).unwrap_or(nearest))
}

/// A moment, from RFC 3339 text, in milliseconds since the Unix epoch; finer digits are cut off.
pub fn parse_time(text: &str) -> Option<i64> {
    parse_plain_time(text.as_bytes()).or_else(|| parse_any_time(text))
}

/// Any form of RFC 3339. Jiff reads more: years with a sign, before the year 0.
fn parse_any_time(text: &str) -> Option<i64> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    text.parse::<Timestamp>().ok().map(floor_to_millisecond)
}

/// The form that nearly all writers use, `2026-03-01T00:30:00.250Z` or without the fraction: every event has at least one.
fn parse_plain_time(text: &[u8]) -> Option<i64> {
    let millisecond = match text {
        [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _, b'Z'] => 0,
        [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _, b'.', fraction @ .., b'Z'] if fraction.len() == 3 => {
            number(fraction)?
        }
        _ => return None,
    };
    let (year, month, day) = (number(&text[0..4])?, number(&text[5..7])?, number(&text[8..10])?);
    let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
    // Days that not every month has, and leap seconds, are left to jiff.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((((days_from_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millisecond)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that a leap day is the last of its year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // From March on the months have 31, 30, 31, 30, 31 days, over and over: 153 in five.
    let days_before_month = (153 * month + 2) / 5;
    const DAYS_TO_1970: i64 = 719_469;
    year * 365 + leap_days + days_before_month + day - DAYS_TO_1970
}

fn parse_day(text: &str) -> Option<i64> {
    let date = Some(text).filter(|text| text.len() == "2026-03-05".len())?.parse::<Date>().ok()?;
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok().map(floor_to_millisecond)
}

/// Jiff cuts towards the epoch, which would move older times forward.
fn floor_to_millisecond(time: Timestamp) -> i64 {
    time.as_nanosecond().div_euclid(1_000_000).try_into().expect("jiff's range in milliseconds fits 64 bits")
}

struct TimeVisitor(fn(&str) -> Option<i64>);

impl Visitor<'_> for TimeVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time with its offset, such as 2026-03-01T09:30:00Z")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        (self.0)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        deserializer.deserialize_str(TimeVisitor(parse_time)).map(Time)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        deserializer.deserialize_str(TimeVisitor(|text| parse_time(text).or_else(|| parse_day(text)))).map(Day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-03-01T09:30:00.250+09:00", 1_772_325_000_250),
            ("2026-03-01T00:30:00.250999Z", 1_772_325_000_250),
            ("1969-12-31T23:59:59.9999Z", -1),
            ("2024-02-29t12:00:00z", 1_709_208_000_000),
        ] {
            assert_eq!(parse_time(text), Some(ms), "{text}");
        }
        assert_eq!(parse_day("2026-03-05"), Some(1_772_668_800_000));
    }

    proptest! {
        #[test]
        fn the_plain_form_is_read_like_any_other(ms in -62_167_219_200_000_i64..253_402_207_200_000) {
            let text = format_time(ms);
            prop_assert_eq!(parse_time(&text), Some(ms));
            prop_assert_eq!(text.parse::<Timestamp>().unwrap().as_millisecond(), ms);
            let second = format!("{}Z", &text[..19]);
            prop_assert_eq!(parse_time(&second), Some(ms.div_euclid(1000) * 1000));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-03-01",
            "2026-03-01T09:30:00",
            "2026-02-30T00:00:00Z",
            "12026-01-01T00:00:00Z",
            "+012026-01-01T00:00:00Z",
            "-000044-03-15T09:00:00Z",
            "+002026-01-01T00:00:00Z",
            "9999-12-31T23:59:60Z",
            "1772325000",
            "2026-03-01T24:00:00Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        for text in ["2026-02-30", "2026-3-5", "20260305", "20260305T0"] {
            assert_eq!(parse_day(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(format_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_time(1_772_325_000_250), "2026-03-01T00:30:00.250Z");
        assert_eq!(format_time(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(format_time(i64::MAX), "9999-12-30T22:00:00.999Z");
        assert_eq!(format_time(i64::MIN), "-009999-01-02T01:59:59.000Z");
    }
}
