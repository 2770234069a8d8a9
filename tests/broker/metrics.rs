//! The metrics of a real instance under load, as a real Prometheus reads them: the exposition is clean, the board answers, and the
//! documentation names every metric.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use viewmill::kafka::{KafkaSettings, RecordWriter};
use viewmill::record::OutputRecord;

use crate::support::{Instance, Prometheus, Run, bootstrap, faults_by_promtool, free_address};

/// It is there only while a task is being restored: perhaps between two scrapes.
const BRIEF: &str = "viewmill_restore_remaining_records";

/// What a scrape gives, apart from its values.
fn metric_names(exposition: &str) -> BTreeSet<&str> {
    exposition.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

/// Whose time is accounted for, by thread.
fn thread_seconds(exposition: &str) -> BTreeMap<&str, f64> {
    let mut sums = BTreeMap::new();
    for line in exposition.lines().filter(|line| line.starts_with("viewmill_thread_activity_seconds_total{")) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let thread = series.split("thread=\"").nth(1).unwrap().split('"').next().unwrap();
        *sums.entry(thread).or_default() += value.parse::<f64>().unwrap();
    }
    sums
}

fn write_poison(run: &Run) {
    let writer = RecordWriter::new(&KafkaSettings::new(bootstrap(), &run.id, "poison")).unwrap();
    let topic = format!("{}order-events", run.topic_prefix);
    let write = |key: &str, value: &[u8], partition| {
        let record = OutputRecord {
            topic: &topic,
            partition,
            key: Some(key.as_bytes()),
            value: Some(value),
            timestamp: None,
            headers: Default::default(),
        };
        writer.write(&record).unwrap();
    };
    (0..20).for_each(|n| write(&format!("poison-{n}"), b"this is not JSON", None));
    // At least three of the four are wrong ones.
    (0..4).for_each(|partition| write("misplaced", b"{}", Some(partition)));
    writer.flush(Duration::from_secs(30)).unwrap();
}

