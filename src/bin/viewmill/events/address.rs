//! Where an order is sent.

use serde::de::{self, Deserialize, Deserializer, MapAccess};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::object::{FieldReader, JsonText, Nested, Object, Slot};
use super::packed::Packed;

/// Where an order is sent. Writers leave out what they do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// Sent by express.
    pub express: bool,
    /// In the order of [`AddressLines`].
    lines: Packed<5>,
}

/// The lines of an address before it is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressLines<'a> {
    /// Who receives it.
    pub recipient: Option<&'a str>,
    /// Street, house and flat.
    pub street: Option<&'a str>,
    /// City.
    pub city: Option<&'a str>,
    /// Postal code.
    pub postal_code: Option<&'a str>,
    /// Country.
    pub country: Option<&'a str>,
}

impl Address {
    /// An address of these lines.
    pub fn new(lines: AddressLines<'_>, express: bool) -> Address {
        let AddressLines { recipient, street, city, postal_code, country } = lines;
        Address { express, lines: Packed::new([recipient, street, city, postal_code, country]) }
    }

    /// Its lines.
    pub fn lines(&self) -> AddressLines<'_> {
        let line = |i| self.lines.get(i);
        AddressLines { recipient: line(0), street: line(1), city: line(2), postal_code: line(3), country: line(4) }
    }
}

/// An object with the names of events and answers, or, in binary, the fields one after the other.
impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return (self.express, &self.lines).serialize(serializer);
        }
        let lines = self.lines();
        let mut fields = serializer.serialize_struct("Address", 6)?;
        fields.serialize_field("recipient", &lines.recipient)?;
        fields.serialize_field("street", &lines.street)?;
        fields.serialize_field("city", &lines.city)?;
        fields.serialize_field("postalCode", &lines.postal_code)?;
        fields.serialize_field("country", &lines.country)?;
        fields.serialize_field("express", &self.express)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        if deserializer.is_human_readable() {
            return Nested::<AddressFields<'de>>::deserialize(deserializer).map(|address| address.0);
        }
        let (express, lines) = Deserialize::deserialize(deserializer)?;
        Ok(Address { express, lines })
    }
}

#[derive(Default)]
struct AddressFields<'de> {
    recipient: Slot<JsonText<'de>>,
    street: Slot<JsonText<'de>>,
    city: Slot<JsonText<'de>>,
    postal_code: Slot<JsonText<'de>>,
    country: Slot<JsonText<'de>>,
    express: Slot<bool>,
}

impl<'de> Object<'de> for AddressFields<'de> {
    type Output = Address;
    const NAME: &'static str = "an address";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, reader: FieldReader<'_, A>) -> Result<(), A::Error> {
        match name {
            "recipient" => reader.read(&mut self.recipient),
            "street" => reader.read(&mut self.street),
            "city" => reader.read(&mut self.city),
            "postalCode" => reader.read(&mut self.postal_code),
            "country" => reader.read(&mut self.country),
            "express" => reader.read(&mut self.express),
            _ => reader.skip(),
        }
    }

    fn build<E: de::Error>(self) -> Result<Address, E> {
        let lines = AddressLines {
            recipient: self.recipient.as_deref(),
            street: self.street.as_deref(),
            city: self.city.as_deref(),
            postal_code: self.postal_code.as_deref(),
            country: self.country.as_deref(),
        };
        Ok(Address::new(lines, self.express.optional().unwrap_or_default()))
    }
}
