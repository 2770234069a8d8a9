//! Of which partitions a read over all partitions tells: `?scope=`.

use super::{Problem, Query};
use crate::query::Scope;

impl Query {
    /// The parameter `scope`: `all`, which is the default, or `local`.
    ///
    /// # Errors
    /// 400 `validation-failed` for another word.
    pub fn scope(&self) -> Result<Scope, Problem> {
        let fault = |detail| Problem::validation_failed("the query string has faults").with_error("?scope", "invalid-value", detail);
        self.try_scope().map_err(fault)
    }

    /// The same for who collects faults: what is wrong, in words.
    pub(super) fn try_scope(&self) -> Result<Scope, &'static str> {
        match self.get("scope") {
            None | Some("all") => Ok(Scope::All),
            Some("local") => Ok(Scope::Local),
            Some(_) => Err("must be one of all, local"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_the_default_and_other_words_are_refused() {
        let scope = |text: &str| Query::parse(text).unwrap().scope();
        assert_eq!(scope("").unwrap(), Scope::All);
        assert_eq!(scope("scope=all").unwrap(), Scope::All);
        assert_eq!(scope("scope=local").unwrap(), Scope::Local);
        for odd in ["scope=", "scope=here", "scope=Local"] {
            assert_eq!(scope(odd).unwrap_err().status(), 400, "{odd}");
        }
    }
}
