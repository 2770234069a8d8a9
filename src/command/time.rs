//! Times in JSON: written as RFC 3339 in UTC with milliseconds, read in any form of it, or as milliseconds since the Unix epoch.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::record::Timestamp;

/// A time as JSON.
pub(super) struct JsonTime(pub Timestamp);

impl Serialize for JsonTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for JsonTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(JsonTime)
    }
}

/// Times that RFC 3339 has no years for stay a number.
pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    match jiff::Timestamp::from_millisecond(time.0) {
        Ok(known) => serializer.collect_str(&format_args!("{known:.3}")),
        Err(_) => serializer.serialize_i64(time.0),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    struct Moment;
    impl Visitor<'_> for Moment {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an RFC 3339 time with its offset, such as 2026-03-01T09:30:00Z, or milliseconds since the Unix epoch")
        }

        fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Timestamp, E> {
            Ok(Timestamp(millis))
        }

        fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
            i64::try_from(millis).map(Timestamp).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(millis), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
            let time: jiff::Timestamp = text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
            let millis = time.as_nanosecond().div_euclid(1_000_000);
            i64::try_from(millis).map(Timestamp).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Moment)
}
