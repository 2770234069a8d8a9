//! `config show`: what holds and where it came from.

use std::fmt::Write as _;

use super::keys::{DefaultValue, Key, SECTIONS};
use super::{Config, Setting};

pub(super) fn toml(config: &Config) -> String {
    let mut out = String::new();
    for (section, _) in SECTIONS {
        let blank = if out.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{blank}[{section}]");
        for setting in &config.settings {
            if let Some(name) = setting.name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) {
                let _ = writeln!(out, "{}", line(name, setting));
            }
        }
    }
    out
}

fn line(name: &str, setting: &Setting) -> String {
    let origin = &setting.origin;
    match Key::find(&setting.name) {
        Some(Key { default: DefaultValue::Unset(words), .. }) if setting.shown.is_empty() => {
            format!("# {name} is not set: {words}  # {origin}")
        }
        Some(key) => format!("{name} = {}  # {origin}", value(key, &setting.shown)),
        None => format!("{name} = {}  # {origin}", quoted(&setting.shown)),
    }
}

/// A value as TOML.
pub(super) fn value(key: &Key, text: &str) -> String {
    if key.quoted { quoted(text) } else { text.to_string() }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
