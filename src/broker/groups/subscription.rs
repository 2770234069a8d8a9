//! What consumers tell their leader, as far as it concerns the coordinator: the topics they subscribe to.

/// The topics in a consumer's metadata: a version, then the names. All versions begin like this. None if it is something else.
pub(super) fn topics(metadata: &[u8]) -> Option<Vec<String>> {
    let mut rest = metadata.get(2..)?;
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at_checked(length)?;
        rest = left;
        Some(taken)
    };
    let count = i32::from_be_bytes(take(4)?.try_into().ok()?);
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = i16::from_be_bytes(take(2)?.try_into().ok()?);
        topics.push(String::from_utf8(take(usize::try_from(length).ok()?)?.to_vec()).ok()?);
    }
    Some(topics)
}
