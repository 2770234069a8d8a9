//! Reads that the asked thread answers from memory, beside the thread that writes.

use std::sync::Arc;
use std::thread;

use crate::record::{Offset, Timestamp};
use crate::state::{Batch, Column, DatabaseProvider, Marker, MemoryBudget, MemoryDisk, RocksDisk, TaskDatabase, TaskPosition};

const STORE: Column = Column(1);

fn commit(sequence: u64) -> TaskPosition {
    let (sources, changelogs, outputs) = Default::default();
    let marker = Marker { lineage: uuid::Uuid::nil(), sequence, sources, stream_time: None, changelogs, outputs };
    TaskPosition { marker, marker_offset: Offset(0), applied_at: Timestamp(0) }
}

/// Each commit writes its own sequence into the row; a read beside them must never see a row and a position of two commits.
fn row_and_position_are_of_one_commit(provider: &dyn DatabaseProvider) {
    let database = Arc::new(TaskDatabase::new(provider.open("task", &["rows@1".to_string()]).unwrap()).unwrap());
    let writer = {
        let database = database.clone();
        thread::spawn(move || {
            for sequence in 1..=3_000_u64 {
                let mut batch = Batch::default();
                batch.put(STORE, b"k", &sequence.to_be_bytes());
                database.apply(batch, commit(sequence)).unwrap();
            }
        })
    };
    let mut told = 0;
    while !writer.is_finished() {
        let mut row = None;
        let read = database.read_in_memory(STORE, b"k", &mut |bytes| row = Some(u64::from_be_bytes(bytes.try_into().unwrap()))).unwrap();
        if let Some(position) = read {
            assert_eq!(row, position.map(|position| position.marker.sequence));
            told += 1;
        }
    }
    writer.join().unwrap();
    assert!(told > 0, "no read was told anything");
}

#[test]
fn a_row_in_memory_and_its_position_are_of_one_commit() {
    row_and_position_are_of_one_commit(&MemoryDisk::default());
    let directory = std::env::temp_dir().join(format!("viewmill-in-memory-{}", std::process::id()));
    row_and_position_are_of_one_commit(&RocksDisk::new(&directory, MemoryBudget::new(16)).unwrap());
    std::fs::remove_dir_all(directory).unwrap();
}
