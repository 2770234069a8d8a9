//! Walks a message and adds up the memory that its fields took.

use bytes::Bytes;
use uuid::Uuid;

use crate::broker::wire::{Fields, Message, WireError};

/// Adds up what strings and arrays hold; record data and bytes are slices of the frame.
#[derive(Default)]
pub struct Weigher {
    /// So many bytes.
    pub bytes: usize,
}

impl Weigher {
    fn elements<T: Message>(&mut self, elements: &mut Vec<T>, v: i16) -> Result<(), WireError> {
        self.bytes += elements.capacity() * size_of::<T>();
        elements.iter_mut().try_for_each(|element| element.fields(self, v))
    }
}

impl Fields for Weigher {
    fn bool(&mut self, _: &mut bool) -> Result<(), WireError> {
        Ok(())
    }

    fn i8(&mut self, _: &mut i8) -> Result<(), WireError> {
        Ok(())
    }

    fn i16(&mut self, _: &mut i16) -> Result<(), WireError> {
        Ok(())
    }

    fn i32(&mut self, _: &mut i32) -> Result<(), WireError> {
        Ok(())
    }

    fn i64(&mut self, _: &mut i64) -> Result<(), WireError> {
        Ok(())
    }

    fn uuid(&mut self, _: &mut Uuid) -> Result<(), WireError> {
        Ok(())
    }

    fn string(&mut self, value: &mut String) -> Result<(), WireError> {
        self.bytes += value.capacity();
        Ok(())
    }

    fn nullable_string(&mut self, value: &mut Option<String>) -> Result<(), WireError> {
        self.bytes += value.as_ref().map_or(0, String::capacity);
        Ok(())
    }

    fn bytes(&mut self, _: &mut Bytes) -> Result<(), WireError> {
        Ok(())
    }

    fn records(&mut self, _: &mut Option<Bytes>) -> Result<(), WireError> {
        Ok(())
    }

    fn array<T: Message + Default>(&mut self, value: &mut Vec<T>, v: i16) -> Result<(), WireError> {
        self.elements(value, v)
    }

    fn nullable_array<T: Message + Default>(&mut self, value: &mut Option<Vec<T>>, v: i16) -> Result<(), WireError> {
        value.as_mut().map_or(Ok(()), |elements| self.elements(elements, v))
    }

    fn nullable_structure<T: Message + Default>(&mut self, value: &mut Option<T>, v: i16) -> Result<(), WireError> {
        value.as_mut().map_or(Ok(()), |value| value.fields(self, v))
    }

    fn tagged(&mut self) -> Result<(), WireError> {
        Ok(())
    }
}
