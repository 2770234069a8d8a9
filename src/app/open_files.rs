//! How many files and connections the process may have open: as many as the system lets it.
//!
//! A shell or a service manager often starts programs with 1,024, for the sake of old ones that cannot have more; the hard limit is far higher.
//! Connections alone may be twice as many, and RocksDB's files, the broker's and Kafka's connections come beside them.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that is refused it stays, and what cannot be opened says so.
pub(super) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_allowed_may_be_opened() {
        raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
