//! Headers with one short value.

use warp::http::HeaderMap;

use super::Problem;

/// The most characters of a value.
const MAX_CHARS: usize = 200;

/// The value of a header that may be given once, with 1 to 200 visible characters of ASCII; `None` without one.
///
/// # Errors
/// 400 `validation-failed` for any other value, and for a header that is given twice.
pub fn one_header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), second) = (values.next(), values.next()) else { return Ok(None) };
    if second.is_some() {
        return Err(header_fault(name, "is given more than once"));
    }
    let text = value.to_str().ok().filter(|text| (1..=MAX_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()));
    text.map(Some).ok_or_else(|| header_fault(name, "must have 1 to 200 visible characters"))
}

/// 400: the value of a header is at fault.
pub fn header_fault(name: &str, detail: impl Into<String>) -> Problem {
    Problem::validation_failed("a header has faults").with_error(name, "invalid-value", detail)
}

/// Whether the value of `If-None-Match`, a list of entity tags, weak ones too, or `*`, names this one.
pub fn names_tag(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::names_tag;

    #[test]
    fn a_known_tag_is_found_in_any_form() {
        for list in [r#""1-0-0""#, r#"W/"1-0-0""#, r#""x", "1-0-0""#, "*"] {
            assert!(names_tag(list, r#""1-0-0""#), "{list}");
        }
        assert!(!names_tag(r#""1-0-1", "2-0-0""#, r#""1-0-0""#));
    }
}
