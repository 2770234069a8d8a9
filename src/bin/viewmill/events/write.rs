//! From an event to JSON, under the names and in the order of the envelope. What an event does not say is left out.

use serde::ser::{Error, Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::{Body, Event, OrderEvent, PaymentEvent, format_time};

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let envelope = &self.envelope;
        let mut fields = Fields(serializer.serialize_map(None)?);
        fields.some("eventId", envelope.event_id())?;
        fields.set("type", self.type_name())?;
        fields.some("schemaVersion", envelope.schema_version())?;
        fields.some("aggregateType", envelope.aggregate_type())?;
        fields.set("aggregateId", envelope.aggregate_id())?;
        fields.some("version", envelope.version())?;
        fields.some("timestamp", envelope.time_ms().map(format_time))?;
        fields.some("correlationId", envelope.correlation_id())?;
        fields.some("causationId", envelope.causation_id())?;
        fields.some("commandId", envelope.command_id())?;
        if let Some(actor) = envelope.actor() {
            fields.set("actor", serde_json::from_str::<&RawValue>(actor).map_err(Error::custom)?)?;
        }
        fields.set("data", &Data(self))?;
        fields.0.end()
    }
}

/// The `data` of an event.
struct Data<'a>(&'a Event);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Fields(serializer.serialize_map(None)?);
        fields.set("orderId", self.0.aggregate_id())?;
        match &self.0.body {
            Body::Order(event) => fields.order(event)?,
            Body::Payment(event) => fields.payment(event)?,
            Body::Shipment(event) => {
                fields.some("carrier", event.carrier.as_deref())?;
                fields.some("trackingNumber", event.tracking_number.as_deref())?;
                fields.some("location", event.location.as_deref())?;
            }
        }
        fields.0.end()
    }
}

/// An object that is being written.
struct Fields<M>(M);

impl<M: SerializeMap> Fields<M> {
    fn order(&mut self, event: &OrderEvent) -> Result<(), M::Error> {
        match event {
            OrderEvent::Created(created) => {
                self.set("userId", &created.user_id)?;
                self.set("items", &created.items)?;
                self.set("totalAmount", &created.total_amount)?;
                self.some("currency", created.currency)?;
                self.some("shippingAddress", created.shipping_address.as_deref())?;
                self.some("estimatedDelivery", created.estimated_delivery.map(format_time))
            }
            OrderEvent::Approved { note } => self.some("note", note.as_deref()),
            OrderEvent::Rejected { reason } | OrderEvent::Cancelled { reason } => self.some("reason", reason.as_deref()),
            OrderEvent::Shipped(shipped) => {
                self.some("shippedAt", shipped.shipped_at.map(format_time))?;
                self.some("carrier", shipped.carrier.as_deref())?;
                self.some("trackingNumber", shipped.tracking_number.as_deref())
            }
            OrderEvent::Delivered { delivered_at } => self.some("deliveredAt", delivered_at.map(format_time)),
            OrderEvent::AddressChanged { shipping_address } => self.set("shippingAddress", shipping_address),
        }
    }

    fn payment(&mut self, event: &PaymentEvent) -> Result<(), M::Error> {
        match event {
            PaymentEvent::Completed(completed) => {
                self.set("paymentId", &completed.payment_id)?;
                self.some("method", completed.method.as_deref())?;
                self.set("amount", &completed.amount)
            }
            PaymentEvent::Failed(failed) => {
                self.set("paymentId", &failed.payment_id)?;
                self.some("code", failed.code.as_deref())
            }
            PaymentEvent::Refunded(refunded) => {
                self.set("paymentId", &refunded.payment_id)?;
                self.set("refundId", &refunded.refund_id)?;
                self.set("amount", &refunded.amount)?;
                self.some("reason", refunded.reason.as_deref())
            }
        }
    }

    fn set(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Result<(), M::Error> {
        self.0.serialize_entry(name, value)
    }

    fn some(&mut self, name: &'static str, value: Option<impl Serialize>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.set(name, &value))
    }
}
