//! Pages: each row once, in order, whatever happens between them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Fixture, HIDDEN, Parcel, wait};
use crate::codec::Desc;
use crate::query::{Direction, Page, QueryError, Read};
use crate::state::{Batch, MemoryBudget, RocksDisk};

/// All pages of the index by status.
fn by_status(
    fixture: &Fixture,
    status: Option<u8>,
    limit: usize,
    direction: Direction,
    mut between: impl FnMut(usize),
) -> Vec<(String, Parcel)> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    for number in 0.. {
        let page = Page { limit, cursor, direction };
        let index = fixture.handles.by_status;
        let slice = match status {
            Some(status) => wait(fixture.views.page(index, status, &page, &Read::default())),
            None => wait(fixture.views.page(index, (), &page, &Read::default())),
        };
        let slice = slice.unwrap().value;
        assert!(slice.rows.len() <= limit && (slice.next.is_none() || slice.rows.len() == limit), "only the last page may be short");
        rows.extend(slice.rows);
        cursor = slice.next;
        if cursor.is_none() {
            return rows;
        }
        between(number);
    }
    unreachable!("pages end")
}

/// What the index should say of these rows.
fn sorted(rows: &BTreeMap<String, Parcel>, status: Option<u8>) -> Vec<(String, Parcel)> {
    let mut wanted: Vec<(String, Parcel)> = rows.clone().into_iter().collect();
    wanted.retain(|(_, row)| row.status != HIDDEN && status.is_none_or(|status| row.status == status));
    wanted.sort_by(|(a, x), (b, y)| (x.status, -x.at, a).cmp(&(y.status, -y.at, b)));
    wanted
}

fn parcels() -> impl Strategy<Value = BTreeMap<String, Parcel>> {
    let parcel = (prop_oneof![0u8..3, Just(HIDDEN)], 0i64..4).prop_map(|(status, at)| Parcel { status, at });
    proptest::collection::btree_map("[ab\u{0}é]{0,3}", parcel, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pages_together_are_the_sorted_whole(
        rows in parcels(), partitions in 1i32..5, limit in 1usize..8, status in proptest::option::of(0u8..3), reverse: bool,
        changes in proptest::collection::vec(("[ab]{0,2}", 0u8..4, 0i64..4), 0..12),
    ) {
        let fixture = Fixture::new(partitions);
        rows.iter().for_each(|(key, row)| fixture.put(key, row.status, row.at));
        let direction = if reverse { Direction::Reverse } else { Direction::Forward };
        let mut changes = changes.into_iter();
        // Rows with other keys come, move and go between the pages.
        let found = by_status(&fixture, status, limit, direction, |_| {
            for (key, status, at) in changes.by_ref().take(2) {
                let other = format!("x{key}");
                if status == 3 { fixture.delete(&other) } else { fixture.put(&other, status, at) }
            }
        });
        let kept: Vec<_> = found.into_iter().filter(|(key, _)| !key.starts_with('x')).collect();
        let mut wanted = sorted(&rows, status);
        if reverse {
            wanted.reverse();
        }
        prop_assert_eq!(kept, wanted);
    }

    #[test]
    fn scans_together_are_the_rows_in_key_order(
        rows in parcels(), partitions in 1i32..5, limit in 1usize..8, from in "[ab]{0,2}", to in "[ab]{0,2}", prefix in "[ab]{0,2}",
    ) {
        let fixture = Fixture::new(partitions);
        rows.iter().for_each(|(key, row)| fixture.put(key, row.status, row.at));
        let parcels = fixture.handles.parcels;
        let pages = |scan: &dyn Fn(Page) -> Result<crate::query::Slice<String, Parcel>, QueryError>| {
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let slice = scan(Page::at(limit, cursor)).unwrap();
                found.extend(slice.rows.into_iter().map(|(key, _)| key));
                cursor = slice.next;
                if cursor.is_none() { return found; }
            }
        };
        let bounds = from.clone()..to.clone();
        let found = pages(&|page| wait(fixture.views.scan(parcels, bounds.clone(), &page, &Read::default())).map(|a| a.value));
        prop_assert_eq!(found, rows.keys().filter(|key| bounds.contains(*key)).cloned().collect::<Vec<_>>());
        let found = pages(&|page| wait(fixture.views.scan_prefix(parcels, prefix.as_str(), &page, &Read::default())).map(|a| a.value));
        prop_assert_eq!(found, rows.keys().filter(|key| key.starts_with(&prefix)).cloned().collect::<Vec<_>>());
    }

    #[test]
    fn equal_entries_of_several_partitions_come_once_each(limit in 1usize..5, reverse: bool, keys in proptest::collection::vec((0i32..3, "[ab]"), 0..9)) {
        let fixture = Fixture::new(3);
        let wanted: std::collections::BTreeSet<(String, i32)> = keys.into_iter().map(|(partition, key)| (key, partition)).collect();
        wanted.iter().for_each(|(key, partition)| fixture.write(fixture.handles.sums, *partition, key, Some(&7)));
        let direction = if reverse { Direction::Reverse } else { Direction::Forward };
        let (mut counts, mut cursor) = (BTreeMap::<String, usize>::new(), None);
        loop {
            let slice = wait(fixture.views.page(fixture.handles.by_sum, (), &Page { limit, cursor, direction }, &Read::default())).unwrap().value;
            slice.rows.into_iter().for_each(|(key, sum)| { assert_eq!(sum, 7); *counts.entry(key).or_default() += 1; });
            cursor = slice.next;
            if cursor.is_none() { break; }
        }
        for key in ["a", "b"] {
            prop_assert_eq!(counts.get(key).copied().unwrap_or(0), wanted.iter().filter(|(wanted, _)| wanted == key).count());
        }
    }
}

