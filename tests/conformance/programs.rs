//! The cases that are written for other languages' clients, each set one program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outcome::Outcome;

/// A program that runs many cases and prints a line for each.
pub enum Program {
    /// confluent-kafka, aiokafka, kcat and Kafka's own tools.
    Python,
    /// Kafka's own client; where its cases were compiled.
    Java(PathBuf),
}

/// Runs its cases against the broker. A case that the program knows and says nothing of has failed.
pub fn run(program: &Program, address: &str, only: &str) -> Vec<Outcome> {
    let known = lines(program.command(None, ""));
    let output = program.command(Some(address), only).output().expect("the program that runs the cases cannot be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut outcomes: Vec<Outcome> = text.lines().filter_map(Outcome::from_line).collect();
    let told: BTreeSet<String> = outcomes.iter().map(|outcome| outcome.name.clone()).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().last().unwrap_or_default().to_owned();
    for name in known.into_iter().filter(|name| name.contains(only) && !told.contains(name)) {
        outcomes.push(Outcome { name, seconds: 0.0, failure: Some(format!("its program said nothing of it and ended with: {last}")) });
    }
    outcomes
}

impl Program {
    /// Compiles the Java cases, outside the checkout; Maven does nothing when nothing changed.
    pub fn java() -> Program {
        let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance-java");
        let mut maven = Command::new("mvn");
        maven.args(["-B", "-q", "-f"]).arg(sources("java/pom.xml")).arg(format!("-Dbuilt.into={}", into.display())).arg("compile");
        let output = maven.output().expect("there is no Maven. Run: scripts/setup test");
        assert!(output.status.success(), "the Java cases do not compile:\n{}", String::from_utf8_lossy(&output.stdout));
        Program::Java(into)
    }

    /// Without an address it lists its cases.
    fn command(&self, address: Option<&str>, only: &str) -> Command {
        let mut command;
        match self {
            Program::Python => {
                let python = std::env::var("VIEWMILL_TEST_PYTHON").expect("VIEWMILL_TEST_PYTHON is not set. Run: scripts/test");
                command = Command::new(python);
                command.arg(sources("python/main.py")).env("KAFKA_JARS", jars());
                match address {
                    Some(address) => command.args([address, "--only", only]),
                    None => command.args(["-", "--list"]),
                };
            }
            Program::Java(built) => {
                command = Command::new("java");
                let class_path = format!("{}:{}/*", built.join("classes").display(), jars().display());
                // Half of its time would go into optimizing what runs once.
                command.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"]);
                command.args(["-cp", &class_path, "conformance.Main"]).args(address).args(address.map(|_| only));
            }
        }
        command
    }
}

fn lines(mut command: Command) -> Vec<String> {
    let output = command.output().expect("the program that runs the cases cannot be started");
    assert!(output.status.success(), "the cases are not listed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn sources(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(path)
}

/// Where `scripts/kafka` keeps Kafka's jars.
fn jars() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache =
        cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"))).expect("neither XDG_CACHE_HOME nor HOME is set");
    let jars = cache.join("viewmill/kafka-4.1.0");
    assert!(jars.is_dir(), "{} is not there: start a Kafka with scripts/kafka, which fetches it", jars.display());
    jars
}
