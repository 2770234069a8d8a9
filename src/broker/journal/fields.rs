//! The fields of a journal record: little-endian numbers, texts and bytes behind their lengths, lists behind their counts.

/// A record being written.
#[derive(Debug, Default)]
pub struct Put {
    bytes: Vec<u8>,
}

impl Put {
    /// Begins with the byte that says which kind of record this is.
    pub fn kind(kind: u8) -> Self {
        Put { bytes: vec![kind] }
    }

    /// The record.
    pub fn done(self) -> Vec<u8> {
        self.bytes
    }

    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    pub fn i16(&mut self, value: i16) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.count(value.len());
        self.bytes.extend_from_slice(value);
        self
    }

    pub fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub fn optional_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(text) => self.u8(1).text(text),
            None => self.u8(0),
        }
    }

    /// How many items follow. A record is far below 4 GiB: what comes in one request is bounded.
    pub fn count(&mut self, count: usize) -> &mut Self {
        self.bytes.extend_from_slice(&u32::try_from(count).expect("a record is below 4 GiB").to_le_bytes());
        self
    }
}

/// A record that cannot be read: it ends early, or holds what this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("{what} of a record cannot be read")]
pub struct Unreadable {
    /// Which field.
    pub what: &'static str,
}

/// A record being read.
#[derive(Debug)]
pub struct Take<'a> {
    rest: &'a [u8],
}

impl<'a> Take<'a> {
    /// Reads from the beginning.
    pub fn new(record: &'a [u8]) -> Self {
        Take { rest: record }
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Unreadable { what })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Unreadable> {
        self.take(N, what)?.try_into().map_err(|_| Unreadable { what })
    }

    pub fn u8(&mut self) -> Result<u8, Unreadable> {
        Ok(self.array::<1>("a byte")?[0])
    }

    pub fn i16(&mut self) -> Result<i16, Unreadable> {
        Ok(i16::from_le_bytes(self.array("a number")?))
    }

    pub fn i32(&mut self) -> Result<i32, Unreadable> {
        Ok(i32::from_le_bytes(self.array("a number")?))
    }

    pub fn i64(&mut self) -> Result<i64, Unreadable> {
        Ok(i64::from_le_bytes(self.array("a number")?))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let length = u32::from_le_bytes(self.array("a length")?) as usize;
        self.take(length, "a text")
    }

    pub fn text(&mut self) -> Result<String, Unreadable> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Unreadable { what: "a text" })
    }

    pub fn optional_text(&mut self) -> Result<Option<String>, Unreadable> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(Unreadable { what: "an optional text" }),
        }
    }

    /// So many items, each read by `item`. Nothing is reserved ahead: the count is only believed as far as there are bytes.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Unreadable>) -> Result<Vec<T>, Unreadable> {
        let count = u32::from_le_bytes(self.array("a count")?);
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }
}
