//! Records of source topics, read at offsets that a row has noted: for what a view keeps the places of, but not the contents.
//!
//! ```text
//!  route ─► RecordReader::read ─► bounded queue ─► RecordRequest::serve, on a thread of its own ─► runs of near offsets, in Kafka
//!             │ waits, no thread                                                                         │
//!             ◄────────────────────────── records, and the offsets whose records are gone ◄──────────────┘
//! ```
//!
//! A request that nobody waits for any more is given up between two reads, so its time is the waiter's alone.

use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use super::QueryError;
use crate::ports::{ChangelogReader, LogRecord, PortError, PortErrorClass};
use crate::record::{Offset, TopicPartition};

/// So many requests may wait; more are refused.
const WAITING: usize = 64;
/// So many bytes of keys and values are given at once.
const MAX_BYTES: usize = 16 << 20;
/// Offsets closer than this are read in one go, with what lies between them: to begin anew costs as much as some hundred records.
const NEAR: i64 = 200;
/// How long one read waits before it is seen whether anybody still waits.
const SLICE: Duration = Duration::from_millis(50);

/// Records of one partition that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRecords {
    /// Whose log.
    pub partition: TopicPartition,
    /// Which, in rising order.
    pub offsets: Vec<Offset>,
}

/// What was found of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRecords {
    /// Whose log.
    pub partition: TopicPartition,
    /// The records, in rising order.
    pub records: Vec<LogRecord>,
    /// The log has no such records, or no longer; in rising order.
    pub gone: Vec<Offset>,
}

/// The side of whoever wants records. Cheap to clone. One that nobody serves answers that it is not ready.
#[derive(Clone, Default)]
pub struct RecordReader {
    requests: Option<Sender<RecordRequest>>,
    within: Duration,
}

/// The side of whoever reads them.
pub struct RecordRequests(Receiver<RecordRequest>);

/// What one reader wants.
pub struct RecordRequest {
    wanted: Vec<WantedRecords>,
    answer: oneshot::Sender<Result<Vec<FoundRecords>, QueryError>>,
}

impl RecordReader {
    /// A reader, and the requests that it makes. Each is answered within that time, which counts the wait for others.
    pub fn new(within: Duration) -> (RecordReader, RecordRequests) {
        let (requests, served) = bounded(WAITING);
        (RecordReader { requests: Some(requests), within }, RecordRequests(served))
    }

    /// The records at these offsets, partition by partition.
    ///
    /// # Errors
    /// [`QueryError::NotJoined`] where nobody reads; [`QueryError::Overloaded`]; [`QueryError::LogUnavailable`] when they did not come in time;
    /// [`QueryError::RecordsTooLarge`].
    pub async fn read(&self, wanted: Vec<WantedRecords>) -> Result<Vec<FoundRecords>, QueryError> {
        let requests = self.requests.as_ref().ok_or(QueryError::NotJoined)?;
        let (answer, answered) = oneshot::channel();
        requests.try_send(RecordRequest { wanted, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => QueryError::Overloaded,
            TrySendError::Disconnected(_) => ending(),
        })?;
        match tokio::time::timeout(self.within, answered).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(ending()),
            Err(_) => Err(QueryError::LogUnavailable(format!("its records did not come within {:?}", self.within))),
        }
    }
}

fn ending() -> QueryError {
    QueryError::LogUnavailable("this instance ends".into())
}

impl RecordRequests {
    /// The next request, waiting at most so long; `None`: there is none yet.
    ///
    /// # Errors
    /// There will be no more.
    pub fn next(&self, at_most: Duration) -> Result<Option<RecordRequest>, NoMoreRequests> {
        match self.0.recv_timeout(at_most) {
            Ok(request) => Ok(Some(request)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(NoMoreRequests),
        }
    }
}

/// All readers are gone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nobody wants records any more")]
pub struct NoMoreRequests;

/// Why a request is not read to its end.
enum Cut {
    Failed(PortError),
    TooLarge,
    /// Nobody waits any more.
    Abandoned,
}

impl From<PortError> for Cut {
    fn from(error: PortError) -> Self {
        Cut::Failed(error)
    }
}

impl RecordRequest {
    /// True when nobody waits for it any more.
    pub fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Reads, and answers.
    ///
    /// # Errors
    /// The reader failed, and is to be made anew; the request has been answered.
    pub fn serve(self, reader: &mut dyn ChangelogReader) -> Result<(), PortError> {
        let mut room = MAX_BYTES;
        let found = self.wanted.iter().map(|wanted| self.partition(wanted, reader, &mut room)).collect::<Result<Vec<_>, Cut>>();
        match found {
            Ok(found) => _ = self.answer.send(Ok(found)),
            Err(Cut::Abandoned) => {}
            Err(Cut::TooLarge) => _ = self.answer.send(Err(QueryError::RecordsTooLarge { max_bytes: MAX_BYTES })),
            Err(Cut::Failed(error)) => {
                self.fail(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Answers that nothing could be read.
    pub fn fail(self, error: &PortError) {
        let _ = self.answer.send(Err(QueryError::LogUnavailable(error.to_string())));
    }

    fn partition(&self, wanted: &WantedRecords, reader: &mut dyn ChangelogReader, room: &mut usize) -> Result<FoundRecords, Cut> {
        let mut found = FoundRecords { partition: wanted.partition.clone(), records: Vec::new(), gone: Vec::new() };
        let mut rest = &wanted.offsets[..];
        while let Some(first) = rest.first() {
            let start = reader.open(&wanted.partition, *first)?;
            found.pass(&mut rest, start);
            let done = self.run(&mut found, &mut rest, reader, room);
            reader.close(&wanted.partition);
            match done {
                Ok(()) => {}
                // Deleted meanwhile, or the topic was made anew and is shorter.
                Err(Cut::Failed(error)) if error.class == PortErrorClass::OffsetOutOfRange => {
                    let bounds = reader.bounds(&wanted.partition)?;
                    let before = rest.len();
                    found.pass(&mut rest, bounds.start);
                    let (there, beyond) = rest.split_at(rest.partition_point(|offset| *offset < bounds.end));
                    found.gone.extend_from_slice(beyond);
                    rest = there;
                    if rest.len() == before {
                        return Err(Cut::Failed(error));
                    }
                }
                Err(cut) => return Err(cut),
            }
        }
        found.gone.sort();
        Ok(found)
    }

    /// Reads on until nothing is wanted that lies near.
    fn run(&self, found: &mut FoundRecords, rest: &mut &[Offset], reader: &mut dyn ChangelogReader, room: &mut usize) -> Result<(), Cut> {
        while !rest.is_empty() {
            if self.is_abandoned() {
                return Err(Cut::Abandoned);
            }
            let chunk = reader.read(&found.partition, SLICE)?;
            for record in chunk.records {
                found.pass(rest, record.offset);
                if rest.first() == Some(&record.offset) {
                    let size = record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len);
                    *room = room.checked_sub(size).ok_or(Cut::TooLarge)?;
                    *rest = &rest[1..];
                    found.records.push(record);
                }
            }
            found.pass(rest, chunk.position);
            if chunk.at_end {
                found.gone.extend_from_slice(std::mem::take(rest));
            }
            if rest.first().is_some_and(|next| next.0 - chunk.position.0 > NEAR) {
                break;
            }
        }
        Ok(())
    }
}

impl FoundRecords {
    /// What is wanted before this offset does not come any more.
    fn pass(&mut self, rest: &mut &[Offset], position: Offset) {
        let passed = rest.partition_point(|offset| *offset < position);
        self.gone.extend_from_slice(&rest[..passed]);
        *rest = &rest[passed..];
    }
}
