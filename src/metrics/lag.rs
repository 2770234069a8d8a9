//! How far source partitions and views are behind, from rows that stream threads leave behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::proto::MetricFamily;

use super::registration::fresh_gauges;
use super::status::Described;
use crate::record::{Offset, Timestamp};

/// How far one source partition is, as a thread last saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct LagRow {
    /// Full topic name.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// The task that reads it.
    pub task: String,
    /// The stores of that task.
    pub views: Arc<[String]>,
    /// The offset of the next record to process.
    pub position: Offset,
    /// The next offset of the last commit.
    pub committed: Offset,
    /// The first offset that the log still has; `None` before it is known.
    pub log_start: Option<Offset>,
    /// The end of the stable log; `None` before it is known.
    pub end: Option<Offset>,
    /// The time of the next record, when it has been fetched and has one.
    pub next_record_time: Option<Timestamp>,
    /// The time of the next record, or of the moment when the end was reached, as last known; `None` before that.
    pub reached: Option<Timestamp>,
    /// The smallest time of the records that are processed and not yet visible.
    pub waiting_since: Option<Timestamp>,
    /// Since when nothing is known of the log any more: Kafka is not heard, or the task does not run. `None` in good times.
    pub silent_since: Option<Timestamp>,
}

impl LagRow {
    /// Records between the position and the end: at least 1 while a record waits.
    pub fn lag_records(&self) -> Option<i64> {
        let known = self.end.map(|end| (end.0 - self.position.0).max(0));
        match self.next_record_time {
            Some(_) => known.map(|records| records.max(1)),
            // What was the end may be so no longer.
            None => known.filter(|_| self.silent_since.is_none()),
        }
    }

    /// Milliseconds since the time of the next record; 0 only at the end; `None` when it cannot be known.
    pub fn lag_ms(&self, now: Timestamp) -> Option<i64> {
        match (self.lag_records(), self.next_record_time) {
            (_, Some(next)) => Some((now.0 - next.0).max(1)),
            (Some(0), None) => Some(0),
            _ => None,
        }
    }

    /// Milliseconds since the time of the oldest record that readers do not see yet; 0 when they see all of them. While the next
    /// record is not fetched, its time counts as that of where the partition last stood: it can hardly be older.
    pub fn unseen_ms(&self, now: Timestamp) -> Option<i64> {
        if let Some(since) = self.silent_since {
            return Some(self.silent_ms(now, since));
        }
        let age = |time: Timestamp| (now.0 - time.0).max(1);
        let next = self.lag_ms(now).or(self.reached.map(age))?;
        Some(next.max(self.waiting_since.map_or(0, age)))
    }
}

impl LagRow {
    /// Milliseconds since readers saw everything, as far as that is known, when nothing is known since then.
    pub fn silent_ms(&self, now: Timestamp, since: Timestamp) -> i64 {
        let oldest = [self.reached, self.waiting_since, self.next_record_time].into_iter().flatten().fold(since, Timestamp::min);
        (now.0 - oldest.0).max(1)
    }
}

const LABELS: [&str; 2] = ["topic", "partition"];

/// Name, help, and how to read it from a row.
type LagMetric = (&'static str, &'static str, fn(&LagRow, Timestamp) -> Option<f64>);

const METRICS: [LagMetric; 6] = [
    ("viewmill_consumer_lag_records", "Records between the position and the end of the stable log.", |row, _| {
        row.lag_records().map(|records| records as f64)
    }),
    ("viewmill_consumer_lag_seconds", "Age of the next record; 0 only at the end; absent when unknown.", |row, now| {
        row.lag_ms(now).map(|ms| ms as f64 / 1_000.0)
    }),
    ("viewmill_consumer_position_offset", "Offset of the next record to process.", |row, _| Some(row.position.0 as f64)),
    ("viewmill_consumer_committed_offset", "Next offset of the last commit.", |row, _| Some(row.committed.0 as f64)),
    ("viewmill_consumer_high_watermark_offset", "End of the stable log as last fetched.", |row, _| row.end.map(|end| end.0 as f64)),
    ("viewmill_consumer_log_start_offset", "First offset that the log still has, as last fetched.", |row, _| {
        row.log_start.map(|start| start.0 as f64)
    }),
];

const FRONTIER: (&str, &str) = (
    "viewmill_view_frontier_timestamp_seconds",
    "Readers see all records of the partitions here that are older than this; absent before it is known.",
);
const VIEW_LAG: (&str, &str) =
    ("viewmill_view_lag_seconds", "Age of the oldest record that readers do not see yet; 0 when they see all; absent before it is known.");

pub(super) fn described() -> impl Iterator<Item = Described> {
    let lag = METRICS.iter().map(|(name, help, _)| (*name, *help, LABELS.to_vec()));
    lag.chain([FRONTIER, VIEW_LAG].map(|(name, help)| (name, help, vec!["view"])))
}

pub(super) fn collect(rows: &[LagRow], now: Timestamp) -> Vec<MetricFamily> {
    let mut partitions: BTreeMap<(&str, i32), &LagRow> = BTreeMap::new();
    for row in rows {
        // Where two tasks read a partition, the one that is further behind counts.
        let kept = partitions.entry((&row.topic, row.partition)).or_insert(row);
        if row.position < kept.position {
            *kept = row;
        }
    }
    let mut families = Vec::new();
    for (name, help, read) in METRICS {
        let gauges = fresh_gauges(name, help, &LABELS);
        for ((topic, partition), row) in &partitions {
            if let Some(value) = read(row, now) {
                gauges.with_label_values(&[*topic, partition.to_string().as_str()]).set(value);
            }
        }
        families.extend(prometheus::core::Collector::collect(&gauges));
    }
    families.extend(freshness(rows, now));
    families
}

