//! `viewmill run`, `broker` and `demo` with nothing configured: the embedded broker.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[path = "../conformance/listening.rs"]
mod listening;

use self::listening::wait_until_it_listens;
use crate::cli::viewmill;
use crate::support::{Instance, LOOK_INTERVAL, PATIENCE, Run, eventually_served, send_signal};

/// Nothing of Kafka is configured; the port is a free one.
const EMBEDDED: [(&str, &str); 2] = [("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", ""), ("VIEWMILL__BROKER__LISTEN", "127.0.0.1:0")];

/// How long a drained instance and its broker may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Starts the instance that has the broker, and points the run at it.
pub fn start(run: &mut Run, name: &str, listen: &str) -> Instance {
    let address = run.dir.join(name).join("viewmill-data/broker/broker.addr");
    let _ = fs::remove_file(&address);
    let instance = Instance::start(run, name, &[EMBEDDED[0], ("VIEWMILL__BROKER__LISTEN", listen)]);
    // Why one has ended stands in its log.
    let listening = wait_until_it_listens(&address, PATIENCE, || true);
    run.bootstrap = listening.unwrap_or_else(|why| panic!("{why}: {}", instance.log()));
    instance
}

#[test]
fn nothing_configured_simply_works_keeps_its_data_and_is_joined_by_a_second_process() {
    let mut run = Run::new("embedded");
    let mut first = start(&mut run, "a", "127.0.0.1:0");
    first.wait_ready();
    run.begin_producing(1_000, 21, None).finish();
    eventually_served(&run.fold(), &mut [&mut first], PATIENCE);

    let broker = run.bootstrap.clone();
    first.kill();
    let mut first = start(&mut run, "a", &broker);
    assert_eq!(run.bootstrap, broker, "others find it where it was");
    eventually_served(&run.fold(), &mut [&mut first], PATIENCE);

    // One that names the broker joins, and takes a share.
    let mut second = Instance::start(&run, "b", &[]);
    second.wait_ready();
    let deadline = Instant::now() + PATIENCE;
    while second.metric("viewmill_tasks", &["state=\"active\""]) < 1.0 {
        assert!(Instant::now() < deadline, "the second process gets no task");
        thread::sleep(LOOK_INTERVAL);
    }
    run.begin_producing(500, 22, None).finish();
    eventually_served(&run.fold(), &mut [&mut first, &mut second], PATIENCE);
    assert!(second.terminate(STOP_LIMIT).success());
    assert!(first.terminate(STOP_LIMIT).success(), "the broker stops after the instance that needs it");
}

#[test]
fn a_broker_that_another_process_has_is_not_started_twice_and_the_way_to_it_is_told() {
    let mut run = Run::new("embedded-twice");
    let first = start(&mut run, "a", "127.0.0.1:0");
    let data_dir = run.dir.join("a/viewmill-data/broker");
    let settings =
        [EMBEDDED[0], EMBEDDED[1], ("VIEWMILL__BROKER__DATA_DIR", data_dir.to_str().unwrap()), ("VIEWMILL__HTTP__LISTEN", "127.0.0.1:0")];
    let ended = viewmill(&run, "run --instance b", &settings);
    ended.must_tell(1, &["the embedded broker cannot start", &format!("--set kafka.bootstrap_servers={}", run.bootstrap)]);
    drop(first);
}

#[test]
fn check_online_tells_that_run_would_start_the_broker() {
    let run = Run::new("embedded-check");
    let ended = viewmill(&run, "check --online", &[EMBEDDED[0], ("VIEWMILL__BROKER__LISTEN", "127.0.0.1:1")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("run starts the embedded broker on 127.0.0.1:1"), "{ended:?}");
    assert!(!run.dir.join("viewmill-data").exists(), "it makes nothing");
}

#[test]
fn the_demo_serves_orders_and_leaves_nothing_behind() {
    let run = Run::new("demo");
    let temporary = run.dir.join("tmp");
    fs::create_dir(&temporary).unwrap();
    let settings = [EMBEDDED[0], ("TMPDIR", temporary.to_str().unwrap())];
    let ended = viewmill(&run, "demo --once --port 0", &settings);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for told in ["curl 'http://127.0.0.1:", "\"orderId\"", "\"byStatus\"", "demo: checked"] {
        assert!(ended.out.contains(told), "{told:?} is not told: {ended:?}");
    }
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "its data is removed");

    // With --keep the next one goes on, and SIGTERM is a clean end.
    let keep = run.dir.join("kept");
    let arguments = format!("demo --port 0 --rate 500 --keep {}", keep.display());
    for _ in 0..2 {
        let mut demo = demo(&run, &arguments);
        let events = keep.join("demo-events");
        let before = written(&events);
        let deadline = Instant::now() + PATIENCE;
        while written(&events) <= before {
            assert!(demo.try_wait().unwrap().is_none() && Instant::now() < deadline, "it writes no events");
            thread::sleep(LOOK_INTERVAL);
        }
        assert!(send_signal(demo.id(), "TERM"));
        let ended = demo.wait().unwrap();
        assert!(ended.success(), "{ended}");
    }
}

fn demo(run: &Run, arguments: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viewmill"));
    command
        .args(arguments.split(' '))
        .current_dir(&run.dir)
        .envs(EMBEDDED)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn written(events: &std::path::Path) -> u64 {
    fs::read_to_string(events).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
