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
