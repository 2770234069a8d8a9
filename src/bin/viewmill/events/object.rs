//! Reading JSON objects field by field, with errors that name the field.
//!
//! Serde's derived readers say what was wrong but not where, and its tagged and flattened enums buffer their content,
//! which turns exact numbers into floats. So an object here says in one `match` which names it knows, and everything else
//! follows from that: a field given twice is an error, `null` is the same as absent, unknown names are skipped, and
//! strings are borrowed from the input where they hold no escapes.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};

/// An object on its way from JSON to a value.
pub(super) trait Object<'de>: Sized {
    /// What it becomes.
    type Output;
    /// What a reader of an error message calls it, with its article.
    const NAME: &'static str;

    /// Takes the field of that name, or lets the reader skip it.
    fn field<A: MapAccess<'de>>(&mut self, name: &str, reader: FieldReader<'_, A>) -> Result<(), A::Error>;

    /// Makes the value once all fields are read.
    fn build<E: de::Error>(self) -> Result<Self::Output, E>;
}

/// Reads an object, starting from the given fields.
pub(super) fn read_object<'de, O: Object<'de>, D: Deserializer<'de>>(mut fields: O, deserializer: D) -> Result<O::Output, D::Error> {
    deserializer.deserialize_map(Fields(&mut fields))?;
    fields.build()
}

/// Fills fields in their place: they are too many to be moved about.
struct Fields<'a, O>(&'a mut O);

impl<'de, O: Object<'de>> Visitor<'de> for Fields<'_, O> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(O::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<JsonText<'de>>()? {
            self.0.field(&name, FieldReader { name: &name, map: &mut map })?;
        }
        Ok(())
    }
}

/// An object that needs nothing to start from, as the value of a field.
pub(super) struct Nested<'de, O: Object<'de>>(pub(super) O::Output);

impl<'de, O: Object<'de> + Default> Deserialize<'de> for Nested<'de, O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_object(O::default(), deserializer).map(Nested)
    }
}

/// Reads, or skips, the value of one field.
pub(super) struct FieldReader<'a, A> {
    name: &'a str,
    map: &'a mut A,
}

impl<'de, A: MapAccess<'de>> FieldReader<'_, A> {
    /// Reads the value into its slot; the same field a second time is an error.
    pub(super) fn read<T: Deserialize<'de>>(self, slot: &mut Slot<T>) -> Result<(), A::Error> {
        self.read_with(slot, PhantomData)
    }

    /// As [`FieldReader::read`], for values that need something to start from.
    pub(super) fn read_with<S: DeserializeSeed<'de>>(self, slot: &mut Slot<S::Value>, seed: S) -> Result<(), A::Error> {
        if !matches!(slot, Slot::Unread) {
            return Err(de::Error::custom(format_args!("field `{}` stands there twice", self.name)));
        }
        match self.map.next_value_seed(Nullable(seed)) {
            Ok(value) => {
                *slot = Slot::Read(value);
                Ok(())
            }
            Err(error) => Err(de::Error::custom(format_args!("{}: {error}", self.name))),
        }
    }

    /// Passes over the value, however deep it is.
    pub(super) fn skip(self) -> Result<(), A::Error> {
        self.map.next_value::<de::IgnoredAny>().map(|_| ())
    }
}

/// Where the value of a field goes.
#[derive(Default)]
pub(super) enum Slot<T> {
    /// The field has not been seen.
    #[default]
    Unread,
    /// The field was there; `None` is JSON's null.
    Read(Option<T>),
}

impl<T> Slot<T> {
    /// The value, if there was one.
    pub(super) fn optional(self) -> Option<T> {
        match self {
            Slot::Unread => None,
            Slot::Read(value) => value,
        }
    }

    /// The value, or an error that names the field.
    pub(super) fn required<E: de::Error>(self, name: &'static str) -> Result<T, E> {
        self.optional().ok_or_else(|| E::missing_field(name))
    }
}

impl<'de> Slot<JsonText<'de>> {
    /// The string in a form that outlives the input, if there was one.
    pub(super) fn owned<T: for<'a> From<&'a str>>(self) -> Option<T> {
        self.optional().map(|text| T::from(&text))
    }

    /// As [`Slot::owned`], or an error that names the field.
    pub(super) fn required_owned<T: for<'a> From<&'a str>, E: de::Error>(self, name: &'static str) -> Result<T, E> {
        self.required(name).map(|text| T::from(&text))
    }

    /// The string as long as the slot lives, if there was one.
    pub(super) fn as_deref(&self) -> Option<&str> {
        match self {
            Slot::Read(Some(text)) => Some(text),
            _ => None,
        }
    }

    /// The string, borrowed where it can be, if there was one.
    pub(super) fn borrowed(self) -> Option<Cow<'de, str>> {
        self.optional().map(|text| text.0)
    }
}

/// Null is no value; anything else is the seed's.
struct Nullable<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Nullable<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Nullable<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// A string of the input: borrowed unless it holds escapes.
pub(super) struct JsonText<'de>(pub(super) Cow<'de, str>);

impl Deref for JsonText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for JsonText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JsonText<'de>, D::Error> {
        deserializer.deserialize_str(JsonTextVisitor)
    }
}

struct JsonTextVisitor;

impl<'de> Visitor<'de> for JsonTextVisitor {
    type Value = JsonText<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<JsonText<'de>, E> {
        Ok(JsonText(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<JsonText<'de>, E> {
        Ok(JsonText(Cow::Owned(text.to_owned())))
    }
}
