//! What a writer hands its reader: how far a view must be to show what was written.
//!
//! ```text
//!  base64url( version, 1 byte │ check, 4 bytes │ per topic: length, name, count, then partition and next offset of each )
//! ```
//! Numbers are LEB128, topics and partitions ascend. The check is a hash of the application's id and of all that follows, so a token of
//! another application is refused. Tokens are validated, not signed: who forges one waits for what he made up, for as long as the
//! instance lets him.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::codec::{push_number, take_number};
use crate::record::{Offset, Position, TopicPartition};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 1 + 4;

/// More partitions than a token of any application has.
const MAX_PARTITIONS: usize = 10_000;

/// Positions of source topics that a view must have reached before it answers. Its text is opaque to clients: [`fmt::Display`] writes
/// it, [`ConsistencyToken::parse`] reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyToken {
    application: Box<str>,
    position: Position,
}

/// Why a text is no token of this application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It never was one, or was changed, or another application gave it.
    #[error("is not one that this application gave")]
    Foreign,
    /// Another version of this program gave it.
    #[error("was given by another version of this program; read without it, or write again")]
    Version,
}

impl ConsistencyToken {
    /// A token of an application, by its id: readers wait for these offsets, each the one after the last record that they must see.
    /// Negative offsets and partitions are left out.
    pub fn new(application: &str, position: &Position) -> Self {
        let is_one = |(at, next): &(&TopicPartition, &Offset)| at.partition >= 0 && next.0 >= 0;
        let position = position.0.iter().filter(is_one).map(|(at, next)| (at.clone(), *next)).collect();
        ConsistencyToken { application: application.into(), position: Position(position) }
    }

    /// Reads a token of an application.
    ///
    /// # Errors
    /// [`TokenFault`], whatever the text is.
    pub fn parse(text: &str, application: &str) -> Result<Self, TokenFault> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenFault::Foreign)?;
        let ([version, check @ ..], body) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(TokenFault::Foreign)?;
        if *version != VERSION {
            return Err(TokenFault::Version);
        }
        if *check != check_of(application, body) {
            return Err(TokenFault::Foreign);
        }
        let position = read(body).ok_or(TokenFault::Foreign)?;
        Ok(ConsistencyToken { application: application.into(), position })
    }

    /// What readers wait for.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// From now on readers wait for the other one too.
    pub fn include(&mut self, other: &ConsistencyToken) {
        for (partition, next) in &other.position.0 {
            let own = self.position.0.entry(partition.clone()).or_insert(*next);
            *own = (*own).max(*next);
        }
    }
}

impl fmt::Display for ConsistencyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_topic: BTreeMap<&str, Vec<(i32, Offset)>> = BTreeMap::new();
        for (at, next) in &self.position.0 {
            by_topic.entry(&at.topic).or_default().push((at.partition, *next));
        }
        let mut bytes = vec![0; HEADER_BYTES];
        for (topic, partitions) in by_topic {
            push_number(&mut bytes, topic.len() as u64);
            bytes.extend_from_slice(topic.as_bytes());
            push_number(&mut bytes, partitions.len() as u64);
            for (partition, next) in partitions {
                // Neither is negative.
                push_number(&mut bytes, partition as u64);
                push_number(&mut bytes, next.0 as u64);
            }
        }
        let check = check_of(&self.application, &bytes[HEADER_BYTES..]);
        bytes[0] = VERSION;
        bytes[1..HEADER_BYTES].copy_from_slice(&check);
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// FNV-1a of the application's id, its length and the rest, folded: the same in every process and version.
fn check_of(application: &str, body: &[u8]) -> [u8; 4] {
    let parts: [&[u8]; 3] = [application.as_bytes(), &(application.len() as u64).to_be_bytes(), body];
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = parts.iter().flat_map(|part| part.iter()).fold(0xcbf2_9ce4_8422_2325, step);
    ((hash >> 32) as u32 ^ hash as u32).to_be_bytes()
}

