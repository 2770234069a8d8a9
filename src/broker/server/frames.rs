//! Takes requests off a socket, one after the other, with bounds on the memory and the time that one may take.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::request_memory::{RequestMemory, Share};
use crate::broker::settings::Limits;
use crate::broker::wire::{Api, ApiKey};

/// Read at a time while no request is known to be larger.
const READ: usize = 8 * 1024;

/// Bytes of a request without records; as many as a group may have.
const OTHERS: usize = 16 << 20;

/// Why there is no next request.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a request announces {0} bytes")]
    Size(i32),
    #[error("it ended within a request")]
    Ended,
    #[error("a request took longer than {0:?} to come")]
    Slow(Duration),
    #[error("nothing more came of a request for {0:?}")]
    Stalled(Duration),
    #[error("other requests took all memory for too long; one of {0} bytes had to wait")]
    NoMemory(usize),
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// A request as it came, with its part of the shared memory.
pub struct Frame<'a> {
    /// Without its length.
    pub bytes: Bytes,
    /// Given back when the request is answered.
    pub memory: Share<'a>,
}

/// What has been received and is not yet a request.
pub struct Frames<'a> {
    buffer: BytesMut,
    limits: &'a Limits,
    memory: &'a RequestMemory,
}

impl<'a> Frames<'a> {
    /// Requests as large as the limits say; beyond 64 KiB each takes from `memory`.
    pub fn new(limits: &'a Limits, memory: &'a RequestMemory) -> Self {
        Frames { buffer: BytesMut::new(), limits, memory }
    }

    /// Waits until a request begins. Whether one did; else the client closed.
    pub async fn begun(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        if self.buffer.is_empty() {
            // An idle connection gives back what a large request took.
            self.buffer = BytesMut::with_capacity(READ);
            socket.read_buf(&mut self.buffer).await?;
        }
        Ok(!self.buffer.is_empty())
    }

    /// The rest of the request that began. The time that it waits for memory does not count as its own.
    pub async fn next(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> Result<Frame<'a>, FrameError> {
        let transfer = self.limits.transfer;
        let slow = |_| FrameError::Slow(transfer);
        timeout(transfer, self.fill(socket, 4)).await.map_err(slow)??;
        let announced = self.buffer.get_i32();
        let largest = self.limits.request_bytes;
        let length = usize::try_from(announced).ok().filter(|length| *length <= largest).ok_or(FrameError::Size(announced))?;
        timeout(transfer, self.fill(socket, length.min(size_of::<i16>()))).await.map_err(slow)??;
        let api_key = self.buffer.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key));
        if api_key != ApiKey::Produce as i16 && length > OTHERS {
            return Err(FrameError::Size(announced));
        }
        let memory = self.memory.take(length, Api::memory_per_byte(api_key)).await.ok_or(FrameError::NoMemory(length))?;
        timeout(transfer, self.fill(socket, length)).await.map_err(slow)??;
        let bytes = self.buffer.split_to(length).freeze();
        if memory.is_some() {
            // What follows must not keep it all.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Ok(Frame { bytes, memory })
    }

    /// Reads until so many bytes are there.
    async fn fill(&mut self, socket: &mut (impl AsyncRead + Unpin), length: usize) -> Result<(), FrameError> {
        let stall = self.limits.stall;
        while self.buffer.len() < length {
            self.buffer.reserve(READ.max(length - self.buffer.len()));
            let read = timeout(stall, socket.read_buf(&mut self.buffer)).await.map_err(|_| FrameError::Stalled(stall))??;
            if read == 0 {
                return Err(FrameError::Ended);
            }
        }
        Ok(())
    }
}
