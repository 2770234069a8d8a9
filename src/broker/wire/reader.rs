//! Reads messages from a frame that nobody vouches for: each count and length is held against what is left of the frame before
//! anything is allocated, and what arrays may take in memory is bounded by the frame's size.

use bytes::{Buf, Bytes};
use uuid::Uuid;

use super::{Fields, Message, WireError};

/// Structures in memory take more than on the wire; so many times the frame is enough for all real requests.
const MEMORY_PER_BYTE: usize = 16;
/// Granted to each frame besides.
const MEMORY_FLOOR: usize = 64 * 1024;
/// No frame gets more. It is enough for 100,000 partitions with what is said of each.
const MEMORY_CEILING: usize = 16 << 20;

/// Walks a message and fills it from a frame.
#[derive(Debug)]
pub struct Reader {
    left: Bytes,
    flexible: bool,
    /// Bytes of memory that arrays may still take.
    memory: usize,
}

impl Reader {
    /// Reads `frame` in the plain encoding.
    pub fn new(frame: Bytes) -> Self {
        let memory = frame.len().saturating_mul(MEMORY_PER_BYTE).saturating_add(MEMORY_FLOOR).min(MEMORY_CEILING);
        Reader { left: frame, flexible: false, memory }
    }

    /// What follows is in the flexible encoding, or is not.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Reads a whole message in version `v`. Bytes that follow it are left.
    pub fn message<T: Message + Default>(&mut self, v: i16) -> Result<T, WireError> {
        let mut message = T::default();
        message.fields(self, v)?;
        Ok(message)
    }

    /// Bytes not read yet.
    #[cfg(test)]
    pub fn left(&self) -> usize {
        self.left.len()
    }

    fn take(&mut self, length: usize) -> Result<Bytes, WireError> {
        if length > self.left.len() {
            return Err(WireError::Truncated { wanted: length, left: self.left.len() });
        }
        Ok(self.left.split_to(length))
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some(found) = self.left.first_chunk::<N>().copied() else {
            return Err(WireError::Truncated { wanted: N, left: self.left.len() });
        };
        self.left.advance(N);
        Ok(found)
    }

    fn unsigned_varint(&mut self) -> Result<u32, WireError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array_of()?;
            let part = u32::from(byte & 0x7f);
            if shift == 28 && part > 0x0f {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Varint)
    }

    /// A length or count as this version writes it, `None` for null.
    fn length(&mut self, plain: Plain) -> Result<Option<usize>, WireError> {
        let length = if self.flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else {
            match plain {
                Plain::Short => i64::from(i16::from_be_bytes(self.array_of()?)),
                Plain::Long => i64::from(i32::from_be_bytes(self.array_of()?)),
            }
        };
        match length {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| WireError::Negative(length)),
        }
    }

    fn text(&mut self, length: usize) -> Result<String, WireError> {
        let bytes = self.take(length)?;
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| WireError::Text)
    }

    /// An element takes at least a byte of the frame, and no more memory than the frame was granted.
    fn elements<T: Message + Default>(&mut self, count: usize, v: i16) -> Result<Vec<T>, WireError> {
        if count > self.left.len() {
            return Err(WireError::Truncated { wanted: count, left: self.left.len() });
        }
        self.memory =
            count.checked_mul(size_of::<T>()).and_then(|cost| self.memory.checked_sub(cost)).ok_or(WireError::Memory { count })?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(self.message(v)?);
        }
        Ok(elements)
    }
}

/// How the plain encoding writes a length.
#[derive(Clone, Copy)]
enum Plain {
    Short,
    Long,
}

impl Fields for Reader {
    fn bool(&mut self, value: &mut bool) -> Result<(), WireError> {
        *value = self.array_of::<1>()? != [0];
        Ok(())
    }

    fn i8(&mut self, value: &mut i8) -> Result<(), WireError> {
        *value = i8::from_be_bytes(self.array_of()?);
        Ok(())
    }

    fn i16(&mut self, value: &mut i16) -> Result<(), WireError> {
        *value = i16::from_be_bytes(self.array_of()?);
        Ok(())
    }

    fn i32(&mut self, value: &mut i32) -> Result<(), WireError> {
        *value = i32::from_be_bytes(self.array_of()?);
        Ok(())
    }

    fn i64(&mut self, value: &mut i64) -> Result<(), WireError> {
        *value = i64::from_be_bytes(self.array_of()?);
        Ok(())
    }

    fn uuid(&mut self, value: &mut Uuid) -> Result<(), WireError> {
        *value = Uuid::from_bytes(self.array_of()?);
        Ok(())
    }

    fn string(&mut self, value: &mut String) -> Result<(), WireError> {
        let length = self.length(Plain::Short)?.ok_or(WireError::Null)?;
        *value = self.text(length)?;
        Ok(())
    }

    fn nullable_string(&mut self, value: &mut Option<String>) -> Result<(), WireError> {
        *value = match self.length(Plain::Short)? {
            Some(length) => Some(self.text(length)?),
            None => None,
        };
        Ok(())
    }

    fn bytes(&mut self, value: &mut Bytes) -> Result<(), WireError> {
        let length = self.length(Plain::Long)?.ok_or(WireError::Null)?;
        *value = self.take(length)?;
        Ok(())
    }

    fn records(&mut self, value: &mut Option<Bytes>) -> Result<(), WireError> {
        *value = match self.length(Plain::Long)? {
            Some(length) => Some(self.take(length)?),
            None => None,
        };
        Ok(())
    }

    fn array<T: Message + Default>(&mut self, value: &mut Vec<T>, v: i16) -> Result<(), WireError> {
        let count = self.length(Plain::Long)?.ok_or(WireError::Null)?;
        *value = self.elements(count, v)?;
        Ok(())
    }

    fn nullable_array<T: Message + Default>(&mut self, value: &mut Option<Vec<T>>, v: i16) -> Result<(), WireError> {
        *value = match self.length(Plain::Long)? {
            Some(count) => Some(self.elements(count, v)?),
            None => None,
        };
        Ok(())
    }

    fn nullable_structure<T: Message + Default>(&mut self, value: &mut Option<T>, v: i16) -> Result<(), WireError> {
        let mut there = 0;
        self.i8(&mut there)?;
        *value = if there < 0 { None } else { Some(self.message(v)?) };
        Ok(())
    }

    fn tagged(&mut self) -> Result<(), WireError> {
        if self.flexible {
            for _ in 0..self.unsigned_varint()? {
                self.unsigned_varint()?;
                let length = self.unsigned_varint()? as usize;
                self.take(length)?;
            }
        }
        Ok(())
    }
}
