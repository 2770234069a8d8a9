//! The headers of a command: who asks, which version they saw, how long they wait, and how a command that is sent again is known.
//!
//! ```text
//!  Idempotency-Key: k-1       the command is carried out once, however often it is sent
//!  If-Match: "7-1-0"          only when the order still has version 7
//!  Prefer: respond-async      answer as soon as the command is in the log; wait=N: wait so many seconds at most
//!  Request-Timeout: 5         after so many seconds it must not be carried out
//! ```

use std::time::Duration;

use uuid::Uuid;
use viewmill::command::{Actor, CommandData as _};
use viewmill::http::{ActorRule, Problem, header_fault, one_header, prefer_wait, prefers};
use warp::http::HeaderMap;

use crate::commands::OrderCommand;

/// How long a command may take when nobody says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that a client is kept waiting: less than a handler may take, with the time that Kafka may take for the command itself.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// What is in the headers.
#[derive(Debug)]
pub struct CommandRequest {
    /// Who asks.
    pub actor: Option<Actor>,
    /// The version that the order must have.
    pub expected_version: Option<u64>,
    /// So long the command may be carried out.
    pub timeout: Duration,
    /// The client does not want to wait.
    pub is_async: bool,
    key: Option<String>,
    wait: Option<Duration>,
}

impl CommandRequest {
    /// Reads headers.
    ///
    /// # Errors
    /// 401 without an actor where there must be one; 400 for a header that cannot be read.
    pub fn read(headers: &HeaderMap, actors: &ActorRule) -> Result<Self, Problem> {
        Ok(CommandRequest {
            actor: actors.actor(headers)?,
            key: one_header(headers, "Idempotency-Key")?.map(str::to_owned),
            expected_version: expected_version(headers)?,
            timeout: timeout(headers)?,
            is_async: prefers(headers, "respond-async"),
            wait: prefer_wait(headers),
        })
    }

    /// How long the client waits for the outcome.
    pub fn wait(&self) -> Duration {
        let unasked = if self.is_async { Duration::ZERO } else { LONGEST_WAIT };
        self.wait.unwrap_or(unasked).min(self.timeout).min(LONGEST_WAIT)
    }

    /// The key within the order: two actors may choose the same.
    pub fn idempotency_key(&self) -> Option<String> {
        self.key.as_ref().map(|key| format!("{}\n{key}", self.actor_id()))
    }

    /// The id that each sending of a command with a key has.
    pub fn command_id(&self, order_id: &str) -> Option<String> {
        let key = self.key.as_ref()?;
        Some(derived(&["command", self.actor_id(), key, order_id]))
    }

    /// The id of the order that a command with a key creates: sent again, it meets the same partition.
    pub fn new_order_id(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        Some(derived(&["order", self.actor_id(), key]))
    }

    fn actor_id(&self) -> &str {
        self.actor.as_ref().map_or("", |actor| &actor.id)
    }
}

/// Tells a command from another one under the same key.
pub fn digest(command: &OrderCommand) -> String {
    derived(&["digest", command.type_name(), command.to_json().get()])
}

/// The same for the same parts, everywhere and always. No part but the last has line ends.
fn derived(parts: &[&str]) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, parts.join("\n").as_bytes()).to_string()
}

/// `If-Match`: the entity tag of an order, of which the first part is the version, or `*`.
fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(text) = one_header(headers, "If-Match")?.filter(|text| *text != "*") else { return Ok(None) };
    let tag = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let version = tag.and_then(|tag| whole(tag.split(['-', '.']).next().unwrap_or_default()));
    version.map(Some).ok_or_else(|| header_fault("If-Match", "must be the ETag of an order, such as \"7-1-0\", its version as \"7\", or *"))
}

fn timeout(headers: &HeaderMap) -> Result<Duration, Problem> {
    let Some(text) = one_header(headers, "Request-Timeout")? else { return Ok(DEFAULT_TIMEOUT) };
    match whole(text) {
        Some(seconds @ 1..=60) => Ok(Duration::from_secs(seconds)),
        _ => Err(header_fault("Request-Timeout", "must be a whole number of seconds from 1 to 60")),
    }
}

/// Digits alone.
fn whole(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderName;

    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Result<CommandRequest, (u16, String)> {
        let mut headers = HeaderMap::new();
        lines.iter().for_each(|(name, value)| _ = headers.append(HeaderName::from_static(name), value.parse().unwrap()));
        let request = CommandRequest::read(&headers, &ActorRule::new("X-Actor", "X-Actor-Role", false));
        request.map_err(|problem| (problem.status(), problem.code().to_owned()))
    }

    #[test]
    fn a_version_is_the_first_part_of_an_entity_tag() {
        let version = |text: &str| read(&[("if-match", text)]).map(|request| request.expected_version);
        for (text, expected) in [("\"7\"", Some(7)), ("\"7-1-0\"", Some(7)), ("\"3.1-0-2.5\"", Some(3)), ("\"0\"", Some(0)), ("*", None)] {
            assert_eq!(version(text), Ok(expected), "{text}");
        }
        for odd in ["7", "W/\"7\"", "\"\"", "\"-1\"", "\"x\"", "\"+7\"", "\"7\",\"8\"", "\"99999999999999999999\""] {
            assert!(version(odd).is_err(), "{odd}");
        }
        assert!(read(&[("if-match", "\"7\""), ("if-match", "\"8\"")]).is_err());
    }

    #[test]
    fn a_wait_ends_with_the_commands_time_and_before_the_servers() {
        let wait = |lines: &[(&'static str, &str)]| read(lines).unwrap().wait().as_secs();
        assert_eq!(wait(&[]), 10);
        assert_eq!(wait(&[("request-timeout", "3")]), 3);
        assert_eq!(wait(&[("request-timeout", "60")]), 15);
        assert_eq!(wait(&[("prefer", "respond-async")]), 0);
        assert_eq!(wait(&[("prefer", "respond-async, wait=2")]), 2);
        assert_eq!(wait(&[("prefer", "wait=2")]), 2);
        assert_eq!(wait(&[("prefer", "wait=600")]), 10);
        for odd in ["0", "61", "1.5", "-1", "+1", "soon", ""] {
            assert_eq!(read(&[("request-timeout", odd)]).unwrap_err(), (400, "validation-failed".to_owned()), "{odd}");
        }
    }

    #[test]
    fn ids_that_follow_from_a_key_stay_what_they_are() {
        // A client may send again after an upgrade.
        let request = read(&[("idempotency-key", "k-1"), ("x-actor", "kim")]).unwrap();
        assert_eq!(request.idempotency_key().unwrap(), "kim\nk-1");
        assert_eq!(request.new_order_id().unwrap(), "f49539a4-f92c-529d-ab5a-d8a3933d5316");
        assert_eq!(request.command_id("o-1").unwrap(), "1c012da3-4caa-5f63-bfac-6596eed6f8b5");
        assert_ne!(request.command_id("o-2"), request.command_id("o-1"));
        let of_nobody = read(&[("idempotency-key", "k-1")]).unwrap();
        assert_ne!(of_nobody.new_order_id(), request.new_order_id());
        assert_eq!(of_nobody.idempotency_key().unwrap(), "\nk-1");
        let without = read(&[]).unwrap();
        assert_eq!((without.idempotency_key(), without.command_id("o-1"), without.new_order_id()), (None, None, None));
        for odd in ["", "two words", &"k".repeat(201)] {
            assert!(read(&[("idempotency-key", odd)]).is_err(), "{odd}");
        }
    }
}
