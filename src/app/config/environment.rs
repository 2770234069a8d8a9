//! Reads `VIEWMILL__SECTION__KEY` variables.

use std::ffi::OsString;

use super::fault::{ConfigFault, Origin};
use super::file::Given;

const PREFIX: &str = "VIEWMILL__";

/// All values in the environment, by name of the variable. An empty variable counts as not set, because that is how it comes out
/// of templates.
pub(super) fn read(variables: &[(OsString, OsString)], faults: &mut Vec<ConfigFault>) -> Vec<Given> {
    let mut given = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let origin = Origin::Variable(name.to_string());
        match value.to_str() {
            Some("") => {}
            Some(text) => given.push(Given { path: path(&name[PREFIX.len()..]), text: text.to_string(), origin }),
            None => faults.push(ConfigFault { place: origin, what: "is not UTF-8".to_string() }),
        }
    }
    given.sort_by_cached_key(|given| given.origin.to_string());
    given
}

/// Variables are written in capitals, keys are not. Names of properties have dots, which variables cannot have, so `_` stands for
/// them. The name of a topic is taken as it is.
fn path(rest: &str) -> Vec<String> {
    let parts: Vec<&str> = rest.split("__").collect();
    let lower: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
    match lower.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["kafka", "properties", ..] => {
            let property = lower[2..].iter().map(|part| part.replace('_', "."));
            lower[..2].iter().cloned().chain(property).collect()
        }
        ["processing", "sources", .., last] if parts.len() > 3 => {
            let topic = parts[2..parts.len() - 1].join("__");
            vec![lower[0].clone(), lower[1].clone(), topic, last.to_string()]
        }
        _ => lower,
    }
}

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_name_keys_properties_and_topics() {
        for (rest, parts) in [
            ("APPLICATION__STATE_DIR", vec!["application", "state_dir"]),
            ("KAFKA__PROPERTIES__SASL_USERNAME", vec!["kafka", "properties", "sasl.username"]),
            ("PROCESSING__SOURCES__Order-Events.v1__POISON_POLICY", vec!["processing", "sources", "Order-Events.v1", "poison_policy"]),
            ("PROCESSING__SOURCES__a__b__POISON_POLICY", vec!["processing", "sources", "a__b", "poison_policy"]),
        ] {
            assert_eq!(path(rest), parts, "{rest}");
        }
        assert_eq!(variable("application.state_dir"), "VIEWMILL__APPLICATION__STATE_DIR");
    }
}
