//! Properties that are passed through to librdkafka, some of them secret.

use std::collections::BTreeMap;
use std::fmt;

/// What is printed in place of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// Names and values for librdkafka. Printing shows no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(pub BTreeMap<String, String>);

/// Whether the value of a property must not be shown.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "key", "jaas", "token", "oauthbearer.config"].iter().any(|word| name.contains(word))
}

/// A value as it may be shown.
pub(super) fn shown(name: &str, value: &str) -> String {
    if is_secret(name) { HIDDEN.to_string() } else { value.to_string() }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, shown(name, value)))).finish()
    }
}
