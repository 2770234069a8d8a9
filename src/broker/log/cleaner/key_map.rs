//! The last offset of each key, in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// A slot has 32 bytes and one for the table, up to half of the slots are free, and while it grows the old table is there as well.
const BYTES_PER_KEY: usize = 100;

/// Keys by 128 bits of two hashes with secret seeds: that two keys of a topic meet is as likely as a flipped bit that no checksum sees.
pub struct KeyMap {
    seeds: [RandomState; 2],
    offsets: HashMap<u128, i64, BuildHasherDefault<FirstBits>>,
    most: usize,
}

impl KeyMap {
    /// Within so many bytes; at least for one key.
    pub fn new(memory_bytes: usize) -> Self {
        KeyMap { seeds: [RandomState::new(), RandomState::new()], offsets: HashMap::default(), most: (memory_bytes / BYTES_PER_KEY).max(1) }
    }

    /// Notes a key's offset, greater than any before. False: no room for a new key.
    pub fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let room = self.offsets.len() < self.most;
        let key = self.hash(key);
        match self.offsets.get_mut(&key) {
            Some(known) => *known = offset,
            None if room => drop(self.offsets.insert(key, offset)),
            None => return false,
        }
        true
    }

    /// The last offset noted of a key.
    pub fn get(&self, key: &[u8]) -> Option<i64> {
        self.offsets.get(&self.hash(key)).copied()
    }

    fn hash(&self, key: &[u8]) -> u128 {
        let [one, other] = &self.seeds;
        u128::from(one.hash_one(key)) << 64 | u128::from(other.hash_one(key))
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct FirstBits(u64);

impl Hasher for FirstBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
