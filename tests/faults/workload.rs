//! A workload: what is produced, which program processes it, and whether what it made is right.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::support::run::Background;
use crate::support::{Instance, PATIENCE, Run, eventually_served};
use crate::{ORDERS, TOPOLOGIES};

/// How long a drained instance may take to end.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// Events of an order, on average.
const RECORDS_AN_ORDER: usize = 6;

/// Which records, and which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Running functions and unique ids, with 5 s between commits so that a fault meets an open transaction.
    Functions,
    /// The order system as it comes.
    Orders,
}

/// So many times as long as a test needs on an idle machine its records last.
const MARGIN: u32 = 3;

/// A workload under way.
pub struct Workload {
    pub run: Run,
    kind: Kind,
    /// Decides the records, and what the test draws.
    pub seed: u64,
    producing: Option<Background>,
}

/// What a checker found.
#[derive(Deserialize)]
struct Found {
    violations: Vec<String>,
    #[serde(default)]
    outputs: usize,
    #[serde(default)]
    open_s: f64,
}

impl Workload {
    /// With names of its own on the shared Kafka.
    pub fn new(name: &str, kind: Kind) -> Workload {
        Workload::seeded(name, kind, seed())
    }

    /// As [`Workload::new`], from a seed.
    pub fn seeded(name: &str, kind: Kind, seed: u64) -> Workload {
        let program = if kind == Kind::Orders { ORDERS } else { TOPOLOGIES };
        Workload { run: Run::of(name, program), kind, seed, producing: None }
    }

    /// Begins to write as many records as this test run is for. Spread over such a time they would last beyond the faults on a machine that
    /// does nothing else; they are written more slowly, so that they do on one that others use too, and [`Workload::finish_producing`]
    /// brings what is left at once.
    pub fn produce(&mut self, records: usize, over: Duration) {
        self.produce_over(records, over * MARGIN);
    }

    /// Begins to write as many records, spread over exactly such a time.
    pub fn produce_over(&mut self, records: usize, over: Duration) {
        let rate = |records: usize| ((records as f64 / over.as_secs_f64()).ceil() as u32).max(1);
        self.producing = Some(match self.kind {
            Kind::Orders => self.run.begin_producing(records / RECORDS_AN_ORDER, self.seed, Some(rate(records))),
            Kind::Functions => {
                let arguments =
                    [("--records", records.to_string()), ("--seed", self.seed.to_string()), ("--rate", rate(2 * records).to_string())];
                let arguments: Vec<&str> = arguments.iter().flat_map(|(name, value)| [*name, value.as_str()]).collect();
                println!("{}: {records} records a topic from seed {} over {over:?}", self.run.id, self.seed);
                Background(self.run.python("faults/load.py", &arguments).spawn().unwrap())
            }
        });
    }

    /// True while records are being written.
    pub fn is_producing(&mut self) -> bool {
        self.producing.as_mut().is_some_and(Background::runs)
    }

    /// The faults are over: waits for the last record.
    pub fn finish_producing(&mut self) {
        self.producing.take().expect("it has begun").finish_at_once();
    }

    /// Starts an instance with this workload's settings and these.
    pub fn start(&self, name: &str, settings: &[(&str, &str)]) -> Instance {
        let mut all = vec![("VIEWMILL__LOG__LEVEL", "info,viewmill::runtime::step::restorer=debug")];
        if self.kind == Kind::Functions {
            all.extend([("VIEWMILL__PROCESSING__COMMIT_INTERVAL_MS", "5000"), ("VIEWMILL__PROCESSING__COMMIT_MIN_INTERVAL_MS", "5000")]);
            // As many as load.py makes: either may be first.
            all.push(("VIEWMILL__TOPICS__PARTITIONS", "3"));
        }
        all.extend(settings);
        Instance::start(&self.run, name, &all)
    }

    /// Whether what was made so far is what the beginning of the input demands. Of the order system that is known only in the end.
    ///
    /// # Panics
    /// When it is not.
    pub fn assert_right_so_far(&self) {
        if self.kind == Kind::Functions {
            let found = self.check(&["--so-far"]);
            println!("{}: {} outputs are right so far", self.run.id, found.outputs);
            assert_eq!(found.violations, Vec::<String>::new());
        }
    }

