//! Looks at the dashboard all the time while events stream in, and remembers what must never be seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{HttpClient, LOOK_INTERVAL, Run, views::dashboard_differences};

const STATUSES: [&str; 6] = ["APPROVED", "CANCELLED", "CREATED", "DELIVERED", "REJECTED", "SHIPPED"];

/// Every how many answers a list is asked too.
const LIST_EVERY: usize = 5;

/// Watches one instance until it is told to stop.
pub struct Watcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Default)]
pub struct Seen {
    /// Answers with status 200.
    pub answers: usize,
    /// Answers with status 503, while tasks move.
    pub refused: usize,
    /// The first dashboard at each position, in the order in which they were seen.
    pub dashboards: Vec<(String, String)>,
    /// Lists that were answered at the position of the dashboard before them.
    pub comparable_lists: usize,
    /// What must never be seen.
    pub faults: Vec<String>,
    last: Option<Dashboard>,
    next: BTreeMap<String, i64>,
}

#[derive(Clone, Deserialize)]
struct Dashboard {
    total: u64,
    #[serde(rename = "byStatus")]
    by_status: BTreeMap<String, u64>,
    revenue: BTreeMap<String, Revenue>,
}

#[derive(Clone, Deserialize)]
struct Revenue {
    gross: Box<RawValue>,
    paid: Box<RawValue>,
    refunded: Box<RawValue>,
    net: Box<RawValue>,
}

#[derive(Deserialize)]
struct List {
    total: u64,
}

impl Watcher {
    /// Begins to look.
    pub fn start(mut client: HttpClient) -> Watcher {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            // A look costs the instance little, and the producer takes the rest of the machine.
            while !told.load(Ordering::Relaxed) {
                seen.look(&mut client);
            }
            seen
        });
        Watcher { stop, thread }
    }

    /// Stops, and tells what was seen.
    pub fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Seen {
    fn look(&mut self, client: &mut HttpClient) {
        let response = match client.get("/api/dashboard") {
            Ok(response) if response.status == 200 => response,
            // While tasks move between the threads the answer is no, never a part.
            Ok(response) if response.status == 503 && response.header("retry-after").is_some() => {
                self.refused += 1;
                return thread::sleep(LOOK_INTERVAL);
            }
            Ok(response) => return self.faults.push(format!("{} {}", response.status, response.body)),
            Err(error) => return self.faults.push(error.to_string()),
        };
        self.answers += 1;
        let Some(position) = response.header("view-position").map(str::to_owned) else {
            return self.faults.push(format!("without View-Position: {:?}", response.headers));
        };
        match serde_json::from_str::<Dashboard>(&response.body) {
            Ok(dashboard) => self.take(&position, dashboard, response.body),
            Err(error) => self.faults.push(format!("{error}: {}", response.body)),
        }
        if self.answers.is_multiple_of(LIST_EVERY) {
            self.compare_list(client, &position);
        }
    }

    fn take(&mut self, position: &str, dashboard: Dashboard, body: String) {
        let statuses: Vec<&str> = dashboard.by_status.keys().map(String::as_str).collect();
        let sum: u64 = dashboard.by_status.values().sum();
        if statuses != STATUSES || sum != dashboard.total {
            self.faults.push(format!("at {position}: {sum} by status, {} in all: {body}", dashboard.total));
        }
        for (currency, revenue) in &dashboard.revenue {
            // Never through a binary float.
            let amount = |number: &RawValue| number.get().parse::<Decimal>().unwrap();
            if amount(&revenue.paid) - amount(&revenue.refunded) != amount(&revenue.net) || amount(&revenue.gross).is_sign_negative() {
                self.faults.push(format!("at {position}: {currency} does not add up: {body}"));
            }
        }
        match self.dashboards.last() {
            Some((last, seen)) if last == position => {
                let found = dashboard_differences(seen, &body);
                if !found.is_empty() {
                    self.faults.push(format!("two answers at {position}: {}", found.join("; ")));
                }
            }
            _ => self.step_to(position, &dashboard, body),
        }
        self.last = Some(dashboard);
    }

    /// A position not seen before: no partition goes back, and no order vanishes.
    fn step_to(&mut self, position: &str, dashboard: &Dashboard, body: String) {
        for part in position.split(',').filter(|part| !part.is_empty()) {
            let (place, next) = part.rsplit_once('=').unwrap();
            let next = next.parse().unwrap();
            let before = self.next.insert(place.to_owned(), next).unwrap_or(0);
            if next < before {
                self.faults.push(format!("{place} went back from {before} to {next}"));
            }
        }
        if let Some(last) = self.last.as_ref().filter(|last| last.total > dashboard.total) {
            self.faults.push(format!("at {position}: {} orders after {}", dashboard.total, last.total));
        }
        self.dashboards.push((position.to_owned(), body));
    }

    /// A list whose answer belongs to the dashboard's position must count as the dashboard does.
    fn compare_list(&mut self, client: &mut HttpClient, position: &str) {
        let status = STATUSES[self.answers / LIST_EVERY % STATUSES.len()];
        let Ok(response) = client.get(&format!("/api/orders?status={status}&limit=1")) else { return };
        if response.header("view-position") != Some(position) {
            return;
        }
        self.comparable_lists += 1;
        let counted = self.last.as_ref().and_then(|dashboard| dashboard.by_status.get(status)).copied();
        match serde_json::from_str::<List>(&response.body) {
            Ok(list) if Some(list.total) == counted => {}
            _ => self.faults.push(format!("at {position}: {counted:?} orders {status} on the dashboard, the list says {}", response.body)),
        }
    }

    /// Some of the positions, evenly spread, with what was answered there.
    pub fn sample(&self, count: usize) -> Vec<&(String, String)> {
        self.dashboards.iter().step_by(self.dashboards.len().div_ceil(count).max(1)).collect()
    }

    /// Compares the sample with a fold of the log up to exactly the same positions.
    ///
    /// # Panics
    /// When one of them differs.
    pub fn assert_true_on_the_way(&self, run: &Run, count: usize) {
        let sample = self.sample(count);
        let fold = run.fold_at(&sample.iter().map(|(position, _)| position.as_str()).collect::<Vec<_>>());
        for ((position, served), expected) in sample.iter().zip(&fold.dashboards) {
            let found = dashboard_differences(expected, served);
            assert!(found.is_empty(), "at {position}: {}", found.join("; "));
        }
        assert_eq!(sample.len(), fold.dashboards.len());
    }
}
