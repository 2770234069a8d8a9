//! Walks a message and makes its fields up, from a seed.

use bytes::Bytes;
use uuid::Uuid;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// Makes values up. Small ones and edges are likely.
pub struct Filler {
    state: u64,
}

impl Filler {
    /// The same seed makes up the same.
    pub fn new(seed: u64) -> Self {
        Filler { state: seed }
    }

    /// A whole message in version `v`.
    pub fn message<T: Message + Default>(&mut self, v: i16) -> T {
        let mut message = T::default();
        message.fields(self, v).expect("making up fails never");
        message
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn number(&mut self) -> i64 {
        match self.below(5) {
            0 => 0,
            1 => -1,
            2 => i64::MAX,
            3 => self.below(300) as i64,
            _ => self.next() as i64,
        }
    }

    fn blob(&mut self) -> Bytes {
        // Around the length at which compact lengths take another byte, and above the size at which records get a part of their own.
        let length = [0, 1, 5, 126, 127, 128, 300, 5000][self.below(8) as usize];
        (0..length).map(|_| self.next() as u8).collect()
    }
}

impl Fields for Filler {
    fn bool(&mut self, value: &mut bool) -> Result<(), WireError> {
        *value = self.below(2) == 1;
        Ok(())
    }

    fn i8(&mut self, value: &mut i8) -> Result<(), WireError> {
        *value = self.number() as i8;
        Ok(())
    }

    fn i16(&mut self, value: &mut i16) -> Result<(), WireError> {
        *value = self.number() as i16;
        Ok(())
    }

    fn i32(&mut self, value: &mut i32) -> Result<(), WireError> {
        *value = self.number() as i32;
        Ok(())
    }

    fn i64(&mut self, value: &mut i64) -> Result<(), WireError> {
        *value = self.number();
        Ok(())
    }

    fn uuid(&mut self, value: &mut Uuid) -> Result<(), WireError> {
        *value = Uuid::from_u64_pair(self.next(), self.next());
        Ok(())
    }

    fn string(&mut self, value: &mut String) -> Result<(), WireError> {
        *value = ["", "a", "orders", "zwölf Boxkämpfer", &"long ".repeat(30)][self.below(5) as usize].to_owned();
        Ok(())
    }

    fn nullable_string(&mut self, value: &mut Option<String>) -> Result<(), WireError> {
        *value = None;
        if self.below(3) > 0 { self.string(value.insert(String::new())) } else { Ok(()) }
    }

    fn bytes(&mut self, value: &mut Bytes) -> Result<(), WireError> {
        *value = self.blob();
        Ok(())
    }

    fn records(&mut self, value: &mut Option<Bytes>) -> Result<(), WireError> {
        *value = if self.below(4) > 0 { Some(self.blob()) } else { None };
        Ok(())
    }

    fn array<T: Message + Default>(&mut self, value: &mut Vec<T>, v: i16) -> Result<(), WireError> {
        let count = self.below(4);
        *value = (0..count).map(|_| self.message(v)).collect();
        Ok(())
    }

    fn nullable_array<T: Message + Default>(&mut self, value: &mut Option<Vec<T>>, v: i16) -> Result<(), WireError> {
        *value = None;
        if self.below(4) > 0 { self.array(value.insert(Vec::new()), v) } else { Ok(()) }
    }

    fn nullable_structure<T: Message + Default>(&mut self, value: &mut Option<T>, v: i16) -> Result<(), WireError> {
        *value = if self.below(2) > 0 { Some(self.message(v)) } else { None };
        Ok(())
    }

    fn tagged(&mut self) -> Result<(), WireError> {
        Ok(())
    }

    fn error_code(&mut self, value: &mut ErrorCode) -> Result<(), WireError> {
        *value = ErrorCode::ALL[self.below(ErrorCode::ALL.len() as u64) as usize];
        Ok(())
    }
}
