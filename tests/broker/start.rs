//! How an instance starts where Kafka or its disk is not what it was: refused by name with the way out, or rebuilt with right answers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use viewmill::kafka::{KafkaAdmin, KafkaSettings};
use viewmill::ports::{Admin, NewTopic};

use crate::cli::{Ended, eventually, viewmill};
use crate::support::{Answered, Instance, LOOK_INTERVAL, PATIENCE, Run, bootstrap, eventually_served};

const DRAIN: Duration = Duration::from_secs(30);

/// One thread, so that an instance that was killed comes back to all its tasks at once.
const ONE_THREAD: [(&str, &str); 1] = [("VIEWMILL__PROCESSING__STREAM_THREADS", "1")];

fn admin(run: &Run) -> KafkaAdmin {
    KafkaAdmin::new(&KafkaSettings::new(bootstrap(), &run.id, "test")).unwrap()
}

fn start(run: &Run) -> Instance {
    Instance::start(run, "a", &ONE_THREAD)
}

/// A run whose instance has served some orders, and was stopped.
fn served_and_stopped(name: &str, orders: usize) -> Run {
    let run = Run::new(name);
    run.begin_producing(orders, 7, None).finish();
    let mut instance = start(&run);
    instance.wait_ready();
    eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
    assert!(instance.terminate(DRAIN).success());
    run
}

/// Deletes a topic and makes it again.
fn make_again(run: &Run, topic: &str, partitions: i32, policy: &str) {
    let mut admin = admin(run);
    assert_eq!(admin.delete_topics(&[topic]).unwrap(), [topic]);
    let settings = vec![("cleanup.policy".to_owned(), policy.to_owned())];
    admin.create_topic(&NewTopic { name: topic.to_owned(), partitions, replication_factor: Some(1), settings }).unwrap();
}

/// The instance is alive, not ready, and tells these texts.
fn is_refused(instance: &mut Instance, texts: &[&str]) {
    let told = eventually(instance, |body| body.contains("error"));
    for text in texts {
        assert!(told.contains(text), "{text:?} is not told: {told}");
    }
    assert_eq!(instance.try_get("/livez").unwrap().status, 200);
}

/// Resets by the command, waiting for members of instances that were killed to be gone.
pub fn reset(run: &Run, arguments: &str) -> Ended {
    let state_dir = run.dir.join("a/state");
    let settings = [("VIEWMILL__APPLICATION__STATE_DIR", state_dir.to_str().unwrap())];
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ended = viewmill(run, &format!("reset {arguments}"), &settings);
        if ended.code != Some(4) || Instant::now() >= deadline {
            return ended;
        }
        thread::sleep(LOOK_INTERVAL * 10);
    }
}

fn log(run: &Run) -> String {
    fs::read_to_string(run.dir.join("a/log")).unwrap()
}

#[test]
fn a_source_that_was_made_again_is_refused_until_the_application_is_reset() {
    let run = served_and_stopped("again", 300);
    let topic = format!("{}payment-events", run.topic_prefix);
    make_again(&run, &topic, 4, "delete");
    let told = format!("topic {topic} was deleted and made again");
    let mut instance = start(&run);
    is_refused(&mut instance, &[&told, "viewmill reset --application"]);
    instance.kill();
    // Also where the disk is lost: it stands beside the markers in Kafka.
    instance.forget_state();
    let mut instance = start(&run);
    is_refused(&mut instance, &[&told]);
    instance.terminate(DRAIN);
    let done = reset(&run, "--application --yes");
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut instance = start(&run);
    instance.wait_ready();
    eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
}

