//! Faults of all kinds, drawn from one seed, on all workloads at once, for as long as records come: `scripts/soak`.
//!
//! In the ordinary test run it is short. With `VIEWMILL_SOAK_RECORDS` (in each topic, or of orders) and `VIEWMILL_SOAK_SECONDS` it is as long
//! as wished; `VIEWMILL_SOAK_REPORT` names a file for what happened, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::broker::Broker;
use crate::points::{POINTS, Reach};
use crate::support::Instance;
use crate::workload::{DRAIN_LIMIT, Kind, Workload, from_environment, seed};

/// How long a failpoint is waited for.
const POINT_WITHIN: Duration = Duration::from_secs(20);

/// Instances of each workload; the third comes and goes.
const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Kill,
    KillAndForget,
    KillAtPoint,
    Pause,
    Terminate,
    ComeAndGo,
    BrokerKilled,
    BrokerPaused,
}

impl Fault {
    /// Each as often as it stands here.
    const ALL: [Fault; 14] = [
        Fault::Kill,
        Fault::Kill,
        Fault::Kill,
        Fault::KillAndForget,
        Fault::KillAtPoint,
        Fault::KillAtPoint,
        Fault::KillAtPoint,
        Fault::Pause,
        Fault::Pause,
        Fault::Terminate,
        Fault::ComeAndGo,
        Fault::ComeAndGo,
        Fault::BrokerKilled,
        Fault::BrokerPaused,
    ];

    fn describe(self) -> &'static str {
        match self {
            Fault::Kill => "kill -9, state kept",
            Fault::KillAndForget => "kill -9, state directory removed",
            Fault::KillAtPoint => "kill -9 at a failpoint, state kept",
            Fault::Pause => "SIGSTOP for 1 to 14 s",
            Fault::Terminate => "SIGTERM and start",
            Fault::ComeAndGo => "a third instance joins and leaves (SIGTERM or kill -9)",
            Fault::BrokerKilled => "broker killed, gone for 1 to 20 s",
            Fault::BrokerPaused => "broker stopped for 1 to 8 s",
        }
    }
}

/// A workload with its instances.
struct Site {
    workload: Workload,
    instances: [Instance; 2],
}

impl Site {
    fn start(name: &str, kind: Kind, broker: &Broker, seed: u64, (records, over): (usize, Duration)) -> Site {
        let mut workload = Workload::seeded(name, kind, seed);
        workload.run.bootstrap = broker.address.clone();
        workload.produce_over(records, over);
        let mut instances = [NAMES[0], NAMES[1]].map(|name| workload.start(name, &[]));
        instances.iter_mut().for_each(Instance::wait_ready);
        Site { workload, instances }
    }

    fn restart(&mut self, at: usize) {
        self.instances[at] = self.workload.start(NAMES[at], &[]);
        self.instances[at].wait_ready();
    }

    fn strike(&mut self, fault: Fault, rng: &mut Rng) {
        let at = rng.usize(..2);
        match fault {
            Fault::Kill | Fault::KillAndForget => {
                self.instances[at].kill();
                if fault == Fault::KillAndForget {
                    self.workload.forget_state(&mut self.instances[at], NAMES[at]);
                } else if rng.u8(..4) == 0 {
                    // Others take over.
                    thread::sleep(Duration::from_secs(rng.u64(1..15)));
                }
                self.restart(at);
            }
            Fault::KillAtPoint => {
                let known: Vec<&str> = POINTS
                    .iter()
                    .filter(|(_, reach)| matches!(reach, Reach::Commit | Reach::FirstCommits | Reach::Start))
                    .map(|(name, _)| *name)
                    .collect();
                let points = format!("{}={}*off->return(kill)", rng.choice(known).expect("there are points"), rng.u32(..6));
                self.instances[at].kill();
                self.instances[at] = self.workload.start(NAMES[at], &[("FAILPOINTS", &points)]);
                let deadline = Instant::now() + POINT_WITHIN;
                while !self.instances[at].has_ended() && Instant::now() < deadline {
                    thread::sleep(Duration::from_millis(50));
                }
                self.instances[at].kill();
                self.restart(at);
            }
            Fault::Pause => {
                self.instances[at].pause();
                thread::sleep(Duration::from_millis(rng.u64(1_000..14_000)));
                self.instances[at].resume();
            }
            Fault::Terminate => {
                let status = self.instances[at].terminate(DRAIN_LIMIT);
                assert!(status.success(), "a drained instance ends with 0, not {status}");
                self.restart(at);
            }
            Fault::ComeAndGo => {
                let mut third = self.workload.start(NAMES[2], &[]);
                thread::sleep(Duration::from_millis(rng.u64(2_000..8_000)));
                if rng.bool() {
                    third.kill();
                } else {
                    let status = third.terminate(DRAIN_LIMIT);
                    assert!(status.success(), "a drained instance ends with 0, not {status}");
                }
            }
            Fault::BrokerKilled | Fault::BrokerPaused => unreachable!("these are not an instance's"),
        }
    }