fn freshness(rows: &[LagRow], now: Timestamp) -> Vec<MetricFamily> {
    let mut views: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    for row in rows {
        let unseen = row.unseen_ms(now);
        for view in row.views.iter() {
            let oldest = views.entry(view).or_insert(Some(0));
            *oldest = oldest.zip(unseen).map(|(a, b)| a.max(b));
        }
    }
    let (frontier, lag) = (fresh_gauges(FRONTIER.0, FRONTIER.1, &["view"]), fresh_gauges(VIEW_LAG.0, VIEW_LAG.1, &["view"]));
    for (view, unseen) in views {
        if let Some(ms) = unseen {
            frontier.with_label_values(&[view]).set((now.0 - ms) as f64 / 1_000.0);
            lag.with_label_values(&[view]).set(ms as f64 / 1_000.0);
        }
    }
    [frontier, lag].iter().flat_map(prometheus::core::Collector::collect).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(100_000);

    fn row() -> LagRow {
        LagRow {
            topic: "orders".into(),
            partition: 0,
            task: "orders_0".into(),
            views: Arc::new(["totals".to_string()]),
            position: Offset(10),
            committed: Offset(10),
            log_start: Some(Offset(2)),
            end: Some(Offset(10)),
            next_record_time: None,
            reached: None,
            waiting_since: None,
            silent_since: None,
        }
    }

    fn value(rows: &[LagRow], name: &str) -> Option<f64> {
        let families = collect(rows, NOW);
        let metric = families.iter().find(|family| family.name() == name)?.get_metric().first()?;
        Some(metric.get_gauge().get_value())
    }

    #[test]
    fn what_was_the_end_when_kafka_was_last_heard_may_be_so_no_longer() {
        let silent = LagRow { silent_since: Some(Timestamp(90_000)), reached: Some(Timestamp(92_000)), ..row() };
        let now = Timestamp(100_000);
        assert_eq!((silent.lag_records(), silent.lag_ms(now), silent.unseen_ms(now)), (None, None, Some(10_000)));
        let behind = LagRow { next_record_time: Some(Timestamp(80_000)), end: Some(Offset(14)), ..silent };
        assert_eq!((behind.lag_ms(now), behind.unseen_ms(now)), (Some(20_000), Some(20_000)));
    }

    #[test]
    fn lag_in_seconds_is_the_age_of_the_next_record_and_0_only_at_the_end() {
        assert_eq!((row().lag_records(), row().lag_ms(NOW)), (Some(0), Some(0)));
        let behind = LagRow { next_record_time: Some(Timestamp(97_500)), end: Some(Offset(14)), ..row() };
        assert_eq!((behind.lag_records(), behind.lag_ms(NOW)), (Some(4), Some(2_500)));
        // An end that was told before the record was fetched, and a record from the future.
        let late = LagRow { next_record_time: Some(Timestamp(200_000)), ..row() };
        assert_eq!((late.lag_records(), late.lag_ms(NOW)), (Some(1), Some(1)));
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let unknown = LagRow { end: None, log_start: None, ..row() };
        let not_fetched = LagRow { end: Some(Offset(14)), ..row() };
        for (rows, name) in [
            (&unknown, "viewmill_consumer_lag_records"),
            (&unknown, "viewmill_consumer_lag_seconds"),
            (&unknown, "viewmill_consumer_log_start_offset"),
            (&unknown, "viewmill_view_lag_seconds"),
            (&not_fetched, "viewmill_consumer_lag_seconds"),
            (&not_fetched, "viewmill_view_frontier_timestamp_seconds"),
        ] {
            assert_eq!(value(std::slice::from_ref(rows), name), None, "{name}");
        }
        assert_eq!(value(&[not_fetched], "viewmill_consumer_lag_records"), Some(4.0));
    }

    #[test]
    fn a_view_is_as_fresh_as_the_oldest_record_that_readers_do_not_see() {
        let waiting = LagRow { partition: 1, waiting_since: Some(Timestamp(96_000)), ..row() };
        let behind = LagRow { partition: 2, next_record_time: Some(Timestamp(99_000)), end: Some(Offset(14)), ..row() };
        assert_eq!(value(&[row()], "viewmill_view_lag_seconds"), Some(0.0));
        let rows = [row(), waiting, behind];
        assert_eq!(value(&rows, "viewmill_view_lag_seconds"), Some(4.0));
        assert_eq!(value(&rows, "viewmill_view_frontier_timestamp_seconds"), Some(96.0));
        let of_lag = value(&rows[1..2], "viewmill_consumer_lag_seconds");
        assert_eq!(of_lag, Some(0.0), "it is processed, only the commit is open");
    }

    #[test]
    fn while_the_next_record_is_not_fetched_a_view_stands_where_it_stood() {
        let not_fetched = LagRow { end: Some(Offset(14)), reached: Some(Timestamp(99_200)), ..row() };
        assert_eq!(value(&[not_fetched], "viewmill_view_lag_seconds"), Some(0.8));
    }

    #[test]
    fn of_two_tasks_that_read_a_partition_the_one_further_behind_counts() {
        let behind = LagRow { position: Offset(3), next_record_time: Some(Timestamp(1_000)), ..row() };
        for rows in [[row(), behind.clone()], [behind.clone(), row()]] {
            assert_eq!(value(&rows, "viewmill_consumer_lag_records"), Some(7.0));
        }
    }
}
