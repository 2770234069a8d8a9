//! `reset`: the way out where a start is refused. It says what it would do; only with `--yes` it does it.
//!
//! ```text
//!  --local         this instance's databases ──────────────► restored from the changelogs at the next start
//!  --application   offsets, changelogs, repartition topics,
//!                  members, task log, then --local ────────► begins anew at the sources' beginning, and goes on with commands
//! ```
//!
//! Sources, output topics and dead letters are never touched, and of topics of commands the group keeps its place: what was decided stands in the
//! log, and is not decided again. With `--redo-commands` it is. A kill at any moment leaves what a start either goes on from or refuses by
//! name, and the same command again does the rest: the offsets go first, because Kafka itself refuses that while somebody is in the group; the task
//! log after the changelogs, so that state without its changelog is told; what is local last.

mod in_kafka;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::Path;

use self::in_kafka::{FoundInKafka, InKafka, KafkaSide};
use super::cli::ResetArgs;
use super::config::Config;
use crate::kafka::GroupMember;
use crate::state::{DirectoryLock, LocalState, LocalTask, StoreError};
use crate::topology::Topology;

/// Somebody uses what would be reset.
#[derive(Debug, thiserror::Error)]
pub(super) enum InUse {
    /// A process on this directory.
    #[error("{0}; nothing was changed")]
    Directory(StoreError),
    /// Instances anywhere.
    #[error(
        "group {group} has {} member{}: {}; stop all instances first (one that was killed is a member until its session time-out of 10 s is \
         over); nothing was changed",
        members.len(), if members.len() == 1 { "" } else { "s" }, list(members)
    )]
    Group {
        /// The group.
        group: String,
        /// Who is in it.
        members: Vec<GroupMember>,
    },
}

/// Nobody knows which commands were decided.
#[derive(Debug, thiserror::Error)]
#[error(
    "group {0} has no committed offset in topics of commands any more, so it is not known which commands were decided; nothing was changed. \
     With --redo-commands all that these topics hold is decided again: if it must not be, empty them first"
)]
struct PlacesAreLost(String);

fn list(members: &[GroupMember]) -> String {
    members.iter().map(|member| format!("{} at {}", member.client_id, member.host)).collect::<Vec<_>>().join(", ")
}

/// Says what would be done, or does it.
pub(super) fn reset(config: &Config, topology: &Topology, args: &ResetArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut kafka = match args.application {
        true => Some(InKafka::connect(config, topology, args.redo_commands)?),
        false => None,
    };
    let (state_dir, id) = (&config.application.state_dir, &config.application.id);
    let kafka = kafka.as_mut().map(|kafka| kafka as &mut dyn KafkaSide);
    let mut reset = Reset { id, state_dir, local: LocalState::new(state_dir, id), kafka, only: &args.task };
    match args.yes {
        true => reset.execute(out),
        false => reset.tell(out),
    }
}

struct Reset<'a> {
    id: &'a str,
    state_dir: &'a Path,
    local: LocalState,
    kafka: Option<&'a mut dyn KafkaSide>,
    /// Only these tasks; empty: all.
    only: &'a [String],
}