#[test]
fn a_source_that_is_made_again_under_a_running_instance_ends_it_by_name() {
    let run = Run::new("under");
    run.begin_producing(300, 7, None).finish();
    let mut instance = start(&run);
    instance.wait_ready();
    let topic = format!("{}payment-events", run.topic_prefix);
    let began = Instant::now();
    make_again(&run, &topic, 4, "delete");
    is_refused(&mut instance, &[&topic]);
    println!("told after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn offsets_that_were_deleted_are_made_up_for_by_the_markers() {
    let run = served_and_stopped("offsets", 300);
    let deadline = Instant::now() + PATIENCE;
    // Kafka refuses it as long as the static member is remembered.
    while admin(&run).delete_group(&run.id).is_err() {
        assert!(Instant::now() < deadline, "the group does not empty");
        thread::sleep(LOOK_INTERVAL * 10);
    }
    run.begin_producing(400, 8, None).finish();
    let mut instance = start(&run);
    instance.wait_ready();
    eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
    // Those of the outcomes begin anew: there was no command.
    assert_eq!(instance.metric("viewmill_task_starts_total", &["decision=\"as_is\""]), 4.0);
}

#[test]
fn a_task_log_that_was_deleted_is_never_read_as_zero() {
    let run = served_and_stopped("log", 300);
    admin(&run).delete_topics(&[&format!("{}{}-tasks", run.topic_prefix, run.id)]).unwrap();
    let mut instance = start(&run);
    is_refused(&mut instance, &["the task log knows nothing of it", "viewmill reset --application"]);
}

#[test]
fn a_changelog_that_lost_its_records_is_refused() {
    let run = served_and_stopped("torn", 300);
    let changelog = format!("{}{}-orders-changelog", run.topic_prefix, run.id);
    let truncated = run.delete_records(&changelog);
    assert!(truncated > 0, "there were records");
    // What is here is whole, and can be used.
    let mut instance = start(&run);
    instance.wait_ready();
    assert!(instance.terminate(DRAIN).success());
    instance.forget_state();
    let mut instance = start(&run);
    is_refused(&mut instance, &[&format!("changelog {changelog}:"), "records before it were deleted", "viewmill reset --application"]);
    instance.terminate(DRAIN);

    make_again(&run, &changelog, 4, "compact");
    let mut instance = start(&run);
    is_refused(&mut instance, &[&format!("topic {changelog} was deleted and made again")]);
}

#[test]
fn a_task_log_that_lost_its_markers_is_refused() {
    let run = served_and_stopped("truncated", 300);
    run.delete_records(&format!("{}{}-tasks", run.topic_prefix, run.id));
    let mut instance = start(&run);
    // The meaning of the tokens went with the markers.
    is_refused(&mut instance, &["task log"]);
}

#[test]
fn partitions_that_were_added_to_a_source_are_refused() {
    let run = served_and_stopped("grown", 200);
    for topic in ["order-commands", "order-events", "payment-events", "shipping-events"] {
        admin(&run).grow_topic(&format!("{}{topic}", run.topic_prefix), 5).unwrap();
    }
    let mut instance = start(&run);
    is_refused(&mut instance, &["has 4 partitions, its sources have 5", "viewmill reset --application"]);
    instance.kill();
    // Also where somebody grew the changelogs with them.
    for topic in ["orders", "order-stats"] {
        let _ = admin(&run).grow_topic(&format!("{}{}-{topic}-changelog", run.topic_prefix, run.id), 5);
    }
    let mut instance = start(&run);
    is_refused(&mut instance, &["partitions"]);
}

/// The directories of the tasks.
fn tasks(run: &Run) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(run.dir.join("a/state").join(&run.id)).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
}

/// The largest file of a task's database.
fn database_file(run: &Run, fits: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let generation = |task: PathBuf| task.join(fs::read_to_string(task.join("current")).unwrap().trim());
    let files = tasks(run).map(generation).flat_map(|generation| fs::read_dir(generation).unwrap().map(|file| file.unwrap().path()));
    let fitting = files.filter(|path| fits(path.file_name().unwrap().to_str().unwrap()));
    fitting.max_by_key(|path| path.metadata().unwrap().len())
}

fn cut(path: &Path) {
    File::options().write(true).open(path).unwrap().set_len(0).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_database_is_rebuilt_with_right_answers() {
    let run = served_and_stopped("damage", 2_000);
    let expected = run.fold();
    type Harm = fn(&Run);
    let harms: [(&str, Harm); 5] = [
        ("a flipped byte in an SST", |run| flip(&database_file(run, |name| name.ends_with(".sst")).unwrap())),
        ("a deleted SST", |run| fs::remove_file(database_file(run, |name| name.ends_with(".sst")).unwrap()).unwrap()),
        ("a truncated MANIFEST", |run| cut(&database_file(run, |name| name.starts_with("MANIFEST")).unwrap())),
        ("a truncated CURRENT", |run| cut(&database_file(run, |name| name == "CURRENT").unwrap())),
        ("a deleted CURRENT", |run| fs::remove_file(database_file(run, |name| name == "CURRENT").unwrap()).unwrap()),
    ];
    for (name, harm) in harms {
        harm(&run);
        let mut instance = start(&run);
        instance.wait_ready();
        let rebuilt_by = Instant::now() + PATIENCE;
        // One that is found by reading alone is read here; nothing that is answered may be wrong, which the next line compares.
        while instance.metric("viewmill_store_rebuilds_total", &["reason=\"damaged\""]) < 1.0 {
            assert!(Instant::now() < rebuilt_by, "{name}: not found");
            for order in &expected.orders {
                if let Answered::Wrong(found) = order.answered(&mut [&mut instance]) {
                    // A read that meets the damage itself fails; none answers what is not so.
                    assert!(found.contains("served 500"), "{name}: {found}");
                }
            }
        }
        instance.wait_ready();
        eventually_served(&expected, &mut [&mut instance], PATIENCE);
        assert!(instance.terminate(DRAIN).success(), "{name}");
        assert!(log(&run).contains("damaged"), "{name}: the log says what was found");
        let aside = tasks(&run).flat_map(|task| fs::read_dir(task).unwrap());
        let aside = aside.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("aside-")).count();
        assert!((1..=4).contains(&aside), "{name}: {aside} are kept");
    }
}

