//! Percent-encoding in paths and query strings.

/// Decodes `%XX`. `None` when an escape is broken or what comes out is not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex(bytes.next()?)? * 16 + hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

/// The same for a part of a query string, where `+` is a space.
pub(super) fn decode_form(text: &str) -> Option<String> {
    decode(&text.replace('+', " "))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_whole_and_make_utf8() {
        assert_eq!(decode("a%2Fb%c3%A9+").as_deref(), Some("a/bé+"));
        assert_eq!(decode_form("a+b%2B").as_deref(), Some("a b+"));
        for wrong in ["%", "%2", "%zz", "%ff", "%c3", "%+1", "a%"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
