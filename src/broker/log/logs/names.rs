//! Which topic names Kafka takes.

const MAX_BYTES: usize = 249;

/// What is wrong with a name, in Kafka's words.
pub fn check(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let wrong = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." => "'.' is not allowed".to_owned(),
        ".." => "'..' is not allowed".to_owned(),
        long if long.len() > MAX_BYTES => format!("the length of '{long}' is longer than the max allowed length {MAX_BYTES}"),
        name if !name.bytes().all(legal) => {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {wrong}"))
}

/// Metrics write `.` as `_`; so two names may differ by more than that.
pub fn collide(one: &str, other: &str) -> bool {
    one != other && one.replace('.', "_") == other.replace('.', "_")
}
