//! Takes requests off a socket, one after the other, with bounds on what one may take of the memory.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Semaphore, SemaphorePermit};

/// What a connection may hold without asking: most requests are smaller.
const FREE: usize = 64 * 1024;
/// Read at a time while no request is known to be larger.
const READ: usize = 8 * 1024;
/// The unit of the memory that connections share.
pub const KIB: usize = 1024;

/// Why there is no next request.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a request announces {0} bytes")]
    Size(i32),
    #[error("it ended within a request")]
    Ended,
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// A request as it came, with its part of the shared memory.
pub struct Frame<'a> {
    /// Without its length.
    pub bytes: Bytes,
    /// Given back when the request is answered.
    pub memory: Option<SemaphorePermit<'a>>,
}

/// What has been received and is not yet a request.
pub struct Frames<'a> {
    buffer: BytesMut,
    largest: usize,
    memory: &'a Semaphore,
}

impl<'a> Frames<'a> {
    /// Requests have at most `largest` bytes; beyond 64 KiB each takes from `memory`, whose permits are KiB.
    pub fn new(largest: usize, memory: &'a Semaphore) -> Self {
        Frames { buffer: BytesMut::new(), largest, memory }
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

    /// The rest of the request that began. Room is made as bytes come, not as the client announces.
    pub async fn next(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> Result<Frame<'a>, FrameError> {
        while self.buffer.len() < 4 {
            self.read(socket, READ).await?;
        }
        let announced = self.buffer.get_i32();
        let length = usize::try_from(announced).ok().filter(|length| *length <= self.largest).ok_or(FrameError::Size(announced))?;
        let mut memory: Option<SemaphorePermit<'a>> = None;
        let mut room = FREE.min(length);
        loop {
            while self.buffer.len() < room {
                self.read(socket, room - self.buffer.len()).await?;
            }
            if room == length {
                break;
            }
            let next = (room * 4).min(length);
            let permit = self.memory.acquire_many(((next - room) / KIB) as u32).await.map_err(|_| FrameError::Ended)?;
            match &mut memory {
                Some(held) => held.merge(permit),
                None => memory = Some(permit),
            }
            room = next;
        }
        Ok(Frame { bytes: self.buffer.split_to(length).freeze(), memory })
    }

    async fn read(&mut self, socket: &mut (impl AsyncRead + Unpin), room: usize) -> Result<(), FrameError> {
        self.buffer.reserve(room);
        if socket.read_buf(&mut self.buffer).await? == 0 { Err(FrameError::Ended) } else { Ok(()) }
    }
}
