//! How requests come off a socket when memory is short or the client slow.

use std::time::Duration;

use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use crate::broker::server::frames::{Frame, FrameError, Frames};
use crate::broker::server::request_memory::RequestMemory;
use crate::broker::settings::Limits;

const MIB: usize = 1 << 20;
const SOON: Duration = Duration::from_millis(100);

fn limits(transfer: Duration, stall: Duration) -> Limits {
    Limits { transfer, stall, ..Limits::default() }
}

/// Eight MiB, of which two are kept for small requests.
fn memory() -> RequestMemory {
    RequestMemory::new(8 * MIB, Duration::from_secs(20))
}

/// A socket with a request in it, of which so many bytes have come.
async fn sent(length: usize, came: usize) -> (DuplexStream, DuplexStream) {
    let (mut client, server) = duplex(32 * MIB);
    client.write_all(&(length as u32).to_be_bytes()).await.expect("there is room");
    client.write_all(&vec![0; came]).await.expect("there is room");
    (client, server)
}

async fn next<'a>(frames: &mut Frames<'a>, socket: &mut DuplexStream) -> Result<Frame<'a>, FrameError> {
    assert!(frames.begun(socket).await.expect("a request has begun"));
    frames.next(socket).await
}

#[tokio::test]
async fn memory_is_taken_for_the_whole_request_before_any_of_it_is_read() {
    let (limits, memory) = (limits(Duration::from_secs(20), Duration::from_secs(20)), memory());
    let (mut slow, mut socket) = sent(5 * MIB, 2).await;
    let mut frames = Frames::new(&limits, &memory);
    let mut first = Box::pin(next(&mut frames, &mut socket));
    assert!(timeout(SOON, &mut first).await.is_err());
    assert_eq!(memory.left_kib(), (1024 + 64, 2048));

    let (_whole, mut socket) = sent(5 * MIB, 5 * MIB).await;
    let mut frames = Frames::new(&limits, &memory);
    let mut second = Box::pin(next(&mut frames, &mut socket));
    assert!(timeout(SOON, &mut second).await.is_err(), "it holds nothing that the first may need");
    slow.write_all(&vec![0; 5 * MIB - 2]).await.expect("there is room");
    drop(first.await.expect("its memory is there"));
    assert_eq!(second.await.expect("now it has its memory").bytes.len(), 5 * MIB);
    assert_eq!(memory.left_kib(), (6 * 1024, 2048));
}

#[tokio::test]
async fn a_request_that_waits_for_memory_is_not_slow() {
    let (limits, memory) = (limits(SOON, SOON), memory());
    let held = memory.take(100 * MIB, 1).await.expect("all of it");
    let (_client, mut socket) = sent(5 * MIB, 5 * MIB).await;
    let mut frames = Frames::new(&limits, &memory);
    let mut waiting = Box::pin(next(&mut frames, &mut socket));
    assert!(timeout(SOON * 3, &mut waiting).await.is_err());
    drop(held);
    waiting.await.expect("it had come long ago");
}

#[tokio::test]
async fn small_requests_have_memory_that_large_ones_cannot_take_and_use_theirs_too() {
    let memory = memory();
    let large = memory.take(100 * MIB, 1).await.expect("all of it");
    assert_eq!(memory.left_kib(), (0, 2048));
    let small = [memory.take(MIB, 1).await, memory.take(MIB, 1).await];
    assert!(small.iter().all(Option::is_some));
    assert!(timeout(SOON, memory.take(MIB, 1)).await.is_err());
    drop(large);
    assert!(memory.take(MIB, 1).await.is_some());
    drop(small);
}

#[tokio::test]
async fn a_request_of_which_nothing_more_comes_is_given_up_soon_and_a_slow_one_later() {
    let memory = memory();
    let hasty = limits(Duration::from_secs(20), SOON);
    let (_client, mut socket) = sent(5 * MIB, 100).await;
    let stalled = next(&mut Frames::new(&hasty, &memory), &mut socket).await;
    assert!(matches!(stalled, Err(FrameError::Stalled(_))));
    assert_eq!(memory.left_kib(), (6 * 1024, 2048));

    let patient = limits(SOON * 3, SOON * 2);
    let (mut client, mut socket) = sent(5 * MIB, 100).await;
    let mut frames = Frames::new(&patient, &memory);
    let drop_by_drop = async {
        loop {
            tokio::time::sleep(SOON / 2).await;
            client.write_all(&[0]).await.expect("it is read");
        }
    };
    tokio::select! {
        slow = next(&mut frames, &mut socket) => assert!(matches!(slow, Err(FrameError::Slow(_)))),
        () = drop_by_drop => {}
    }
    assert_eq!(memory.left_kib(), (6 * 1024, 2048));
}

#[tokio::test]
async fn what_follows_a_large_request_is_read_as_well() {
    let (limits, memory) = (Limits::default(), memory());
    let (mut client, mut socket) = sent(MIB, MIB).await;
    client.write_all(&[0, 0, 0, 2, 0, 3, 0, 0, 0, 1, 9]).await.expect("there is room");
    let mut frames = Frames::new(&limits, &memory);
    for expected in [MIB, 2, 1] {
        assert_eq!(next(&mut frames, &mut socket).await.expect("comes").bytes.len(), expected);
    }
}

#[tokio::test]
async fn names_take_what_their_answer_may_take() {
    let (limits, memory) = (Limits::default(), memory());
    let (mut client, mut socket) = sent(30_000, 0).await;
    client.write_all(&[0, 3]).await.expect("there is room");
    client.write_all(&vec![0; 30_000 - 2]).await.expect("there is room");
    let mut frames = Frames::new(&limits, &memory);
    let frame = next(&mut frames, &mut socket).await.expect("comes");
    assert_eq!(memory.left_kib(), (6 * 1024 - (30_000 - 4096) * 128 / 1024, 2048), "it is more than what small ones have");
    drop(frame);
    for (key, bytes, is_taken) in [(3, 16 * MIB, true), (3, 17 * MIB, false), (0, 17 * MIB, true), (0, 101 * MIB, false)] {
        let (mut client, mut socket) = sent(bytes, 0).await;
        client.write_all(&[0, key]).await.expect("there is room");
        drop(client);
        let ended = next(&mut Frames::new(&limits, &memory), &mut socket).await.err();
        let refused = matches!(ended, Some(FrameError::Size(_)));
        assert!(refused != is_taken, "{bytes} bytes of {key}: {ended:?}");
    }
}