    /// Waits until everything is processed, and looks whether all of it is right, and nothing was left open.
    ///
    /// # Panics
    /// When it is not.
    pub fn assert_right(&self, instances: &mut [&mut Instance]) {
        let violations = self.violations(instances);
        assert!(violations.is_empty(), "{}:\n{}", self.run.id, violations.join("\n"));
    }

    /// As [`Workload::assert_right`]; answers what is wrong. Wrong orders are a panic.
    pub fn violations(&self, instances: &mut [&mut Instance]) -> Vec<String> {
        self.violations_with(instances, &[])
    }

    /// As [`Workload::violations`], with further arguments of check.py.
    pub fn violations_with(&self, instances: &mut [&mut Instance], arguments: &[&str]) -> Vec<String> {
        let found = match self.kind {
            Kind::Functions => {
                let urls: Vec<String> = instances.iter().map(|instance| instance.url()).collect();
                self.check(&[&["--instances", &urls.join(",")], arguments].concat())
            }
            Kind::Orders => {
                eventually_served(&self.run.fold(), instances, PATIENCE);
                self.check(&["--open-only"])
            }
        };
        println!(
            "{}: {} outputs, nothing open after {} s, {} violations",
            self.run.id,
            found.outputs,
            found.open_s,
            found.violations.len()
        );
        let wiped = instances.iter().flat_map(|instance| wipes(&instance.log()));
        found.violations.into_iter().chain(wiped).collect()
    }

    /// Removes what a stopped instance has on disk, and notes so in its log, for [`wipes`].
    pub fn forget_state(&self, instance: &mut Instance, name: &str) {
        use std::io::Write as _;
        instance.forget_state();
        let log: PathBuf = self.run.dir.join(name).join("log");
        writeln!(std::fs::File::options().append(true).open(log).unwrap(), "{FORGOTTEN}").unwrap();
    }

    fn check(&self, arguments: &[&str]) -> Found {
        let output = self.run.python("faults/check.py", &["--application", &self.run.id]).args(arguments).output().unwrap();
        assert!(output.status.success(), "check.py failed: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

const FORGOTTEN: &str = "the test removed the state directory";

/// Tasks that were restored from the beginning though their state had been whole on this disk before, by an instance's log.
pub fn wipes(log: &str) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    let mut found = Vec::new();
    let task_of = |line: &str| line.split("task=").nth(1).map(|rest| rest.split(' ').next().unwrap_or_default().replace('"', ""));
    for line in log.lines() {
        if line.contains(FORGOTTEN) {
            whole.clear();
        }
        let Some(task) = task_of(line) else { continue };
        if line.contains("start decided") {
            let is_whole = line.contains("UseAsIs") || line.contains("CatchUp");
            if !is_whole && !line.contains("FirstStart") && whole.contains(&task) {
                found.push(format!("wiped: {line}"));
            }
            if is_whole {
                whole.push(task);
            }
        } else if line.contains("task restored") {
            whole.push(task);
        }
    }
    found
}

/// How many tasks an instance's log says were opened: without any, [`wipes`] would find none.
pub fn starts(log: &str) -> usize {
    log.lines().filter(|line| line.contains("start decided")).count()
}

/// A seed to run again with: `VIEWMILL_TEST_SEED`, else a new one.
pub fn seed() -> u64 {
    let seed = std::env::var("VIEWMILL_TEST_SEED").map_or_else(|_| fastrand::u64(..1 << 32), |text| text.parse().unwrap());
    println!("VIEWMILL_TEST_SEED={seed}");
    seed
}

/// Records that a run is for: `VIEWMILL_FAULT_RECORDS`. The full size is 300,000.
pub fn records() -> usize {
    from_environment("VIEWMILL_FAULT_RECORDS", 12_000)
}

/// Faults of one kind in a run: `VIEWMILL_FAULT_CYCLES`. The full size is 20.
pub fn cycles() -> usize {
    from_environment("VIEWMILL_FAULT_CYCLES", 5)
}

/// A number.
pub fn from_environment(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}