/// Asks for orders that are not there and for paths that no route has, for a while.
fn ask(instance: &mut Instance, lasts: Duration) {
    let until = Instant::now() + lasts;
    let mut n = 0;
    while Instant::now() < until {
        n += 1;
        for path in [format!("/api/orders/nobody-{n}"), format!("/nowhere/{n}"), "/v1/lag".to_string(), "/readyz".to_string()] {
            instance.try_get(&path).unwrap();
        }
        let cancelled = instance.client().post("/api/orders/nobody/cancel", "Content-Type: application/json\r\n", r#"{"reason":"r"}"#);
        assert_eq!(cancelled.unwrap().status, 404);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_board_answers_and_every_metric_is_known_while_a_real_prometheus_scrapes() {
    let run = Run::new("metrics");
    let producing = run.begin_producing(10_000, 7, Some(2_500));
    // Both processes of the instance listen there, so that their series go on.
    let address = free_address();
    let listen = [("VIEWMILL__HTTP__LISTEN", &*address.to_string())];
    let mut prometheus = Prometheus::start(&run.dir, address);
    let began = Instant::now();
    let mut instance = Instance::start(&run, "a", &listen);
    instance.wait_ready();
    prometheus.wait_for(r#"viewmill_state{state="running"} == 1"#);
    write_poison(&run);
    let (first, at) = (instance.try_get("/metrics").unwrap().body, Instant::now());
    ask(&mut instance, Duration::from_secs(8));
    let (second, passed) = (instance.try_get("/metrics").unwrap().body, at.elapsed().as_secs_f64());
    for (thread, seconds) in thread_seconds(&second) {
        let spent = seconds - thread_seconds(&first)[thread];
        assert!((spent / passed - 1.0).abs() < 0.05, "{thread} accounts for {spent} s of {passed} s");
    }

    // A restore under load.
    instance.kill();
    instance.forget_state();
    let mut instance = Instance::start(&run, "a", &listen);
    instance.wait_ready();
    prometheus.wait_for("viewmill_restore_records_total > 0");
    ask(&mut instance, Duration::from_secs(4));
    // RocksDB's figures are read every 5 s.
    prometheus.wait_for("viewmill_store_keys > 0");
    producing.finish();

    let exposition = instance.try_get("/metrics").unwrap().body;
    assert_eq!(faults_by_promtool(&exposition), "");
    board_answers(&mut prometheus, began.elapsed().as_secs() as u32 + 2);
    every_metric_is_on_the_board_or_left_out(&exposition);
    the_documentation_names_every_metric(&exposition, &prometheus.names());
}

/// Each panel of the board has a finite point, and each metric that it names was scraped.
fn board_answers(prometheus: &mut Prometheus, seconds: u32) {
    let (mut silent, names) = (Vec::new(), prometheus.names());
    for Panel { title, expressions, .. } in panels() {
        for expression in expressions {
            // Ten scrapes; Grafana never takes less than four.
            let expanded = expression.replace("$__rate_interval", "10s").replace("$application", "viewmill").replace("$instance", ".*");
            match prometheus.finite_points(&expanded, seconds) {
                Ok(0) => silent.push(format!("{title}: {expanded}: no finite point")),
                Ok(_) => {}
                Err(error) => silent.push(format!("{title}: {expanded}: {error}")),
            }
            let unknown = names_in(&expression).into_iter().filter(|name| !names.contains(name) && name != BRIEF);
            silent.extend(unknown.map(|name| format!("{title}: {name} does not exist")));
        }
    }
    assert!(silent.is_empty(), "panels that show nothing:\n  {}", silent.join("\n  "));
}

fn every_metric_is_on_the_board_or_left_out(exposition: &str) {
    let shown: BTreeSet<String> = panels().iter().flat_map(|panel| &panel.expressions).flat_map(|text| names_in(text)).collect();
    let left_out = documented().1;
    for name in metric_names(exposition).into_iter().filter(|name| name.starts_with("viewmill_")) {
        let on_board = ["", "_bucket", "_sum", "_count"].iter().any(|suffix| shown.contains(&format!("{name}{suffix}")));
        assert!(on_board != left_out.contains(name), "{name} must be on the board, or in docs/metrics.md as left out on purpose, not both");
    }
}

/// Both ways: what this exposition has is documented, and what is documented was scraped at some time.
fn the_documentation_names_every_metric(exposition: &str, scraped: &BTreeSet<String>) {
    let (documented, _) = documented();
    let missing: Vec<_> = metric_names(exposition).into_iter().filter(|name| !documented.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/metrics.md does not name {missing:?}");
    let was_scraped = |name: &&String| scraped.contains(*name) || scraped.contains(&format!("{name}_count"));
    let absent: Vec<_> = documented.iter().filter(|name| !was_scraped(name) && *name != BRIEF).collect();
    assert!(absent.is_empty(), "docs/metrics.md names {absent:?}, which are not there");
}

/// The metrics that docs/metrics.md describes, and those of its table of what is left out of the board.
fn documented() -> (BTreeSet<String>, BTreeSet<String>) {
    let text = read("docs/metrics.md");
    let (described, _) = text.split_once("## From Kafka Streams").unwrap();
    let (_, left_out) = described.split_once("## Not on the board").unwrap();
    let in_first_column = |text: &str| -> BTreeSet<String> {
        text.lines().filter(|line| line.starts_with("| `viewmill_")).flat_map(|line| names_in(line.split('|').nth(1).unwrap())).collect()
    };
    let process = described.split_once("## The process").unwrap().1;
    let process = names_in(process.split_once("##").unwrap().0);
    (in_first_column(described).into_iter().chain(process).collect(), in_first_column(left_out))
}

struct Panel {
    title: String,
    json: Value,
    expressions: Vec<String>,
}

fn panels() -> Vec<Panel> {
    let board: Value = serde_json::from_str(&read("dashboards/overview.json")).unwrap();
    let panels = board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let panel = |panel: &Value| Panel {
        title: panel["title"].as_str().unwrap_or_default().to_string(),
        expressions: panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap().to_string()).collect(),
        json: panel.clone(),
    };
    panels.map(panel).collect()
}

/// The names of our metrics in a text.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("viewmill_") || word.starts_with("process_")).map(String::from).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_panel_says_what_is_normal_and_has_a_unit() {
    let panels = panels();
    assert!(panels.len() > 20);
    for Panel { title, json, expressions } in &panels {
        assert!(!title.is_empty(), "a panel without a title: {json}");
        let description = json["description"].as_str().unwrap_or_default();
        assert!(description.len() > 40 && (description.contains("Normal") || title == "Versions"), "{title}: {description:?}");
        assert!(json["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        assert!(!expressions.is_empty(), "{title} shows nothing");
        for expression in expressions {
            assert!(expression.contains("$application"), "{title}: {expression}");
            for window in expression.split('[').skip(1) {
                assert!(window.starts_with("$__rate_interval]"), "{title}: {expression}");
            }
        }
        for target in json["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
    let titles: BTreeSet<&str> = panels.iter().map(|panel| panel.title.as_str()).collect();
    assert_eq!(titles.len(), panels.len(), "titles are there once");
}
