//! How single values are read; an error says what the value must be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use crate::runtime::step::PoisonPolicy;

/// The value, or what it must be: the rest of a sentence that begins with the key's name.
pub(super) type Parsed<T> = Result<T, String>;

pub(super) fn whole<T: FromStr + PartialOrd + std::fmt::Display>(text: &str, range: RangeInclusive<T>) -> Parsed<T> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn switch(text: &str) -> Parsed<bool> {
    text.parse().map_err(|_| "must be true or false".to_string())
}

pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Parsed<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("must be one of {}", words.join(", "))
    })
}

pub(super) fn poison_policy(text: &str) -> Parsed<PoisonPolicy> {
    one_of(text, &[("dead-letter", PoisonPolicy::DeadLetter), ("skip", PoisonPolicy::Skip), ("stop", PoisonPolicy::Stop)])
}

/// A part of topic names, transactional ids and directories.
pub(super) fn id(text: &str) -> Parsed<String> {
    match !text.is_empty() && is_name(text, 100) {
        true => Ok(text.to_string()),
        false => Err("must have 1 to 100 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and not begin with '.'".to_string()),
    }
}

/// What lies beside the application's directory in the state directory.
const TAKEN: [&str; 6] = ["removed", "lock", "instance-id", "instance-id.new", "http.addr", "probe"];

/// An id that is a directory's name too.
pub(super) fn application_id(text: &str) -> Parsed<String> {
    match TAKEN.contains(&text) {
        true => Err(format!("must be another name than {}, which are in use in the state directory", TAKEN.join(", "))),
        false => id(text),
    }
}

/// May be empty. With the longest id, store name and ending a topic name still fits Kafka's 249 characters.
pub(super) fn topic_prefix(text: &str) -> Parsed<String> {
    match is_name(text, 38) {
        true => Ok(text.to_string()),
        false => Err("must have at most 38 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and not begin with '.'".to_string()),
    }
}

fn is_name(text: &str, longest: usize) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    text.len() <= longest && !text.starts_with('.') && text.bytes().all(fits)
}

pub(super) fn directory(text: &str) -> Parsed<PathBuf> {
    match text.trim().is_empty() || text.contains('\0') {
        true => Err("must be a directory".to_string()),
        false => Ok(PathBuf::from(text)),
    }
}

pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    let localhost = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let address = match localhost {
        Some(port) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        None => text.parse().ok(),
    };
    address.ok_or_else(|| "must be an IP address and a port, such as 127.0.0.1:8080 or [::]:8080".to_string())
}

pub(super) fn servers(text: &str) -> Parsed<String> {
    let is_server = |server: &str| {
        let server = server.split_once("://").map_or(server, |(_, rest)| rest);
        server.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    match text.split(',').map(str::trim).all(is_server) {
        true => Ok(text.split(',').map(str::trim).collect::<Vec<_>>().join(",")),
        false => Err("must be host:port, or several of them with commas between".to_string()),
    }
}

pub(super) fn header_name(text: &str) -> Parsed<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    match (1..=100).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(text.to_string()),
        false => Err("must be the name of a header: 1 to 100 of the characters a-z, A-Z, 0-9, '-' and '_'".to_string()),
    }
}

pub(super) fn url(text: &str) -> Parsed<String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or_default();
    let fits = !host.is_empty() && !host.starts_with('/') && host.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#');
    match fits {
        true => Ok(text.trim_end_matches('/').to_string()),
        false => Err("must be a URL such as http://10.0.0.7:8080".to_string()),
    }
}

/// A word, or `word` and `target=word` with commas between. A word alone that is no level would silently mean a target.
pub(super) fn level(text: &str) -> Parsed<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let fits = |directive: &str| {
        let (target, level) = directive.split_once('=').unwrap_or(("_", directive));
        !target.is_empty() && target.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_')) && LEVELS.contains(&level)
    };
    match text.split(',').map(str::trim).all(fits) {
        true => Ok(text.split(',').map(str::trim).collect::<Vec<_>>().join(",")),
        false => Err(format!("must be one of {}, or such levels by module: info,viewmill::http=debug", LEVELS.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_the_loopback_address() {
        assert_eq!(address("localhost:80").unwrap(), "127.0.0.1:80".parse().unwrap());
        assert_eq!(address("[::1]:0").unwrap(), "[::1]:0".parse().unwrap());
        for wrong in ["8080", "localhost", "localhost:99999", ":8080", "example.org:80"] {
            address(wrong).unwrap_err();
        }
    }

    #[test]
    fn an_application_is_not_named_like_what_lies_in_the_state_directory() {
        assert_eq!(application_id("removed-orders").unwrap(), "removed-orders");
        for taken in TAKEN {
            assert!(application_id(taken).unwrap_err().contains("must be another name than removed, lock,"), "{taken}");
            id(taken).unwrap();
        }
        application_id("../a").unwrap_err();
    }

    #[test]
    fn servers_have_a_host_and_a_port() {
        assert_eq!(servers("a:1, b:2").unwrap(), "a:1,b:2");
        assert_eq!(servers("SASL_SSL://a:1,[::1]:9092").unwrap(), "SASL_SSL://a:1,[::1]:9092");
        for wrong in ["a", "a:", ":1", "a:1,", "a:0", "a b:1", "a:70000"] {
            servers(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_mistyped_level_is_not_taken_for_a_module() {
        assert_eq!(level("warn, viewmill::http=trace").unwrap(), "warn,viewmill::http=trace");
        for wrong in ["inof", "", "info,", "=info", "viewmill=loud", "INFO"] {
            level(wrong).unwrap_err();
        }
    }

    #[test]
    fn headers_have_plain_names() {
        assert_eq!(header_name("X-Actor").unwrap(), "X-Actor");
        for wrong in ["", "X Actor", "X-Actor:", "é"] {
            header_name(wrong).unwrap_err();
        }
    }

    #[test]
    fn urls_lose_the_slash_at_their_end() {
        assert_eq!(url("https://a.example/vm/").unwrap(), "https://a.example/vm");
        for wrong in ["a:80", "http://", "http:///x", "ftp://a", "http://a b", "http://a?x"] {
            url(wrong).unwrap_err();
        }
    }
}
