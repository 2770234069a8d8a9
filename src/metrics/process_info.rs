//! The process as the operating system sees it, under the names that all Prometheus clients use. Read from `/proc`; elsewhere than on
//! Linux there are none.

use std::fs;
use std::path::Path;

use prometheus::Counter;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::registration::{Registration, fresh_gauge};

/// Linux tells CPU time and start times to programs in this unit on every architecture, whatever the kernel's own tick is.
const TICKS_A_SECOND: f64 = 100.0;

pub(super) fn register(on: &Registration<'_>) {
    let descs = METRICS.iter().map(|(name, help)| Desc::new((*name).into(), (*help).into(), Vec::new(), Default::default()));
    on.collector(ProcessCollector { descs: descs.map(|desc| desc.expect("names are valid")).collect() });
}

const METRICS: [(&str, &str); 7] = [
    ("process_cpu_seconds_total", "Total user and system CPU time spent in seconds."),
    ("process_resident_memory_bytes", "Resident memory size in bytes."),
    ("process_virtual_memory_bytes", "Virtual memory size in bytes."),
    ("process_open_fds", "Number of open file descriptors."),
    ("process_max_fds", "Maximum number of open file descriptors."),
    ("process_threads", "Number of OS threads in the process."),
    ("process_start_time_seconds", "Start time of the process since unix epoch in seconds."),
];

struct ProcessCollector {
    descs: Vec<Desc>,
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let values = read(Path::new("/proc"));
        let mut families = Vec::new();
        for ((name, help), value) in METRICS.iter().zip(values) {
            let Some(value) = value else { continue };
            if name.ends_with("_total") {
                let counter = Counter::new(*name, *help).expect("names are valid");
                counter.inc_by(value);
                families.extend(counter.collect());
            } else {
                let gauge = fresh_gauge(name, help);
                gauge.set(value);
                families.extend(gauge.collect());
            }
        }
        families
    }
}

/// In the order of [`METRICS`].
fn read(proc: &Path) -> [Option<f64>; METRICS.len()] {
    let text = |name: &str| fs::read_to_string(proc.join(name)).ok();
    let stat = text("self/stat");
    // The name of the program, in brackets, may hold anything; after it come numbers, the third field first.
    let field = |number: usize| -> Option<f64> {
        let (_, fields) = stat.as_deref()?.rsplit_once(')')?;
        fields.split_whitespace().nth(number - 3)?.parse().ok()
    };
    let status = text("self/status");
    let kib = |name: &str| Some(word_after(status.as_deref()?, name)? * 1_024.0);
    let booted = text("stat").and_then(|text| word_after(&text, "btime"));
    let limits = text("self/limits");
    [
        field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS_A_SECOND),
        kib("VmRSS:"),
        kib("VmSize:"),
        fs::read_dir(proc.join("self/fd")).ok().map(|entries| entries.count() as f64),
        limits.and_then(|text| word_after(&text, "Max open files")),
        field(20),
        field(22).zip(booted).map(|(started, booted)| booted + started / TICKS_A_SECOND),
    ]
}

/// The number that follows a name at the start of a line.
fn word_after(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_operating_system_tells_of_this_process() {
        let [cpu, resident, virtual_size, fds, max_fds, threads, started] = read(Path::new("/proc")).map(|value| value.unwrap_or(-1.0));
        assert!(cpu >= 0.0, "{cpu}");
        assert!(resident > 1e6 && virtual_size >= resident, "{resident} of {virtual_size}");
        assert!(fds >= 3.0 && max_fds >= fds, "{fds} of {max_fds}");
        assert!(threads >= 1.0, "{threads}");
        assert!(started > 1e9, "{started}");
    }

    #[test]
    fn where_there_is_no_proc_there_are_no_figures() {
        assert!(read(Path::new("/nowhere")).iter().all(Option::is_none));
    }
}