fn read(mut bytes: &[u8]) -> Option<Position> {
    let (mut position, mut before) = (BTreeMap::new(), "");
    while !bytes.is_empty() {
        let length = usize::try_from(take_number(&mut bytes)?).ok()?;
        let (topic, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        let topic = std::str::from_utf8(topic).ok().filter(|topic| *topic > before)?;
        before = topic;
        let name: std::sync::Arc<str> = topic.into();
        let (count, mut last) = (take_number(&mut bytes)?, -1);
        if count == 0 {
            return None;
        }
        for _ in 0..count {
            let partition = i32::try_from(take_number(&mut bytes)?).ok().filter(|partition| *partition > last)?;
            last = partition;
            let next = i64::try_from(take_number(&mut bytes)?).ok()?;
            position.insert(TopicPartition { topic: name.clone(), partition }, Offset(next));
            if position.len() > MAX_PARTITIONS {
                return None;
            }
        }
    }
    Some(Position(position))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn positions() -> impl Strategy<Value = Position> {
        let partition = ("[a-z.]{1,12}", 0..i32::MAX, 0..i64::MAX)
            .prop_map(|(topic, partition, next)| (TopicPartition::new(topic, partition), Offset(next)));
        proptest::collection::vec(partition, 0..20).prop_map(|list| Position(list.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_token_says_what_it_was_made_of_to_its_own_application(position in positions(), id in "[a-z]{1,8}", other in "[a-z]{1,8}") {
            let token = ConsistencyToken::new(&id, &position);
            let text = token.to_string();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            let read = ConsistencyToken::parse(&text, &id).unwrap();
            prop_assert_eq!(read.position(), &position);
            prop_assert_eq!(&read, &token);
            prop_assert_eq!(ConsistencyToken::parse(&text, &other).is_ok(), id == other);
        }

        #[test]
        fn arbitrary_texts_are_refused(text: String, cut in 0usize..60, position in positions()) {
            prop_assert!(ConsistencyToken::parse(&text, "app").is_err());
            let token = ConsistencyToken::new("app", &position).to_string();
            let cut = cut.min(token.len() - 1);
            prop_assert!(ConsistencyToken::parse(&token[..cut], "app").is_err());
        }

        #[test]
        fn arbitrary_bytes_under_a_right_check_never_panic(body: Vec<u8>) {
            let mut bytes = vec![VERSION];
            bytes.extend(check_of("app", &body));
            bytes.extend(&body);
            let text = URL_SAFE_NO_PAD.encode(bytes);
            // What is read has one form only.
            if let Ok(token) = ConsistencyToken::parse(&text, "app") {
                prop_assert_eq!(token.to_string(), text);
            }
        }
    }

    #[test]
    fn tokens_have_this_text() {
        // Clients hold them while we are upgraded.
        let position = [("order-events", 3, 300), ("order-events", 1, 5), ("a", 0, 0)]
            .map(|(topic, partition, next)| (TopicPartition::new(topic, partition), Offset(next)));
        let token = ConsistencyToken::new("viewmill", &Position(position.into()));
        assert_eq!(token.to_string(), "ASkBH1EBYQEAAAxvcmRlci1ldmVudHMCAQUDrAI");
    }

    #[test]
    fn another_version_is_told_from_what_is_none() {
        let of_version = |version: u8| URL_SAFE_NO_PAD.encode([&[version][..], &check_of("app", &[])].concat());
        assert_eq!(ConsistencyToken::parse(&of_version(VERSION), "app").unwrap().position(), &Position::default());
        assert_eq!(ConsistencyToken::parse(&of_version(2), "app"), Err(TokenFault::Version));
        assert_eq!(ConsistencyToken::parse("", "app"), Err(TokenFault::Foreign));
    }

    #[test]
    fn a_token_includes_the_larger_of_both() {
        let token = |list: &[(i32, i64)]| {
            let position = list.iter().map(|(partition, next)| (TopicPartition::new("t", *partition), Offset(*next))).collect();
            ConsistencyToken::new("app", &Position(position))
        };
        let mut both = token(&[(0, 5), (1, 2)]);
        both.include(&token(&[(1, 7), (2, 1), (0, 4)]));
        assert_eq!(both, token(&[(0, 5), (1, 7), (2, 1)]));
    }
}
