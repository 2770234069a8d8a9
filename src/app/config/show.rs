//! `config show`: what holds and where it came from.

use std::fmt::Write as _;

use super::keys::{DefaultValue, Key, SECTIONS};
use super::{Config, OwnSection, Setting};

pub(super) fn toml(config: &Config) -> String {
    let mut out = String::new();
    let own = config.own_section;
    for section in SECTIONS.iter().map(|(section, _)| *section).chain(own.map(|own| own.name)) {
        let blank = if out.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{blank}[{section}]");
        for setting in &config.settings {
            if let Some(name) = setting.name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) {
                let _ = writeln!(out, "{}", line(name, setting, own));
            }
        }
    }
    out
}

fn line(name: &str, setting: &Setting, own: Option<&OwnSection>) -> String {
    let origin = &setting.origin;
    match Key::find(&setting.name) {
        Some(Key { default: DefaultValue::Unset(words), .. }) if setting.shown.is_empty() => {
            format!("# {name} is not set: {words}  # {origin}")
        }
        key => {
            let own = own.and_then(|own| own.find(&setting.name));
            let quoted = key.map(|key| key.quoted).or(own.map(|key| key.quoted)).unwrap_or(true);
            format!("{name} = {}  # {origin}", value(quoted, &setting.shown))
        }
    }
}

/// A value as TOML.
pub(super) fn value(quoted: bool, text: &str) -> String {
    if quoted { toml::Value::from(text).to_string() } else { text.to_string() }
}