#[test]
fn pages_on_rocksdb_are_the_same() {
    let directory = std::env::temp_dir().join(format!("viewmill-pages-{}", uuid::Uuid::new_v4()));
    let fixture = Fixture::on(&RocksDisk::new(&directory, MemoryBudget::new(16)).unwrap(), 3);
    let rows: BTreeMap<String, Parcel> =
        (0..40).map(|n| (format!("k{n}"), Parcel { status: (n % 3) as u8, at: i64::from(n / 4) })).collect();
    rows.iter().for_each(|(key, row)| fixture.put(key, row.status, row.at));
    for (limit, status, direction) in [(1, Some(1), Direction::Forward), (7, None, Direction::Reverse), (500, None, Direction::Forward)] {
        let mut wanted = sorted(&rows, status);
        if direction == Direction::Reverse {
            wanted.reverse();
        }
        assert_eq!(by_status(&fixture, status, limit, direction, |_| ()), wanted);
    }
    drop(fixture);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_row_that_moves_is_found_where_it_is() {
    let fixture = Fixture::new(2);
    fixture.put("a", 1, 5);
    fixture.put("a", 2, 5);
    assert_eq!(by_status(&fixture, Some(1), 10, Direction::Forward, |_| ()), []);
    assert_eq!(by_status(&fixture, Some(2), 10, Direction::Forward, |_| ()), [("a".to_string(), Parcel { status: 2, at: 5 })]);
    fixture.put("a", HIDDEN, 5);
    assert_eq!(by_status(&fixture, None, 10, Direction::Forward, |_| ()), []);
}

#[test]
fn a_stale_index_row_is_passed_over() {
    let fixture = Fixture::new(1);
    ["a", "b", "c"].iter().for_each(|key| fixture.put(key, 1, 0));
    let index = &fixture.views.entry(fixture.handles.parcels.id.0).indexes[0];
    let mut batch = Batch::default();
    for key in ["a", "gone"] {
        // As if index keys of another version of the program had stayed, also before all others.
        let mut entry = Vec::new();
        crate::codec::KeyCodec::encode_key(&((1u8, Desc(99i64)), key.to_string()), &mut entry);
        batch.put(index.column, &entry, &[]);
    }
    fixture.databases[0].database().write(&batch).unwrap();
    let keys = |rows: Vec<(String, Parcel)>| rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys(by_status(&fixture, Some(1), 1, Direction::Forward, |_| ())), ["a", "b", "c"]);
    assert_eq!(keys(by_status(&fixture, Some(1), 2, Direction::Reverse, |_| ())), ["c", "b", "a"]);
}

#[test]
fn cursors_of_other_lists_and_odd_limits_are_refused() {
    let fixture = Fixture::new(2);
    ["a", "b", "c"].iter().for_each(|key| fixture.put(key, 1, 0));
    let index = fixture.handles.by_status;
    let page = |prefix: u8, page: Page| wait(fixture.views.page(index, prefix, &page, &Read::default()));
    let cursor = page(1, Page::first(1)).unwrap().value.next.unwrap();
    assert!(page(1, Page::at(2, Some(cursor.clone()))).is_ok(), "another limit is the same list");
    for (prefix, cursor, direction) in [
        (2, cursor.clone(), Direction::Forward),
        (1, cursor.clone(), Direction::Reverse),
        (1, cursor[..cursor.len() - 1].to_string(), Direction::Forward),
        (1, format!("{cursor}A"), Direction::Forward),
        (1, "garbage".to_string(), Direction::Forward),
        (1, String::new(), Direction::Forward),
    ] {
        let error = page(prefix, Page { limit: 1, cursor: Some(cursor), direction }).unwrap_err();
        assert!(matches!(error, QueryError::Cursor(_)), "{error}");
    }
    let scan = wait(fixture.views.scan(fixture.handles.parcels, .., &Page::at(1, Some(cursor)), &Read::default()));
    assert!(matches!(scan, Err(QueryError::Cursor(_))));
    for limit in [0, 501] {
        assert!(matches!(page(1, Page::first(limit)), Err(QueryError::Limit { .. })));
    }
}

#[test]
fn a_route_can_await_every_read() {
    fn sendable<T: Future + Send>(_: &T) {}
    let (fixture, page, read) = (Fixture::new(1), Page::first(1), Read::default());
    let (views, handles) = (&fixture.views, &fixture.handles);
    sendable(&views.page(handles.by_status, (1u8, Desc(2i64)).0, &page, &read));
    sendable(&views.scan(handles.parcels, .., &page, &read));
    sendable(&views.scan_prefix(handles.parcels, "a", &page, &read));
    sendable(&views.get_each(handles.sums, &String::new(), &read));
    sendable(&views.range_each(handles.pairs, (String::new(), 0).., 5, &read));
}
