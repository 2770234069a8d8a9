//! What is said, done, refused and left after a kill, with a Kafka of a few lines.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::ports::{PortError, PortErrorClass};
use crate::record::{Offset, TopicPartition};

#[derive(Default)]
struct Kafka {
    members: Vec<GroupMember>,
    group: bool,
    topics: Vec<(&'static str, String)>,
    places: Vec<(TopicPartition, Offset)>,
    places_are_lost: bool,
    /// So many calls that change something are answered.
    answers: usize,
}

impl Kafka {
    fn whole() -> Self {
        let topics = vec![("changelog", "app-counts-changelog".to_string()), ("task log", "app-tasks".to_string())];
        Kafka { group: true, topics, answers: usize::MAX, ..Kafka::default() }
    }

    fn answer(&mut self) -> Result<(), PortError> {
        self.answers = self.answers.checked_sub(1).ok_or_else(|| PortError::new(PortErrorClass::Retriable, "delete", "killed"))?;
        Ok(())
    }
}

impl KafkaSide for Kafka {
    fn members(&mut self) -> Result<Vec<GroupMember>, PortError> {
        Ok(self.members.clone())
    }

    fn found(&mut self) -> Result<FoundInKafka, PortError> {
        Ok(FoundInKafka {
            group: self.group,
            topics: self.topics.clone(),
            places: self.places.clone(),
            places_are_lost: self.places_are_lost,
        })
    }

    fn kept(&self) -> Vec<String> {
        vec!["words".to_string()]
    }

    fn forget_offsets(&mut self, places: &[(TopicPartition, Offset)]) -> Result<(), PortError> {
        self.answer()?;
        assert_eq!(places, self.places);
        self.group = false;
        Ok(())
    }

    fn delete_topic(&mut self, name: &str) -> Result<(), PortError> {
        self.answer()?;
        self.topics.retain(|(_, topic)| topic != name);
        Ok(())
    }
}

struct Place(PathBuf);

impl Place {
    /// With the state of two tasks, and what else an instance keeps.
    fn new() -> Self {
        let place = Place(std::env::temp_dir().join(format!("viewmill-reset-{}", uuid::Uuid::new_v4())));
        for task in ["words_0", "words_1"] {
            fs::create_dir_all(place.0.join("app").join(task).join("1")).unwrap();
            fs::write(place.0.join("app").join(task).join("1/rows"), "12345").unwrap();
        }
        fs::write(place.0.join("instance-id"), "i").unwrap();
        place
    }

    fn run(&self, kafka: Option<&mut Kafka>, only: &[&str], yes: bool) -> (String, anyhow::Result<()>) {
        let only: Vec<String> = only.iter().map(ToString::to_string).collect();
        let kafka = kafka.map(|kafka| kafka as &mut dyn KafkaSide);
        let mut reset = Reset { id: "app", state_dir: &self.0, local: LocalState::new(&self.0, "app"), kafka, only: &only };
        let mut out = Vec::new();
        let done = if yes { reset.execute(&mut out) } else { reset.tell(&mut out) };
        (String::from_utf8(out).unwrap(), done)
    }

