//! Writes messages as a list of parts, so that record batches travel from the log to the socket without a copy.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::{Fields, Message, WireError};

/// Batches below this size are copied into the frame: a part of their own would cost more.
const OWN_PART: usize = 4096;

/// Walks a message and writes it.
#[derive(Debug, Default)]
pub struct Writer {
    full: Vec<Bytes>,
    current: BytesMut,
    flexible: bool,
}

impl Writer {
    /// What follows is in the flexible encoding, or is not.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Writes a whole message in version `v`.
    pub fn message(&mut self, message: &mut impl Message, v: i16) -> Result<(), WireError> {
        message.fields(self, v)
    }

    /// What was written, in order.
    pub fn into_parts(mut self) -> Vec<Bytes> {
        if !self.current.is_empty() {
            self.full.push(self.current.freeze());
        }
        self.full
    }

    fn unsigned_varint(&mut self, mut value: u32) {
        while value > 0x7f {
            self.current.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.current.put_u8(value as u8);
    }

    fn short_length(&mut self, length: Option<usize>) -> Result<(), WireError> {
        if self.flexible {
            return self.compact_length(length);
        }
        match length {
            Some(length) => self.current.put_i16(i16::try_from(length).map_err(|_| WireError::TooLong(length))?),
            None => self.current.put_i16(-1),
        }
        Ok(())
    }

    fn long_length(&mut self, length: Option<usize>) -> Result<(), WireError> {
        if self.flexible {
            return self.compact_length(length);
        }
        match length {
            Some(length) => self.current.put_i32(i32::try_from(length).map_err(|_| WireError::TooLong(length))?),
            None => self.current.put_i32(-1),
        }
        Ok(())
    }

    fn compact_length(&mut self, length: Option<usize>) -> Result<(), WireError> {
        let plus_one = match length {
            Some(length) => i32::try_from(length).ok().and_then(|length| length.checked_add(1)).ok_or(WireError::TooLong(length))?,
            None => 0,
        };
        self.unsigned_varint(plus_one.unsigned_abs());
        Ok(())
    }

    fn elements<T: Message>(&mut self, elements: &mut [T], v: i16) -> Result<(), WireError> {
        self.long_length(Some(elements.len()))?;
        elements.iter_mut().try_for_each(|element| element.fields(self, v))
    }
}

impl Fields for Writer {
    fn bool(&mut self, value: &mut bool) -> Result<(), WireError> {
        self.current.put_u8(u8::from(*value));
        Ok(())
    }

    fn i8(&mut self, value: &mut i8) -> Result<(), WireError> {
        self.current.put_i8(*value);
        Ok(())
    }

    fn i16(&mut self, value: &mut i16) -> Result<(), WireError> {
        self.current.put_i16(*value);
        Ok(())
    }

    fn i32(&mut self, value: &mut i32) -> Result<(), WireError> {
        self.current.put_i32(*value);
        Ok(())
    }

    fn i64(&mut self, value: &mut i64) -> Result<(), WireError> {
        self.current.put_i64(*value);
        Ok(())
    }

    fn uuid(&mut self, value: &mut Uuid) -> Result<(), WireError> {
        self.current.put_slice(value.as_bytes());
        Ok(())
    }

    fn string(&mut self, value: &mut String) -> Result<(), WireError> {
        self.short_length(Some(value.len()))?;
        self.current.put_slice(value.as_bytes());
        Ok(())
    }

    fn nullable_string(&mut self, value: &mut Option<String>) -> Result<(), WireError> {
        match value {
            Some(value) => self.string(value),
            None => self.short_length(None),
        }
    }

    fn bytes(&mut self, value: &mut Bytes) -> Result<(), WireError> {
        self.long_length(Some(value.len()))?;
        self.current.put_slice(value);
        Ok(())
    }

    fn records(&mut self, value: &mut Option<Bytes>) -> Result<(), WireError> {
        self.long_length(value.as_ref().map(Bytes::len))?;
        match value {
            Some(records) if records.len() >= OWN_PART => {
                self.full.push(self.current.split().freeze());
                self.full.push(records.clone());
            }
            Some(records) => self.current.put_slice(records),
            None => {}
        }
        Ok(())
    }

    fn array<T: Message + Default>(&mut self, value: &mut Vec<T>, v: i16) -> Result<(), WireError> {
        self.elements(value, v)
    }

    fn nullable_array<T: Message + Default>(&mut self, value: &mut Option<Vec<T>>, v: i16) -> Result<(), WireError> {
        match value {
            Some(value) => self.elements(value, v),
            None => self.long_length(None),
        }
    }

    fn nullable_structure<T: Message + Default>(&mut self, value: &mut Option<T>, v: i16) -> Result<(), WireError> {
        match value {
            Some(value) => {
                self.current.put_i8(1);
                value.fields(self, v)
            }
            None => {
                self.current.put_i8(-1);
                Ok(())
            }
        }
    }

    fn tagged(&mut self) -> Result<(), WireError> {
        if self.flexible {
            self.current.put_u8(0);
        }
        Ok(())
    }
}