    fn assert_alive(&mut self) {
        for (instance, name) in self.instances.iter_mut().zip(NAMES) {
            assert!(!instance.has_ended(), "{}: instance {name} has ended by itself", self.workload.run.id);
        }
    }
}

#[test]
fn everything_is_right_after_many_faults_of_all_kinds() {
    let records = from_environment("VIEWMILL_SOAK_RECORDS", 4_000);
    let over = Duration::from_secs(from_environment("VIEWMILL_SOAK_SECONDS", 120) as u64);
    let seed = seed();
    let broker = Broker::start();
    let began = Instant::now();
    let mut sites = [("soak-functions", Kind::Functions), ("soak-orders", Kind::Orders)]
        .map(|(name, kind)| Site::start(name, kind, &broker, seed, (records, over)));
    let mut rng = Rng::with_seed(seed);
    let mut faults: BTreeMap<Fault, usize> = BTreeMap::new();
    while sites.iter_mut().any(|site| site.workload.is_producing()) {
        let fault = rng.choice(Fault::ALL).expect("there are faults");
        *faults.entry(fault).or_default() += 1;
        println!("{:>7.1} s: {}", began.elapsed().as_secs_f64(), fault.describe());
        match fault {
            Fault::BrokerKilled => {
                broker.kill();
                thread::sleep(Duration::from_millis(rng.u64(1_000..20_000)));
                broker.start_again();
            }
            Fault::BrokerPaused => {
                broker.signal("STOP");
                thread::sleep(Duration::from_millis(rng.u64(1_000..8_000)));
                broker.signal("CONT");
            }
            _ => sites[rng.usize(..2)].strike(fault, &mut rng),
        }
        sites.iter_mut().for_each(Site::assert_alive);
        if faults.values().sum::<usize>() % 8 == 0 {
            sites[0].workload.assert_right_so_far();
        }
        thread::sleep(Duration::from_millis(rng.u64(..4_000)));
    }
    let struck = began.elapsed();
    let mut violations = Vec::new();
    for site in &mut sites {
        site.workload.finish_producing();
        site.instances.iter_mut().for_each(Instance::wait_ready);
        let [a, b] = &mut site.instances;
        violations.extend(site.workload.violations(&mut [a, b]));
    }
    let report = report(seed, records, struck, began.elapsed(), &faults, &violations);
    println!("{report}");
    if let Ok(path) = std::env::var("VIEWMILL_SOAK_REPORT") {
        std::fs::write(path, &report).unwrap();
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// What a violation begins with, and the rule that it breaks.
const RULES: [(&str, &[&str]); 6] = [
    (
        "running functions: output i is the function of input 0..i; none lost, none double, in order",
        &["output minima", "output sums", "output counts", "lost"],
    ),
    ("unique ids: one a key, distinct and dense in each partition, in the order of the keys", &["output ids", "ids"]),
    ("stores, dumped over HTTP, are the fold of the input", &["store"]),
    ("changelogs, folded, are the fold of the input", &["changelog"]),
    ("nothing left open: the last stable offset is the end of every topic within 14 s", &["left open"]),
    ("nothing wiped: no restore from the beginning where the state was whole on the disk", &["wiped"]),
];

fn report(seed: u64, records: usize, struck: Duration, whole: Duration, faults: &BTreeMap<Fault, usize>, violations: &[String]) -> String {
    let mut text = format!(
        "- seed {seed} (`VIEWMILL_TEST_SEED`)\n- {records} records in each of the topics numbers and visits, and as many of orders, over {} s; all \
         verified {} s after the start\n- {} faults:\n\n| fault | times |\n|---|---|\n",
        struck.as_secs(),
        whole.as_secs(),
        faults.values().sum::<usize>()
    );
    for (fault, times) in faults {
        writeln!(text, "| {} | {times} |", fault.describe()).unwrap();
    }
    text.push_str("\n| rule | verdict |\n|---|---|\n");
    for (rule, prefixes) in RULES {
        let broken = violations.iter().filter(|found| prefixes.iter().any(|prefix| found.starts_with(prefix))).count();
        let verdict = if broken == 0 { "kept".to_owned() } else { format!("**broken**: {broken}") };
        writeln!(text, "| {rule} | {verdict} |").unwrap();
    }
    // Another answer would have ended the run.
    text.push_str("| orders: every view served is the fold of the log | kept |\n");
    text.push_str("| a drained instance ends with 0 within 20 s; none ends by itself | kept |\n");
    text
}
