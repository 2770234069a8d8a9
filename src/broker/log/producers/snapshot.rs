//! Producers as bytes, for checkpoints.

use std::collections::VecDeque;

use bytes::{Buf, BufMut};

use super::producer::REMEMBERED_BATCHES;
use super::{Producer, Producers, WrittenBatch};

impl Producers {
    /// Appends them to a checkpoint. What the coordinator announced is not kept: it announces it again.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.known.len() as u64);
        for (id, producer) in &self.known {
            out.put_i64(*id);
            out.put_i16(producer.epoch);
            out.put_i32(producer.coordinator_epoch);
            out.put_i64(producer.last_timestamp);
            out.put_i64(producer.last_seen_ms);
            out.put_i64(producer.transaction_start.unwrap_or(-1));
            out.put_u8(producer.batches.len() as u8);
            for batch in &producer.batches {
                out.put_i32(batch.first_sequence);
                out.put_i32(batch.last_sequence);
                out.put_i64(batch.base_offset);
                out.put_i64(batch.last_offset);
                out.put_i64(batch.timestamp);
            }
        }
    }

    /// Reads them from a checkpoint; `None`: damaged.
    pub fn decode(bytes: &mut &[u8]) -> Option<Producers> {
        let mut producers = Producers::default();
        for _ in 0..bytes.try_get_u64().ok()? {
            let id = bytes.try_get_i64().ok()?;
            let mut producer = Producer {
                epoch: bytes.try_get_i16().ok()?,
                coordinator_epoch: bytes.try_get_i32().ok()?,
                batches: VecDeque::new(),
                last_timestamp: bytes.try_get_i64().ok()?,
                last_seen_ms: bytes.try_get_i64().ok()?,
                transaction_start: Some(bytes.try_get_i64().ok()?).filter(|start| *start >= 0),
            };
            let count = usize::from(bytes.try_get_u8().ok()?);
            if count > REMEMBERED_BATCHES {
                return None;
            }
            for _ in 0..count {
                producer.batches.push_back(WrittenBatch {
                    first_sequence: bytes.try_get_i32().ok()?,
                    last_sequence: bytes.try_get_i32().ok()?,
                    base_offset: bytes.try_get_i64().ok()?,
                    last_offset: bytes.try_get_i64().ok()?,
                    timestamp: bytes.try_get_i64().ok()?,
                });
            }
            if let Some(start) = producer.transaction_start {
                producers.open.insert(start, id);
            }
            producers.known.insert(id, producer);
        }
        Some(producers)
    }
}
