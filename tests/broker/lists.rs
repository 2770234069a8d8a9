//! The list of all orders, what its parameters refuse, and answers about a part of the partitions.

use std::thread;
use std::time::Instant;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::support::{Expected, Instance, LOOK_INTERVAL, PATIENCE, Page, Run, differences, eventually_served};

/// Odd, so that the last page is short.
const LIMIT: usize = 97;

/// By what lists are ordered.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    order_id: String,
    created_at: String,
}

/// All pages of the list without a filter.
fn all_pages(instance: &mut Instance, total: usize) -> Vec<Box<RawValue>> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let response = instance.try_get(&format!("/api/orders?limit={LIMIT}{cursor}")).unwrap();
        assert_eq!(response.status, 200, "{}", response.body);
        for header in ["view-position", "served-by", "served-from"] {
            assert!(response.header(header).is_some(), "{header}");
        }
        let page: Page = serde_json::from_str(&response.body).unwrap();
        assert_eq!((page.total, page.limit), (total, LIMIT));
        assert!(page.orders.len() == LIMIT || page.next_cursor.is_none(), "only the last page is short");
        found.extend(page.orders);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn check_all_orders(instance: &mut Instance, expected: &[Expected]) {
    let orders = expected.iter().filter_map(|expected| expected.order.as_deref());
    let mut wanted: Vec<(Place, &RawValue)> = orders.map(|json| (serde_json::from_str(json.get()).unwrap(), json)).collect();
    wanted.sort_by(|(a, _), (b, _)| b.created_at.cmp(&a.created_at).then(a.order_id.cmp(&b.order_id)));
    let listed = all_pages(instance, wanted.len());
    assert_eq!(listed.len(), wanted.len());
    for (listed, (_, wanted)) in listed.iter().zip(wanted) {
        assert_eq!(differences(wanted.get(), listed.get()), Vec::<String>::new());
    }
}

fn check_faults(instance: &mut Instance) {
    for (path, pointers) in [
        ("/api/orders?limit=0&status=LOST&scope=here&userId=u&limit=1", &["?userId", "?limit", "?status", "?limit", "?scope"][..]),
        ("/api/orders?limit=501", &["?limit"]),
        ("/api/orders?limit=x", &["?limit"]),
        ("/api/orders?cursor=AQ", &["?cursor"]),
        ("/api/orders?page=2&dateFrom=2026-01-01&dateTo=2026-01-02", &["?page", "?dateFrom", "?dateTo"]),
        ("/api/dashboard?period=7d", &["?period"]),
        ("/api/dashboard?scope=", &["?scope"]),
    ] {
        let response = instance.try_get(path).unwrap();
        let problem: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        let found: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!((response.status, &problem["code"], &*found), (400, &"validation-failed".into(), pointers), "{path}: {}", response.body);
    }
}

#[test]
fn all_orders_are_listed_and_faulty_parameters_are_refused() {
    let run = Run::new("lists");
    run.begin_producing(2_000, 11, None).finish();
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let expected = run.fold();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);
    check_all_orders(&mut instance, &expected);
    check_faults(&mut instance);
}

/// What an instance counts of the partitions that it has.
fn local_total(instance: &mut Instance) -> usize {
    let response = instance.try_get("/api/dashboard?scope=local").unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    // None while all of its partitions are on their way.
    dashboard["total"].as_u64().unwrap_or(0) as usize
}

#[test]
fn what_two_instances_have_adds_up() {
    let run = Run::new("local");
    run.begin_producing(500, 12, None).finish();
    let expected = run.fold();
    let orders = expected.iter().filter(|expected| expected.order.is_some()).count();
    let (mut first, mut second) = (Instance::start(&run, "a", &[]), Instance::start(&run, "b", &[]));
    let deadline = Instant::now() + PATIENCE;
    first.wait_ready();
    second.wait_ready();
    loop {
        let totals = (local_total(&mut first), local_total(&mut second));
        if totals.0 > 0 && totals.1 > 0 && totals.0 + totals.1 == orders {
            break;
        }
        assert!(Instant::now() < deadline, "{orders} orders, and {totals:?} of them here and there");
        thread::sleep(LOOK_INTERVAL);
    }
}
