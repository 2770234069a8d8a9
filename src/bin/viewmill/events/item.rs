//! One line of an order.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::object::{FieldReader, JsonText, Nested, Object, Slot};
use super::order::not_negative;
use super::packed::Packed;
use crate::money::Money;

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The price of one piece.
    pub price: Money,
    /// How many pieces.
    pub quantity: u32,
    /// The product's id and name.
    texts: Packed<2>,
}

impl Item {
    /// So many pieces of a product, at so much each.
    pub fn new(product_id: &str, name: Option<&str>, price: Money, quantity: u32) -> Item {
        Item { price, quantity, texts: Packed::new([Some(product_id), name]) }
    }

    /// The product's id.
    pub fn product_id(&self) -> &str {
        self.texts.get(0).unwrap_or_default()
    }

    /// The product's name when it was ordered, if the writer gave it.
    pub fn name(&self) -> Option<&str> {
        self.texts.get(1)
    }
}

/// An object with the names of events and answers, or, in binary, the fields one after the other.
impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return (self.price, self.quantity, &self.texts).serialize(serializer);
        }
        let mut fields = serializer.serialize_struct("Item", 4)?;
        fields.serialize_field("productId", self.product_id())?;
        fields.serialize_field("name", &self.name())?;
        fields.serialize_field("price", &self.price)?;
        fields.serialize_field("quantity", &self.quantity)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        if deserializer.is_human_readable() {
            return Nested::<ItemFields<'de>>::deserialize(deserializer).map(|item| item.0);
        }
        let (price, quantity, texts) = Deserialize::deserialize(deserializer)?;
        Ok(Item { price, quantity, texts })
    }
}

/// The lines of an order, read from a JSON array.
pub(super) struct Items(pub(super) Arc<[Item]>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Items, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Items, A::Error> {
        let mut items = Vec::new();
        loop {
            match array.next_element::<Item>() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Items(items.into())),
                Err(error) => return Err(de::Error::custom(format_args!("[{}]: {error}", items.len()))),
            }
        }
    }
}

#[derive(Default)]
struct ItemFields<'de> {
    product_id: Slot<JsonText<'de>>,
    name: Slot<JsonText<'de>>,
    price: Slot<Money>,
    quantity: Slot<u32>,
}

impl<'de> Object<'de> for ItemFields<'de> {
    type Output = Item;
    const NAME: &'static str = "an item";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, reader: FieldReader<'_, A>) -> Result<(), A::Error> {
        match name {
            "productId" => reader.read(&mut self.product_id),
            "name" => reader.read(&mut self.name),
            "price" => reader.read(&mut self.price),
            "quantity" => reader.read(&mut self.quantity),
            _ => reader.skip(),
        }
    }

    fn build<E: de::Error>(self) -> Result<Item, E> {
        let product_id = self.product_id.required::<E>("productId")?;
        let price = not_negative("price", self.price.required("price")?)?;
        Ok(Item::new(&product_id, self.name.optional().as_deref(), price, self.quantity.required("quantity")?))
    }
}
