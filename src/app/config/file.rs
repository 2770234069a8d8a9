//! Reads `config.toml` into single values, each with its line.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::OwnSection;
use super::fault::{ConfigFault, Origin};
use super::keys::is_section;

/// A value as some source gave it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// The parts of the key; a part may hold dots.
    pub path: Vec<String>,
    pub text: String,
    pub origin: Origin,
}

/// A configuration of this size is another file.
const LARGEST_FILE_BYTES: u64 = 1_048_576;

/// All values of a file. `None` when it does not exist.
pub(super) fn read(path: &Path, own: Option<&OwnSection>, faults: &mut Vec<ConfigFault>) -> Option<Vec<Given>> {
    let whole = Origin::File { path: path.to_path_buf(), line: 0 };
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST_FILE_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 > LARGEST_FILE_BYTES => {
            faults.push(ConfigFault { place: whole, what: "is larger than 1 MiB".to_string() });
        }
        Ok(_) => return Some(parse(path, &text, own, faults)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => faults.push(ConfigFault { place: whole, what: format!("cannot be read: {error}") }),
    }
    Some(Vec::new())
}

fn parse(path: &Path, text: &str, own: Option<&OwnSection>, faults: &mut Vec<ConfigFault>) -> Vec<Given> {
    let mut reader = FileReader { path, text, own, given: Vec::new(), faults };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // Its Display would quote the line, which may hold a secret.
        reader.fault(error.span().unwrap_or_default(), format!("is not TOML: {}", error.message()));
    }
    // What was recovered from broken TOML would only give misleading faults.
    if errors.is_empty() {
        reader.table(&mut Vec::new(), table.get_ref());
    }
    reader.given
}

struct FileReader<'a> {
    path: &'a Path,
    text: &'a str,
    own: Option<&'a OwnSection>,
    given: Vec<Given>,
    faults: &'a mut Vec<ConfigFault>,
}

impl FileReader<'_> {
    fn table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (name, value) in table {
            path.push(name.get_ref().to_string());
            self.value(path, name.span(), value);
            path.pop();
        }
    }

    fn value(&mut self, path: &mut Vec<String>, at: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let name = path.join(".");
        let is_section = |name: &str| is_section(name) || self.own.is_some_and(|own| own.name == name);
        let text = match value.get_ref() {
            DeValue::Table(table) if table.is_empty() && !is_section(&name) => return self.fault(at, format!("{name} is not a section")),
            DeValue::Table(table) => return self.table(path, table),
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => number.to_string(),
                Err(_) => return self.fault(at, format!("{name} is too large a number")),
            },
            DeValue::Boolean(on) => on.to_string(),
            DeValue::Float(number) => number.as_str().to_string(),
            DeValue::Datetime(_) | DeValue::Array(_) => {
                return self.fault(at, format!("{name} must be a text, a number, true or false"));
            }
        };
        let origin = self.origin(at);
        self.given.push(Given { path: path.clone(), text, origin });
    }

    fn origin(&self, at: Range<usize>) -> Origin {
        let before = self.text.as_bytes().iter().take(at.start);
        Origin::File { path: self.path.to_path_buf(), line: 1 + before.filter(|byte| **byte == b'\n').count() }
    }

    fn fault(&mut self, at: Range<usize>, what: String) {
        let place = self.origin(at);
        self.faults.push(ConfigFault { place, what });
    }
}
