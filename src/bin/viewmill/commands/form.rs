//! Reading JSON from people: all faults are found, each with its place, and nothing is passed over.
//!
//! Events of others are read leniently (`crate::events`); commands are not: what a client wrote and nobody understood would be a wish that
//! was silently not granted. So unknown and doubled members are faults. `null` is the same as absent. Numbers are read from their digits.
//!
//! A reader answers `None` when it has told a fault, and goes on with the next member.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fault::{FaultCode, Faults, member_pointer};
use crate::events::{Text, parse_time};
use crate::money::{Currency, Money, MoneyError};

/// A value, and where it stands.
pub struct Value<'a, 'f> {
    json: &'a str,
    pointer: String,
    faults: &'f mut Faults,
}

/// An object, from which members are taken.
pub struct Form<'a, 'f> {
    rest: BTreeMap<String, &'a RawValue>,
    pointer: &'f str,
    faults: &'f mut Faults,
}

impl<'a, 'f> Value<'a, 'f> {
    /// The whole of the data.
    pub fn new(data: &'a RawValue, faults: &'f mut Faults) -> Self {
        Value { json: data.get(), pointer: String::new(), faults }
    }

    /// An object, as `read` makes something of it; it must take all members that there may be.
    pub fn object<T>(mut self, read: impl FnOnce(&mut Form<'_, '_>) -> Option<T>) -> Option<T> {
        if !self.json.starts_with('{') {
            return self.wrong_type("an object");
        }
        let Ok(members) = serde_json::from_str::<Members<'_>>(self.json) else {
            return self.fault(FaultCode::Invalid, "must have names that are text");
        };
        for name in &members.doubled {
            self.faults.add(member_pointer(&self.pointer, name), FaultCode::Duplicate, "stands there more than once");
        }
        let mut form = Form { rest: members.first, pointer: &self.pointer, faults: self.faults };
        let value = read(&mut form);
        for name in form.rest.keys() {
            form.faults.add(member_pointer(form.pointer, name), FaultCode::Unknown, "is not known here");
        }
        value
    }

    /// A list of one to so many entries. All of these are read, so that all their faults are told.
    pub fn list<T>(mut self, most: usize, read: impl Fn(Value<'_, '_>) -> Option<T>) -> Option<Vec<T>> {
        let Ok(entries) = serde_json::from_str::<Vec<&RawValue>>(self.json) else { return self.wrong_type("an array") };
        match entries.len() {
            0 => self.fault(FaultCode::Empty, "must have at least one entry"),
            count if count > most => self.fault(FaultCode::TooMany, format!("must have at most {most} entries, has {count}")),
            count => {
                let mut values = Vec::with_capacity(count);
                for (i, entry) in entries.into_iter().enumerate() {
                    values.extend(read(Value { json: entry.get(), pointer: format!("{}/{i}", self.pointer), faults: self.faults }));
                }
                Some(values).filter(|values| values.len() == count)
            }
        }
    }

    /// A text of one to so many characters.
    pub fn text(mut self, most: usize) -> Option<Text> {
        let text = self.string()?;
        match text.chars().count() {
            0 => self.fault(FaultCode::Empty, "must not be empty"),
            count if count > most => self.fault(FaultCode::TooLong, format!("must have at most {most} characters, has {count}")),
            _ => Some(Text::from(text.as_str())),
        }
    }

    /// An amount of more than nothing, as a number or as a string that holds one.
    pub fn amount(mut self) -> Option<Money> {
        let amount = match self.json.as_bytes()[0] {
            b'"' => self.string()?.parse(),
            b'-' | b'0'..=b'9' => self.json.parse(),
            _ => return self.wrong_type("a number, or a string that holds one"),
        };
        match amount {
            Ok(amount) if amount > Money::ZERO => Some(amount),
            Ok(_) => self.fault(FaultCode::OutOfRange, "must be more than 0"),
            Err(MoneyError::OutOfRange) => self.fault(FaultCode::OutOfRange, "must have at most 28 digits"),
            Err(MoneyError::NotANumber) => self.fault(FaultCode::Invalid, "must be a decimal number"),
        }
    }

    /// How many pieces: at least one.
    pub fn quantity(mut self) -> Option<u32> {
        match serde_json::from_str(self.json) {
            Ok(quantity @ 1..) => Some(quantity),
            _ if self.json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
                self.fault(FaultCode::OutOfRange, format!("must be a whole number from 1 to {}", u32::MAX))
            }
            _ => self.wrong_type("a whole number"),
        }
    }

    /// True or false.
    pub fn flag(mut self) -> Option<bool> {
        match self.json {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.wrong_type("true or false"),
        }
    }

    /// A moment, in milliseconds since the Unix epoch.
    pub fn time(mut self) -> Option<i64> {
        let time = parse_time(&self.string()?);
        time.or_else(|| self.fault(FaultCode::Invalid, "must be an RFC 3339 time with its offset, such as 2026-03-01T09:30:00Z"))
    }

    /// A currency that is in use.
    pub fn currency(mut self) -> Option<Currency> {
        let currency = self.string()?.parse().ok().filter(|currency: &Currency| currency.is_listed());
        currency.or_else(|| self.fault(FaultCode::Invalid, "must be the ISO 4217 code of a currency in use, such as KRW"))
    }

    fn string(&mut self) -> Option<String> {
        if !self.json.starts_with('"') {
            return self.wrong_type("a string");
        }
        serde_json::from_str(self.json).ok().or_else(|| self.fault(FaultCode::Invalid, "must be text: an escape in it is no character"))
    }

    fn wrong_type<T>(&mut self, expected: &str) -> Option<T> {
        self.fault(FaultCode::WrongType, format!("must be {expected}"))
    }

    /// Tells a fault. There is no value then.
    fn fault<T>(&mut self, code: FaultCode, detail: impl Into<String>) -> Option<T> {
        self.faults.add(self.pointer.as_str(), code, detail);
        None
    }
}

impl Form<'_, '_> {
    /// A member that there must be.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(Value<'_, '_>) -> Option<T>) -> Option<T> {
        let value = self.optional(name, read)?;
        value.or_else(|| self.fault(name, FaultCode::Required, "is required"))
    }

    /// A member that may be missing: `Some(None)`.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(Value<'_, '_>) -> Option<T>) -> Option<Option<T>> {
        match self.rest.remove(name) {
            None => Some(None),
            Some(value) if value.get() == "null" => Some(None),
            Some(value) => read(Value { json: value.get(), pointer: member_pointer(self.pointer, name), faults: self.faults }).map(Some),
        }
    }

    /// Tells a fault of a member. There is no value then.
    pub fn fault<T>(&mut self, name: &str, code: FaultCode, detail: impl Into<String>) -> Option<T> {
        self.faults.add(member_pointer(self.pointer, name), code, detail);
        None
    }
}

/// The members of an object: each name as it came first, and the names that came again.
struct Members<'a> {
    first: BTreeMap<String, &'a RawValue>,
    doubled: Vec<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members { first: BTreeMap::new(), doubled: Vec::new() };
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    match members.first.entry(name) {
                        Entry::Vacant(place) => {
                            place.insert(value);
                        }
                        Entry::Occupied(known) => members.doubled.push(known.key().clone()),
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object)
    }
}
