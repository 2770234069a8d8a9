//! Reads of one key.

use super::{Fixture, Parcel, task, wait};
use crate::query::{QueryError, Read, TaskView};
use crate::record::{Offset, Position, TopicPartition};
use crate::state::{Batch, StoreError};

#[test]
fn a_row_comes_from_its_partition_with_that_position() {
    let fixture = Fixture::new(4);
    fixture.put("kim", 1, 7);
    let partition = fixture.partition_of("kim");
    let answer = wait(fixture.views.get(fixture.handles.parcels, &"kim".to_string(), &Read::default())).unwrap();
    assert_eq!(answer.value, Some(Parcel { status: 1, at: 7 }));
    assert_eq!(answer.position, Position([(TopicPartition::new("p.events", partition), Offset(100 + i64::from(partition)))].into()));
    assert_eq!(wait(fixture.views.get(fixture.handles.parcels, &"lee".to_string(), &Read::default())).unwrap().value, None);
}

#[test]
fn a_task_that_is_not_here_or_not_ready_is_named() {
    let fixture = Fixture::new(1);
    let get = || wait(fixture.views.get(fixture.handles.parcels, &"kim".to_string(), &Read::default()));
    fixture.registry.publish(task(0), TaskView::Restoring);
    assert!(matches!(get(), Err(QueryError::Restoring { task: named }) if named == task(0)));
    fixture.registry.withdraw(&task(0));
    assert!(matches!(get(), Err(QueryError::NotHere { task: named }) if named == task(0)));
}

#[test]
fn a_row_that_cannot_be_read_is_an_error_of_its_store() {
    let fixture = Fixture::new(1);
    let (mut key, mut batch) = (Vec::new(), Batch::default());
    crate::codec::encode_str_key("kim", &mut key);
    batch.put(fixture.views.entry(fixture.handles.parcels.id.0).column, &key, b"\x63\x00\x01");
    fixture.databases[0].database().write(&batch).unwrap();
    let error = wait(fixture.views.get(fixture.handles.parcels, &"kim".to_string(), &Read::default())).unwrap_err();
    assert!(matches!(&error, QueryError::Store(StoreError::Codec { store, .. }) if store == "parcels"), "{error}");
    let page = wait(fixture.views.scan(fixture.handles.parcels, .., &crate::query::Page::first(5), &Read::default())).unwrap_err();
    assert!(matches!(&page, QueryError::Store(StoreError::Codec { store, .. }) if store == "parcels"), "{page}");
}
