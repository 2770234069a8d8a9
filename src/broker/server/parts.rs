//! A response in parts, written to the socket as one.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Bytes that follow each other without lying beside each other.
#[derive(Debug)]
pub struct Parts {
    parts: VecDeque<Bytes>,
}

impl From<Vec<Bytes>> for Parts {
    fn from(mut parts: Vec<Bytes>) -> Self {
        parts.retain(|part| !part.is_empty());
        Parts { parts: parts.into() }
    }
}

impl Buf for Parts {
    fn remaining(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(part) = self.parts.front_mut() {
            if count < part.len() {
                part.advance(count);
                return;
            }
            count -= part.len();
            self.parts.pop_front();
        }
        assert!(count == 0, "advanced beyond the end by {count} bytes");
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(part);
            filled += 1;
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_one() {
        let mut parts = Parts::from(vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"cde")]);
        assert_eq!(parts.remaining(), 5);
        parts.advance(1);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(parts.chunks_vectored(&mut slices), 2);
        assert_eq!((&*slices[0], &*slices[1]), (&b"b"[..], &b"cde"[..]));
        parts.advance(2);
        assert_eq!(parts.chunk(), b"de");
        parts.advance(2);
        assert!(!parts.has_remaining());
    }
}
