//! Reads of all partitions, when not all of them are here.

use std::time::Duration;

use super::{Fixture, task, wait};
use crate::query::{Page, QueryError, Read, Scope, TaskView};
use crate::record::{Offset, TopicPartition};

fn local() -> Read {
    Read { scope: Scope::Local, ..Read::default() }
}

/// Keys of parcels that a scan finds.
fn keys(fixture: &Fixture, read: &Read) -> Result<Vec<String>, QueryError> {
    let slice = wait(fixture.views.scan(fixture.handles.parcels, .., &Page::first(100), read))?.value;
    Ok(slice.rows.into_iter().map(|(key, _)| key).collect())
}

/// A key in each partition.
fn one_each(fixture: &Fixture) -> Vec<String> {
    let partitions = fixture.databases.len() as i32;
    let key = |partition| (0..).map(|n| format!("k{n}")).find(|key| fixture.partition_of(key) == partition).unwrap();
    let keys: Vec<String> = (0..partitions).map(key).collect();
    keys.iter().for_each(|key| fixture.put(key, 0, 0));
    keys
}

#[test]
fn the_answer_tells_the_position_and_lag_of_all_partitions() {
    let fixture = Fixture::new(3);
    let answer = wait(fixture.views.page(fixture.handles.by_status, (), &Page::first(1), &Read::default())).unwrap();
    let wanted = (0..3).map(|partition| (TopicPartition::new("p.events", partition), Offset(100 + i64::from(partition)))).collect();
    assert_eq!(answer.position.0, wanted);
    assert_eq!(answer.lag, Some(Duration::from_secs(2)));
}

#[test]
fn a_missing_partition_leaves_no_answer_but_of_what_is_here() {
    let fixture = Fixture::new(3);
    let all = one_each(&fixture);
    assert_eq!(keys(&fixture, &Read::default()).unwrap().len(), 3);
    fixture.registry.withdraw(&task(0));
    fixture.registry.publish(task(2), TaskView::Restoring);
    let error = keys(&fixture, &Read::default()).unwrap_err();
    let QueryError::Partial { missing } = &error else { panic!("{error}") };
    assert_eq!(missing.iter().map(|missing| missing.task.clone()).collect::<Vec<_>>(), [task(0), task(2)]);
    assert!(error.to_string().starts_with("events_0, events_2 cannot be read"), "{error}");
    assert_eq!(keys(&fixture, &local()).unwrap(), [all[1].clone()]);
}

#[test]
fn nothing_readable_is_not_empty() {
    let fixture = Fixture::new(2);
    one_each(&fixture);
    fixture.registry.publish(task(0), TaskView::Restoring);
    fixture.registry.withdraw(&task(1));
    assert!(matches!(keys(&fixture, &local()), Err(QueryError::Restoring { task: restoring }) if restoring == task(0)));
}

#[test]
fn a_store_that_is_being_filled_is_not_read() {
    let fixture = Fixture::new(2);
    let all = one_each(&fixture);
    fixture.begin_filling(1, "parcels");
    let filling = |result: Result<(), QueryError>| matches!(result, Err(QueryError::Restoring { task: filling }) if filling == task(1));
    assert!(filling(keys(&fixture, &Read::default()).map(drop)));
    assert!(filling(wait(fixture.views.get(fixture.handles.parcels, &all[1], &Read::default())).map(drop)));
    assert!(wait(fixture.views.get(fixture.handles.parcels, &all[0], &Read::default())).unwrap().value.is_some());
    assert_eq!(keys(&fixture, &local()).unwrap(), [all[0].clone()]);
    fixture.begin_filling(0, "parcels");
    assert!(matches!(keys(&fixture, &local()), Err(QueryError::Restoring { .. })));
    // Other stores of the task are there.
    assert_eq!(wait(fixture.views.rows_each(fixture.handles.sums, 10, &Read::default())).unwrap().value, []);
}

#[test]
fn partial_rows_come_from_every_partition() {
    let fixture = Fixture::new(3);
    let sums = fixture.handles.sums;
    for (partition, key, sum) in [(0, "EUR", 1), (2, "EUR", 2), (1, "KRW", 3)] {
        fixture.write(sums, partition, &key.to_string(), Some(&sum));
    }
    let each = |key: &str, read: &Read| wait(fixture.views.get_each(sums, &key.to_string(), read)).map(|answer| answer.value);
    assert_eq!(each("EUR", &Read::default()).unwrap(), [1, 2]);
    assert!(each("USD", &Read::default()).unwrap().is_empty());
    let rows = wait(fixture.views.rows_each(sums, 3, &Read::default())).unwrap().value;
    assert_eq!(rows, [("EUR".to_string(), 1), ("KRW".to_string(), 3), ("EUR".to_string(), 2)]);
    let some = wait(fixture.views.range_each(sums, "F".to_string().., 3, &Read::default())).unwrap().value;
    assert_eq!(some, [("KRW".to_string(), 3)]);
    let error = wait(fixture.views.rows_each(sums, 2, &Read::default())).unwrap_err();
    assert!(matches!(error, QueryError::TooManyRows { limit: 2, .. }), "{error}");
    fixture.registry.withdraw(&task(2));
    assert!(matches!(each("EUR", &Read::default()), Err(QueryError::Partial { .. })));
    assert_eq!(each("EUR", &local()).unwrap(), [1]);
}
