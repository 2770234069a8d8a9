//! What hyper refuses before there is a request gets a problem document too.
//!
//! hyper answers a request line or header that is no HTTP by itself, with a status and an empty body, and tells nobody. Every
//! answer of ours has a type, so an error that is written without one is such a refusal; a document is written in its place. hyper
//! closes the connection after it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Problem;

/// A connection whose refusals are replaced.
pub(super) struct Refusals<S> {
    stream: S,
    /// What is written in place of a refusal, and how much of it has been.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S: AsyncWrite + Unpin> Refusals<S> {
    pub(super) fn new(stream: S) -> Self {
        Refusals { stream, instead: None }
    }

    /// Writes the document if `bytes` are a refusal, or one was begun; `None` when they are not.
    fn poll_instead(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<()>>> {
        if self.instead.is_none() {
            self.instead = Some((answer(refused_status(bytes)?), 0));
        }
        let (answer, written) = self.instead.as_mut()?;
        while *written < answer.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &answer[*written..]) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(count)) => *written += count,
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        self.instead = None;
        Some(Poll::Ready(Ok(())))
    }
}

/// The status of a refusal; `None` when the bytes are something else.
fn refused_status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 4").or_else(|| bytes.strip_prefix(b"HTTP/1.0 4"))?;
    let head = std::str::from_utf8(rest).ok()?.strip_suffix("\r\n\r\n")?.to_ascii_lowercase();
    if head.contains("\r\ncontent-type:") || head.contains("\r\n\r\n") {
        return None;
    }
    head.get(..2)?.parse::<u16>().ok().map(|rest| 400 + rest)
}

fn answer(status: u16) -> Vec<u8> {
    let problem = match status {
        414 => Problem::new(414, "uri-too-long", "the path is too long"),
        431 => Problem::new(431, "headers-too-large", "there are too many headers, or they are too long"),
        status => Problem::new(status, "bad-request", "this is no HTTP request"),
    };
    let document = problem.document(None);
    let reason = warp::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n",
        document.len()
    );
    [head, document].concat().into_bytes()
}

impl<S: AsyncRead + Unpin> AsyncRead for Refusals<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Refusals<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.poll_instead(cx, bytes) {
            Some(progress) => {
                ready!(progress)?;
                Poll::Ready(Ok(bytes.len()))
            }
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        // A refusal has no body and comes in one piece.
        if let [bytes] = slices {
            return self.poll_write(cx, bytes);
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_without_a_type_are_refusals() {
        for (bytes, status) in [
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Some(400)),
            ("HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", Some(431)),
            ("HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\ncontent-length: 0\r\n\r\n", None),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nfour", None),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n", None),
            ("HTTP/1.1 204 No Content\r\n\r\n", None),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 4", None),
            ("", None),
        ] {
            assert_eq!(refused_status(bytes.as_bytes()), status, "{bytes:?}");
        }
    }
}
