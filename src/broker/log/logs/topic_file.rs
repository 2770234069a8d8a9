//! What must be known of a topic besides its records.
//!
//! ```text
//! viewmill topic 1
//! id 0192…
//! name orders
//! partitions 3
//! config cleanup.policy=compact
//! crc 1a2b3c4d
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use uuid::Uuid;

use crate::broker::log::{LogError, LogSettings};

const FIRST_LINE: &str = "viewmill topic 1";

/// A topic's id, name, number of partitions, and overridden configs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFile {
    pub id: Uuid,
    pub name: String,
    pub partitions: i32,
    pub configs: BTreeMap<String, String>,
}

impl TopicFile {
    /// Replaces what is in a topic's directory: the old content or the new, whenever process or machine stop.
    pub fn write(&self, dir: &Path, settings: &LogSettings) -> Result<(), LogError> {
        let (path, new) = (dir.join("topic"), dir.join("topic.new"));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(self.encode().as_bytes())?;
            if settings.syncs() {
                file.sync_all()?;
            }
            fs::rename(&new, &path)?;
            settings.sync_dir(dir)
        };
        write().map_err(LogError::io("writing", &path))
    }

    /// Reads it from a topic's directory.
    pub fn read(dir: &Path) -> Result<TopicFile, LogError> {
        let path = dir.join("topic");
        let text = fs::read_to_string(&path).map_err(LogError::io("reading", &path))?;
        Self::decode(&text)
            .ok_or_else(|| LogError::Corrupt { path, what: "it is no description of a topic, or its checksum is wrong".to_owned() })
    }

    fn encode(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nid {}\nname {}\npartitions {}\n", self.id, self.name, self.partitions);
        for (name, value) in &self.configs {
            text.push_str(&format!("config {name}={value}\n"));
        }
        let crc = crc32c::crc32c(text.as_bytes());
        text + &format!("crc {crc:08x}\n")
    }

    fn decode(text: &str) -> Option<TopicFile> {
        let at = text.rfind("crc ")?;
        let (content, crc) = text.split_at(at);
        let crc = u32::from_str_radix(crc.strip_prefix("crc ")?.trim_end(), 16).ok()?;
        if crc32c::crc32c(content.as_bytes()) != crc {
            return None;
        }
        let mut lines = content.lines();
        let mut line = |name: &str| lines.next()?.strip_prefix(name);
        line(FIRST_LINE)?;
        let id = line("id ")?.parse().ok()?;
        let name = line("name ")?.to_owned();
        let partitions = line("partitions ")?.parse().ok()?;
        let config = |line: &str| line.strip_prefix("config ")?.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let configs = lines.map(config).collect::<Option<_>>()?;
        Some(TopicFile { id, name, partitions, configs })
    }
}
