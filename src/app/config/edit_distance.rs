//! Finds the key that a mistyped one was meant to be.

/// The nearest of `known`, if it is near enough to be meant.
pub(super) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = (typed.chars().count() / 4).max(2);
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
    known
        .into_iter()
        // The right word in the wrong section is nearer than any typing error.
        .map(|name| (if last(name) == last(typed) { 1 } else { distance(typed, name) }, name))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many characters must be inserted, deleted, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(100).collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let moved = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    let is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    if is_swap { moved.min(rows[i - 2][j - 2] + 1) } else { moved }
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meant_key_is_found() {
        let known = ["http.listen", "log.level", "topics.partitions"];
        for (typed, meant) in [
            ("http.listne", Some("http.listen")),
            ("topics.partition", Some("topics.partitions")),
            ("http.level", Some("log.level")),
            ("nothing.like.it", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }

    #[test]
    fn neighbours_that_changed_places_count_once() {
        assert_eq!(distance("listne", "listen"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
