//! Reads `--set key=value` flags.

use super::fault::{ConfigFault, Origin};
use super::file::Given;

/// All values of the flags, in their order: the last one of a key holds.
pub(super) fn read(flags: &[String], faults: &mut Vec<ConfigFault>) -> Vec<Given> {
    let mut given = Vec::new();
    for (at, flag) in flags.iter().enumerate() {
        match split(flag) {
            Some((name, path, text)) => {
                let origin = Origin::Flag(format!("--set {name}"));
                given.push(Given { path, text: text.to_string(), origin });
            }
            // The flag itself is not shown: it may be a secret.
            None => faults.push(ConfigFault {
                place: Origin::Flag(format!("--set, number {}", at + 1)),
                what: "must be key=value, such as http.listen=127.0.0.1:0".to_string(),
            }),
        }
    }
    given
}

/// The key as written, its parts, and the value. Dots and `=` in double quotes belong to a part.
fn split(flag: &str) -> Option<(&str, Vec<String>, &str)> {
    let mut path = vec![String::new()];
    let mut quoted = false;
    for (at, character) in flag.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => path.push(String::new()),
            '=' if !quoted => {
                let name = &flag[..at];
                return path.iter().all(|part| !part.is_empty()).then(|| (name, path, &flag[at + 1..]));
            }
            _ => path.last_mut()?.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_dots_together() {
        let parts = |flag| split(flag).map(|(_, path, text)| (path.join("|"), text.to_string()));
        assert_eq!(parts("http.listen=a=b"), Some(("http|listen".into(), "a=b".into())));
        assert_eq!(parts("kafka.properties.\"a.b=c\"=d"), Some(("kafka|properties|a.b=c".into(), "d".into())));
        assert_eq!(parts("log.level="), Some(("log|level".into(), String::new())));
        for wrong in ["", "log.level", "=x", "log..level=x", ".=x", "\"a=b"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
