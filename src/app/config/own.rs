//! The section of the application that stands on the engine: keys of its own, from the same sources and in the same file.

use std::collections::BTreeMap;

/// A section of the application.
#[derive(Debug)]
pub struct OwnSection {
    /// Its name, which none of the engine's sections has.
    pub name: &'static str,
    /// Its heading in the default file.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [OwnKey],
}

/// A key of the application.
#[derive(Debug)]
pub struct OwnKey {
    /// `section.key`.
    pub name: &'static str,
    /// One line.
    pub doc: &'static str,
    /// What holds when nothing is set; the check accepts it.
    pub default: &'static str,
    /// Whether TOML writes the value in quotes.
    pub quoted: bool,
    /// Accepts a value, or says what it must be: the rest of a sentence that begins with the key's name.
    pub check: fn(&str) -> Result<(), String>,
}

/// What holds of the application's keys: for each a text that its check accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnSettings(pub(super) BTreeMap<&'static str, String>);

impl OwnSettings {
    /// Those of a section of which nothing is set.
    pub fn defaults_of(section: Option<&OwnSection>) -> Self {
        let keys = section.into_iter().flat_map(|section| section.keys);
        OwnSettings(keys.map(|key| (key.name, key.default.to_string())).collect())
    }

    /// The text of a key; nothing where the section has none of this name.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl OwnSection {
    pub(super) fn find(&self, name: &str) -> Option<&'static OwnKey> {
        self.keys.iter().find(|key| key.name == name)
    }
}
