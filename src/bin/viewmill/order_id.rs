//! An order's id: the key of its records, and of its row.

use serde::{Deserialize, Serialize};
use viewmill::codec::encode_str_key;
use viewmill::{CodecError, KeyCodec};

/// An order's id: the key of its records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(String);

impl From<String> for OrderId {
    fn from(id: String) -> Self {
        OrderId(id)
    }
}

impl From<&str> for OrderId {
    fn from(id: &str) -> Self {
        OrderId(id.to_string())
    }
}

impl AsRef<str> for OrderId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl KeyCodec for OrderId {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_str_key(&self.0, out);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        String::decode_key(input).map(OrderId)
    }

    fn key_shape() -> String {
        String::key_shape()
    }
}
