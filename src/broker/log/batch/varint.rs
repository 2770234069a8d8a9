//! Numbers in records: in zigzag, seven bits a byte. `None`: more bits than there may be, or in a slice too few bytes.

use std::io::{self, Read};

const VARINT_BYTES: usize = 5;
const VARLONG_BYTES: usize = 10;

/// 32 bits.
pub fn slice_varint(rest: &mut &[u8]) -> Option<i32> {
    varint(slice_unsigned(rest, VARINT_BYTES)?)
}

/// 64 bits.
pub fn slice_varlong(rest: &mut &[u8]) -> Option<i64> {
    slice_unsigned(rest, VARLONG_BYTES).map(varlong)
}

fn slice_unsigned(rest: &mut &[u8], most: usize) -> Option<u64> {
    let mut value = 0;
    for (index, byte) in rest.iter().take(most).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Some(value);
        }
    }
    None
}

/// 32 bits. An error: there are no more bytes.
pub fn stream_varint(reader: &mut impl Read) -> io::Result<Option<i32>> {
    Ok(stream_unsigned(reader, VARINT_BYTES)?.and_then(varint))
}

/// 64 bits. An error: there are no more bytes.
pub fn stream_varlong(reader: &mut impl Read) -> io::Result<Option<i64>> {
    Ok(stream_unsigned(reader, VARLONG_BYTES)?.map(varlong))
}

fn stream_unsigned(reader: &mut impl Read, most: usize) -> io::Result<Option<u64>> {
    let mut bytes = [0; VARLONG_BYTES];
    for index in 0..most {
        reader.read_exact(&mut bytes[index..=index])?;
        if bytes[index] & 0x80 == 0 {
            return Ok(slice_unsigned(&mut &bytes[..=index], most));
        }
    }
    Ok(None)
}

fn varint(raw: u64) -> Option<i32> {
    let raw = u32::try_from(raw).ok()?;
    Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

fn varlong(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}