impl Reset<'_> {
    fn tell(&mut self, out: &mut dyn Write) -> anyhow::Result<()> {
        DirectoryLock::look(self.state_dir).map_err(in_use)?;
        let tasks = self.tasks(out)?;
        let mut nothing = tasks.is_empty();
        if let Some(kafka) = &mut self.kafka {
            refuse_members(self.id, *kafka)?;
            let found = find(self.id, *kafka)?;
            nothing &= found.topics.is_empty() && !found.group;
            if found.group {
                writeln!(out, "would delete {}", offsets(self.id, &found))?;
            }
            tell_places("would keep", &found, out)?;
            for (purpose, topic) in &found.topics {
                writeln!(out, "would delete {purpose} {topic}")?;
            }
            writeln!(out, "sources, output topics and dead letters stay: {}", kafka.kept().join(", "))?;
        }
        for task in &tasks {
            writeln!(out, "would remove the local state of task {} ({} bytes) in {}", task.name, task.bytes, self.state_dir.display())?;
        }
        match nothing {
            true => writeln!(out, "there is nothing to reset")?,
            false => writeln!(out, "nothing was changed; with --yes it is done")?,
        }
        Ok(())
    }

    fn execute(&mut self, out: &mut dyn Write) -> anyhow::Result<()> {
        let holder = format!("process {} (viewmill reset)", std::process::id());
        let _lock = DirectoryLock::take(self.state_dir, &holder).map_err(in_use)?;
        self.local.sweep()?;
        let tasks = self.tasks(out)?;
        let mut nothing = tasks.is_empty();
        if let Some(kafka) = &mut self.kafka {
            refuse_members(self.id, *kafka)?;
            let found = find(self.id, *kafka)?;
            if found.group {
                // Kafka refuses it if somebody has joined since.
                kafka.forget_offsets(&found.places)?;
                writeln!(out, "deleted {}", offsets(self.id, &found))?;
                nothing = false;
            }
            tell_places("kept", &found, out)?;
            for (purpose, topic) in &found.topics {
                kafka.delete_topic(topic)?;
                writeln!(out, "deleted {purpose} {topic}")?;
                nothing = false;
            }
        }
        for task in &tasks {
            self.local.remove(task)?;
            writeln!(out, "removed the local state of task {} ({} bytes) in {}", task.name, task.bytes, self.state_dir.display())?;
        }
        let next = match (nothing, &self.kafka) {
            (true, _) => "there was nothing to reset",
            (false, None) => "the next `viewmill run` restores the state from the changelogs",
            (false, Some(_)) => {
                "the next `viewmill run` begins at the sources' beginning; run `viewmill reset --local --yes` wherever else an instance \
                 has kept state"
            }
        };
        writeln!(out, "{next}")?;
        Ok(())
    }

    /// The tasks that are meant, as they lie on disk: a name that was given is only compared, never a path.
    fn tasks(&self, out: &mut dyn Write) -> anyhow::Result<Vec<LocalTask>> {
        let found = self.local.tasks()?;
        for name in self.only.iter().filter(|name| found.iter().all(|task| task.name != **name)) {
            let known: Vec<&str> = found.iter().map(|task| task.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
            writeln!(out, "task {name} has no local state here; those that have: {known}")?;
        }
        Ok(found.into_iter().filter(|task| self.only.is_empty() || self.only.contains(&task.name)).collect())
    }
}

fn find(id: &str, kafka: &mut dyn KafkaSide) -> anyhow::Result<FoundInKafka> {
    let found = kafka.found()?;
    if found.places_are_lost { Err(PlacesAreLost(id.to_string()).into()) } else { Ok(found) }
}

/// What of the group goes.
fn offsets(id: &str, found: &FoundInKafka) -> String {
    match found.places.is_empty() {
        true => format!("group {id} with its committed offsets"),
        false => format!("the committed offsets of group {id}, but those of commands"),
    }
}

fn tell_places(done: &str, found: &FoundInKafka, out: &mut dyn Write) -> std::io::Result<()> {
    let places: Vec<String> = found.places.iter().map(|(at, place)| format!("{at} at {place}")).collect();
    match places.is_empty() {
        true => Ok(()),
        false => writeln!(out, "{done} the place in commands, which are not decided again: {}", places.join(", ")),
    }
}

fn refuse_members(id: &str, kafka: &mut dyn KafkaSide) -> anyhow::Result<()> {
    let members = kafka.members()?;
    match members.is_empty() {
        true => Ok(()),
        false => Err(InUse::Group { group: id.to_string(), members }.into()),
    }
}

fn in_use(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Locked { .. } => InUse::Directory(error).into(),
        error => error.into(),
    }
}