#[test]
fn a_second_process_on_a_state_directory_is_refused_with_the_holders_name() {
    let run = Run::new("two");
    let mut instance = start(&run);
    instance.wait_ready();
    let state_dir = run.dir.join("a/state");
    let settings = [("VIEWMILL__APPLICATION__STATE_DIR", state_dir.to_str().unwrap()), ("VIEWMILL__HTTP__LISTEN", "127.0.0.1:0")];
    let second = viewmill(&run, "run", &settings);
    assert_ne!(second.code, Some(0));
    let port = instance.url().rsplit(':').next().unwrap().to_owned();
    for arguments in ["run", "reset --local", "reset --local --yes", "reset --application --yes"] {
        let refused = viewmill(&run, arguments, &settings);
        let told = format!("{}{}", refused.out, refused.err);
        assert!(told.contains("is held by process ") || told.contains("member"), "{arguments}: {told}");
        if arguments != "reset --application --yes" {
            assert!(told.contains(&format!(":{port})")), "{arguments}: {told}");
        }
        assert_eq!(refused.code, Some(if arguments == "run" { 1 } else { 4 }), "{arguments}: {told}");
    }
    assert_eq!(instance.try_get("/readyz").unwrap().status, 200);
}

#[test]
fn a_reset_says_what_it_would_do_does_it_once_and_touches_nothing_of_others() {
    let run = served_and_stopped("reset", 300);
    let expected = run.fold();
    let internal: Vec<String> =
        ["tasks", "members", "orders-changelog"].iter().map(|topic| format!("{}{}-{topic}", run.topic_prefix, run.id)).collect();
    let internal: Vec<&str> = internal.iter().map(String::as_str).collect();
    let there = |names: &[&str]| admin(&run).topics(names).unwrap().iter().filter(|topic| topic.is_some()).count();

    let told = reset(&run, "--application");
    assert_eq!(told.code, Some(0), "{told:?}");
    for name in &internal {
        assert!(told.out.contains(name), "{name}: {}", told.out);
    }
    assert!(told.out.contains(&format!("would delete the committed offsets of group {}, but those of commands", run.id)), "{}", told.out);
    assert!(told.out.contains("would remove the local state of task ") && told.out.ends_with("with --yes it is done\n"), "{}", told.out);
    assert_eq!(there(&internal), 3, "nothing was changed");

    // Only what is local: everything comes back from the changelogs.
    let done = reset(&run, "--local --yes");
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut instance = start(&run);
    instance.wait_ready();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);
    // Those of the outcomes begin anew: there was no command.
    assert_eq!(instance.metric("viewmill_task_starts_total", &["decision=\"restore\""]), 4.0);
    assert!(instance.terminate(DRAIN).success());

    let done = reset(&run, "--application --yes");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(there(&internal), 0);
    let sources: Vec<String> = ["order-events", "payment-events", "shipping-events", "order-events-dlq"]
        .map(|topic| format!("{}{topic}", run.topic_prefix))
        .into();
    assert_eq!(there(&sources.iter().map(String::as_str).collect::<Vec<_>>()), 4, "what others write and read stays");
    let again = reset(&run, "--application --yes");
    assert!(again.code == Some(0) && again.out.ends_with("\nthere was nothing to reset\n"), "{again:?}");

    let mut instance = start(&run);
    instance.wait_ready();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);
    assert_eq!(instance.metric("viewmill_task_starts_total", &["decision=\"first_start\""]), 8.0);
}
