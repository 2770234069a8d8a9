//! `config default`: the commented file, made from the table so that it cannot fall behind.

use std::fmt::Write as _;

use super::OwnSection;
use super::keys::{DefaultValue, KEYS, Key, SECTIONS};
use super::show::value;

const HEAD: &str = "\
# The configuration of Viewmill. Every key is here with its default, as a comment.
#
# Later ones win: this file, the environment (application.state_dir is VIEWMILL__APPLICATION__STATE_DIR), flags
# (--set application.state_dir=/data). An empty text means the default.
#
# `viewmill config show` tells what holds and where it came from; `viewmill check` tells all that is wrong.
";

const PROPERTIES: &str = r#"
# Any property of librdkafka but those that the guarantees rest on. As a variable: VIEWMILL__KAFKA__PROPERTIES__SASL_USERNAME.
# Values whose names speak of passwords, secrets or keys are never printed.
[kafka.properties]
# "security.protocol" = "SASL_SSL"
# "sasl.mechanism" = "SCRAM-SHA-512"
# "sasl.username" = "viewmill"
# "sasl.password" = ""
"#;

const SOURCES: &str = r#"
# The same for one source topic, without prefix.
# [processing.sources."order-events"]
# poison_policy = "stop"
"#;

pub(super) fn text(own: Option<&OwnSection>) -> String {
    let mut out = String::from(HEAD);
    for (section, doc) in SECTIONS {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n# {doc}\n[{section}]");
        for key in KEYS {
            if let Some(name) = key.name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) {
                let _ = writeln!(out, "# {}\n{}", key.doc, default_line(key, name));
            }
        }
        match section {
            "kafka" => out.push_str(PROPERTIES),
            "processing" => out.push_str(SOURCES),
            _ => {}
        }
    }
    if let Some(own) = own {
        let _ = writeln!(out, "\n# {}\n# [{}]", own.doc, own.name);
        for key in own.keys {
            let name = key.name.strip_prefix(own.name).and_then(|rest| rest.strip_prefix('.')).unwrap_or(key.name);
            let _ = writeln!(out, "# {}\n# {name} = {}", key.doc, value(key.quoted, key.default));
        }
    }
    out
}

fn default_line(key: &Key, name: &str) -> String {
    match &key.default {
        DefaultValue::Text(text) => format!("# {name} = {}", value(key.quoted, text)),
        // Empty means the default, so that the line can be uncommented as it is.
        DefaultValue::Computed(words, _) | DefaultValue::Unset(words) => format!("# {name} = \"\"  # not set: {words}"),
    }
}
