//! Makes metrics and puts them into a registry.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Names are constants of this folder, so a name that is used twice or not valid is a fault that every start would show.
pub(super) struct Registration<'a>(pub &'a Registry);

impl Registration<'_> {
    pub(super) fn collector(&self, collector: impl Collector + 'static) {
        self.0.register(Box::new(collector)).expect("names are unique");
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    pub(super) fn float_counter(&self, name: &str, help: &str) -> Counter {
        self.add(Counter::new(name, help))
    }

    /// With one label, whose known values begin at zero: a series that is there from the start shows its first increase.
    pub(super) fn counters(&self, name: &str, help: &str, label: &str, values: &[&str]) -> IntCounterVec {
        let made = self.counter_table(name, help, &[label]);
        values.iter().for_each(|value| drop(made.with_label_values(&[value])));
        made
    }

    pub(super) fn counter_table(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), &[label]))
    }

    /// One that is always 1 and whose labels tell something.
    pub(super) fn info(&self, name: &str, help: &str, labels: &[(&str, &str)]) {
        let opts = labels.iter().fold(Opts::new(name, help), |opts, (label, value)| opts.const_label(*label, *value));
        self.add(IntGauge::with_opts(opts)).set(1);
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: Vec<f64>) -> Histogram {
        self.add(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
    }

    pub(super) fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: Vec<f64>) -> HistogramVec {
        self.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels))
    }

    fn add<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("names and labels are valid");
        self.collector(collector.clone());
        collector
    }
}

/// Bounds that grow by a factor, in seconds.
pub(super) fn buckets(first_seconds: f64, factor: f64, count: usize) -> Vec<f64> {
    prometheus::exponential_buckets(first_seconds, factor, count).expect("bounds are positive and grow")
}

/// Gauges made anew for one scrape: rows that are gone leave no series behind.
pub(super) fn fresh_gauges(name: &str, help: &str, labels: &[&str]) -> GaugeVec {
    GaugeVec::new(Opts::new(name, help), labels).expect("names and labels are valid")
}

/// One gauge made for one scrape.
pub(super) fn fresh_gauge(name: &str, help: &str) -> Gauge {
    Gauge::new(name, help).expect("names are valid")
}

/// Counters made anew for one scrape from sums that live elsewhere.
pub(super) fn fresh_counters(name: &str, help: &str, labels: &[&str]) -> prometheus::CounterVec {
    prometheus::CounterVec::new(Opts::new(name, help), labels).expect("names and labels are valid")
}
