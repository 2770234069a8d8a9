//! One description of each message, read by whoever walks it: the reader, the writer and the tests' filler.

use bytes::Bytes;
use uuid::Uuid;

use super::{ErrorCode, WireError};

/// A structure that names its fields in the order in which they travel in version `v`, [`Fields::tagged`] last.
/// Reading and writing are one description, so they cannot disagree.
pub trait Message {
    /// Hands each field of this version to `f`.
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError>;
}

/// What walks the fields of a message. The encoding is that of the message's version: compact and with tagged fields when it is
/// flexible.
pub trait Fields: Sized {
    /// One byte, 0 or 1.
    fn bool(&mut self, value: &mut bool) -> Result<(), WireError>;
    /// One byte.
    fn i8(&mut self, value: &mut i8) -> Result<(), WireError>;
    /// Two bytes, the highest first.
    fn i16(&mut self, value: &mut i16) -> Result<(), WireError>;
    /// Four bytes, the highest first.
    fn i32(&mut self, value: &mut i32) -> Result<(), WireError>;
    /// Eight bytes, the highest first.
    fn i64(&mut self, value: &mut i64) -> Result<(), WireError>;
    /// Sixteen bytes.
    fn uuid(&mut self, value: &mut Uuid) -> Result<(), WireError>;
    /// A length and UTF-8.
    fn string(&mut self, value: &mut String) -> Result<(), WireError>;
    /// A string or null.
    fn nullable_string(&mut self, value: &mut Option<String>) -> Result<(), WireError>;
    /// A length and bytes.
    fn bytes(&mut self, value: &mut Bytes) -> Result<(), WireError>;
    /// Record batches, or null: never copied.
    fn records(&mut self, value: &mut Option<Bytes>) -> Result<(), WireError>;
    /// A count and so many elements.
    fn array<T: Message + Default>(&mut self, value: &mut Vec<T>, v: i16) -> Result<(), WireError>;
    /// An array or null.
    fn nullable_array<T: Message + Default>(&mut self, value: &mut Option<Vec<T>>, v: i16) -> Result<(), WireError>;
    /// A structure or null.
    fn nullable_structure<T: Message + Default>(&mut self, value: &mut Option<T>, v: i16) -> Result<(), WireError>;
    /// The end of a structure: in a flexible version, tagged fields follow. None is known here, all are skipped.
    fn tagged(&mut self) -> Result<(), WireError>;

    /// An [`ErrorCode`] in two bytes.
    fn error_code(&mut self, value: &mut ErrorCode) -> Result<(), WireError> {
        let mut code = *value as i16;
        self.i16(&mut code)?;
        *value = ErrorCode::from_code(code);
        Ok(())
    }
}

// Elements of arrays that are no structures.

impl Message for i32 {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(self)
    }
}

impl Message for i64 {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i64(self)
    }
}

impl Message for String {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(self)
    }
}