    /// All files and directories.
    fn files(&self) -> Vec<String> {
        fn walk(at: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(at).into_iter().flatten().flatten() {
                found.push(entry.path().display().to_string());
                walk(&entry.path(), found);
            }
        }
        let mut found = Vec::new();
        walk(&self.0, &mut found);
        found.sort();
        found
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_says_exactly_what_it_would_do_and_changes_nothing() {
    let (place, mut kafka) = (Place::new(), Kafka::whole());
    let before = place.files();
    let (told, done) = place.run(Some(&mut kafka), &[], false);
    done.unwrap();
    let at = place.0.display();
    assert_eq!(
        told,
        format!(
            "would delete group app with its committed offsets\nwould delete changelog app-counts-changelog\nwould delete task log app-tasks\n\
             sources, output topics and dead letters stay: words\n\
             would remove the local state of task words_0 (5 bytes) in {at}\nwould remove the local state of task words_1 (5 bytes) in {at}\n\
             nothing was changed; with --yes it is done\n"
        )
    );
    assert_eq!((place.files(), kafka.group, kafka.topics.len()), (before, true, 2));
    // A directory that is not there is not made.
    let absent = Place(std::env::temp_dir().join(format!("viewmill-reset-{}", uuid::Uuid::new_v4())));
    assert_eq!(absent.run(None, &[], false).0, "there is nothing to reset\n");
    assert!(!absent.0.exists());
}

#[test]
fn it_does_what_it_said_and_a_second_time_nothing() {
    let (place, mut kafka) = (Place::new(), Kafka::whole());
    let (told, done) = place.run(Some(&mut kafka), &[], true);
    done.unwrap();
    for said in ["deleted group app", "deleted changelog app-counts-changelog", "deleted task log app-tasks", "task words_1 (5 bytes)"] {
        assert!(told.contains(said), "{told}");
    }
    assert_eq!((kafka.group, kafka.topics.len()), (false, 0));
    assert!(LocalState::new(&place.0, "app").tasks().unwrap().is_empty());
    assert!(place.0.join("instance-id").exists() && !place.0.join("removed").exists());
    let (told, done) = place.run(Some(&mut kafka), &[], true);
    done.unwrap();
    assert_eq!(told, "there was nothing to reset\n");
}

#[test]
fn killed_anywhere_the_same_command_does_the_rest() {
    for answers in 0..3 {
        let (place, mut kafka) = (Place::new(), Kafka { answers, ..Kafka::whole() });
        assert!(place.run(Some(&mut kafka), &[], true).1.is_err());
        assert_eq!(LocalState::new(&place.0, "app").tasks().unwrap().len(), 2, "what is local goes last");
        assert!(answers < 3 && kafka.topics.iter().any(|(purpose, _)| *purpose == "task log"), "the task log goes after the changelogs");
        // What a kill left half removed.
        fs::create_dir_all(place.0.join("removed/x")).unwrap();
        kafka.answers = usize::MAX;
        place.run(Some(&mut kafka), &[], true).1.unwrap();
        assert_eq!((kafka.group, kafka.topics.len()), (false, 0));
        assert!(!place.0.join("removed").exists());
    }
}

#[test]
fn one_task_is_meant_by_its_name_and_never_by_a_path() {
    let place = Place::new();
    let (told, done) = place.run(None, &["../app/words_0", "words_1"], true);
    done.unwrap();
    assert!(told.starts_with("task ../app/words_0 has no local state here; those that have: words_0, words_1\n"), "{told}");
    let left: Vec<String> = LocalState::new(&place.0, "app").tasks().unwrap().into_iter().map(|task| task.name).collect();
    assert_eq!(left, ["words_0"]);
    assert!(told.ends_with("restores the state from the changelogs\n"), "{told}");
}

#[test]
fn it_is_refused_while_somebody_uses_the_state() {
    let (place, mut kafka) = (Place::new(), Kafka::whole());
    kafka.members = vec![GroupMember { client_id: "app-b-1".into(), host: "/10.0.0.7".into() }];
    for yes in [false, true] {
        let refused = place.run(Some(&mut kafka), &[], yes).1.unwrap_err();
        let told = refused.downcast_ref::<InUse>().unwrap().to_string();
        assert!(told.starts_with("group app has 1 member: app-b-1 at /10.0.0.7; stop all instances first"), "{told}");
    }
    kafka.members.clear();
    let _held = DirectoryLock::take(&place.0, "process 7 (http 127.0.0.1:8080)").unwrap();
    for yes in [false, true] {
        let refused = place.run(Some(&mut kafka), &[], yes).1.unwrap_err();
        let told = refused.downcast_ref::<InUse>().unwrap().to_string();
        assert!(told.contains("is held by process 7 (http 127.0.0.1:8080)"), "{told}");
    }
    assert_eq!((kafka.group, kafka.topics.len(), LocalState::new(&place.0, "app").tasks().unwrap().len()), (true, 2, 2));
}

#[test]
fn the_place_in_commands_is_kept_and_told() {
    let (place, mut kafka) = (Place::new(), Kafka::whole());
    kafka.places = vec![(TopicPartition::new("commands", 0), Offset(7)), (TopicPartition::new("commands", 1), Offset(0))];
    let places = " the place in commands, which are not decided again: commands:0 at 7, commands:1 at 0\n";
    let (told, done) = place.run(Some(&mut kafka), &[], false);
    done.unwrap();
    assert!(
        told.starts_with(&format!("would delete the committed offsets of group app, but those of commands\nwould keep{places}")),
        "{told}"
    );
    let (told, done) = place.run(Some(&mut kafka), &[], true);
    done.unwrap();
    assert!(told.starts_with(&format!("deleted the committed offsets of group app, but those of commands\nkept{places}")), "{told}");
    let (told, done) = place.run(Some(&mut kafka), &[], true);
    done.unwrap();
    assert_eq!(told, format!("kept{places}there was nothing to reset\n"));
}

#[test]
fn it_is_refused_when_nobody_knows_which_commands_were_decided() {
    let (place, mut kafka) = (Place::new(), Kafka { places_are_lost: true, ..Kafka::whole() });
    for yes in [false, true] {
        let before = place.files();
        let refused = place.run(Some(&mut kafka), &[], yes).1.unwrap_err().to_string();
        assert!(
            refused.starts_with("group app has no committed offset in topics of commands any more") && refused.contains("--redo-commands")
        );
        assert_eq!((kafka.group, kafka.topics.len()), (true, 2));
        assert_eq!(place.files().len(), before.len() + usize::from(yes), "the lock file alone");
    }
}
