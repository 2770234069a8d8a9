//! Request bodies: read to their end, within a size and a time, before any filter runs.
//!
//! So filters never wait for a client, and an error can be answered on a connection that is in order.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFault {
    TooLarge,
    TooSlow,
    /// The connection broke, or the chunks were no chunks.
    Broken,
}

/// How much of a body that is refused is read all the same: a connection that is closed over unread bytes is reset, and the
/// client would never see why.
const DISCARD_BYTES: u64 = 8 * 1_048_576;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// Reads a body that may have `limit` bytes.
pub(super) async fn read(body: Incoming, limit: u64, deadline: Duration) -> Result<Bytes, BodyFault> {
    // Most requests have none.
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    tokio::time::timeout(deadline, read_whole(body, limit)).await.unwrap_or(Err(BodyFault::TooSlow))
}

async fn read_whole(mut body: Incoming, limit: u64) -> Result<Bytes, BodyFault> {
    if body.size_hint().lower() > limit {
        discard(body).await;
        return Err(BodyFault::TooLarge);
    }
    let mut whole = Vec::with_capacity(body.size_hint().lower() as usize);
    while let Some(data) = next(&mut body).await? {
        if (whole.len() + data.len()) as u64 > limit {
            discard(body).await;
            return Err(BodyFault::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// Reads what a client still sends, within bounds, and forgets it.
pub(super) async fn discard(mut body: Incoming) {
    let reading = async {
        let mut left = DISCARD_BYTES;
        while let Ok(Some(data)) = next(&mut body).await {
            left = left.saturating_sub(data.len() as u64);
            if left == 0 {
                return;
            }
        }
    };
    // The answer does not depend on how far it came.
    let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
}

/// The next bytes; trailers are skipped.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, BodyFault> {
    loop {
        match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyFault::Broken),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A body that has been read.
#[derive(Debug)]
pub(super) struct WholeBody(Option<Bytes>);

impl WholeBody {
    pub(super) fn new(bytes: Bytes) -> Self {
        WholeBody(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for WholeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
