//! `SHIPMENT_*`: where the parcel is, in the words of the warehouse.

use serde::de::{self, MapAccess};

use super::Body;
use super::object::{FieldReader, JsonText, Object, Slot};
use super::read::Data;
use super::text::Text;

/// A step of a parcel on its way. All types carry the same fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShipmentEvent {
    /// Which step.
    pub step: ShipmentStep,
    /// Who carries it.
    pub carrier: Option<Text>,
    /// The carrier's number for the parcel.
    pub tracking_number: Option<Text>,
    /// Where it was seen.
    pub location: Option<Text>,
}

/// The types of [`ShipmentEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShipmentStep {
    /// `SHIPMENT_CREATED`: being prepared.
    Created,
    /// `SHIPMENT_IN_TRANSIT`.
    InTransit,
    /// `SHIPMENT_OUT_FOR_DELIVERY`.
    OutForDelivery,
    /// `SHIPMENT_DELIVERED`.
    Delivered,
    /// `SHIPMENT_DELIVERY_FAILED`.
    DeliveryFailed,
}

impl ShipmentStep {
    pub(super) fn from_name(name: &str) -> Option<ShipmentStep> {
        Some(match name {
            "SHIPMENT_CREATED" => ShipmentStep::Created,
            "SHIPMENT_IN_TRANSIT" => ShipmentStep::InTransit,
            "SHIPMENT_OUT_FOR_DELIVERY" => ShipmentStep::OutForDelivery,
            "SHIPMENT_DELIVERED" => ShipmentStep::Delivered,
            "SHIPMENT_DELIVERY_FAILED" => ShipmentStep::DeliveryFailed,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            ShipmentStep::Created => "SHIPMENT_CREATED",
            ShipmentStep::InTransit => "SHIPMENT_IN_TRANSIT",
            ShipmentStep::OutForDelivery => "SHIPMENT_OUT_FOR_DELIVERY",
            ShipmentStep::Delivered => "SHIPMENT_DELIVERED",
            ShipmentStep::DeliveryFailed => "SHIPMENT_DELIVERY_FAILED",
        }
    }
}

pub(super) struct ShipmentFields<'de> {
    step: ShipmentStep,
    order_id: Slot<JsonText<'de>>,
    carrier: Slot<JsonText<'de>>,
    tracking_number: Slot<JsonText<'de>>,
    location: Slot<JsonText<'de>>,
}

impl ShipmentFields<'_> {
    pub(super) fn new(step: ShipmentStep) -> Self {
        ShipmentFields { step, order_id: Slot::Unread, carrier: Slot::Unread, tracking_number: Slot::Unread, location: Slot::Unread }
    }
}

impl<'de> Object<'de> for ShipmentFields<'de> {
    type Output = Data<'de>;
    const NAME: &'static str = "the data of a shipment event";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, reader: FieldReader<'_, A>) -> Result<(), A::Error> {
        match name {
            "orderId" => reader.read(&mut self.order_id),
            "carrier" => reader.read(&mut self.carrier),
            "trackingNumber" => reader.read(&mut self.tracking_number),
            "location" => reader.read(&mut self.location),
            _ => reader.skip(),
        }
    }

    fn build<E: de::Error>(self) -> Result<Data<'de>, E> {
        let event = ShipmentEvent {
            step: self.step,
            carrier: self.carrier.owned(),
            tracking_number: self.tracking_number.owned(),
            location: self.location.owned(),
        };
        Ok(Data { body: Body::Shipment(event), order_id: self.order_id.optional() })
    }
}
