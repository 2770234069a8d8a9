//! What a client is told when a read has no answer.

use super::Problem;
use crate::query::QueryError;

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let detail = error.to_string();
        let faulty = |parameter: &str| {
            Problem::validation_failed("the query string has faults").with_error(parameter, "invalid-value", detail.clone())
        };
        match error {
            QueryError::Restoring { .. } | QueryError::NotJoined => Problem::restoring(detail),
            QueryError::NotHere { .. } => Problem::owner_unreachable(detail),
            QueryError::Partial { missing } => {
                let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                Problem::new(503, "partial", detail).retry_after(1).with("missing", missing)
            }
            QueryError::Overloaded => Problem::overloaded(detail),
            QueryError::Key(_) | QueryError::NoOwner { .. } => Problem::validation_failed(detail),
            QueryError::Cursor(_) => faulty("?cursor"),
            QueryError::Limit { .. } => faulty("?limit"),
            QueryError::NoIndex { .. } => faulty("?index"),
            QueryError::NoStore { .. } => Problem::not_found("store-not-found", detail),
            QueryError::Store(_) | QueryError::TooManyRows { .. } | QueryError::BrokenOff(_) => {
                tracing::error!(cause = detail, "a store could not be read");
                Problem::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StoreError;

    #[test]
    fn each_reason_has_its_status_and_code() {
        let task = serde_json::json!({"subtopology": "orders", "partition": 3});
        let task = || serde_json::from_value(task.clone()).unwrap();
        for (error, status, code) in [
            (QueryError::Restoring { task: task() }, 503, "restoring"),
            (QueryError::NotHere { task: task() }, 503, "owner-unreachable"),
            (QueryError::Partial { missing: vec![task()] }, 503, "partial"),
            (QueryError::NotJoined, 503, "restoring"),
            (QueryError::Overloaded, 429, "overloaded"),
            (QueryError::Key("too long".into()), 400, "validation-failed"),
            (QueryError::NoStore { store: "a".into(), known: "b".into() }, 404, "store-not-found"),
        ] {
            let detail = error.to_string();
            let problem = Problem::from(error);
            assert_eq!((problem.status(), problem.code(), problem.detail()), (status, code, detail.as_str()));
        }
    }

    #[test]
    fn what_is_wrong_with_a_parameter_stands_beside_it() {
        for (error, pointer) in [
            (QueryError::Cursor("is odd"), "?cursor"),
            (QueryError::Limit { limit: 0, max: 500 }, "?limit"),
            (QueryError::NoIndex { store: "a".into(), index: "b".into(), known: "c".into() }, "?index"),
        ] {
            let detail = error.to_string();
            let document: serde_json::Value = serde_json::from_str(&Problem::from(error).document(None)).unwrap();
            assert_eq!((&document["status"], &document["code"]), (&400.into(), &"validation-failed".into()));
            assert_eq!((&document["errors"][0]["pointer"], &document["errors"][0]["detail"]), (&pointer.into(), &detail.into()));
        }
    }

    #[test]
    fn causes_of_ours_stay_in_the_log() {
        let failed = StoreError::Database { path: "/secret".into(), operation: "get", detail: "io".into() };
        for error in [failed.into(), QueryError::TooManyRows { store: "a".into(), limit: 1 }, QueryError::BrokenOff("panic".into())] {
            let problem = Problem::from(error);
            assert_eq!((problem.status(), problem.code()), (500, "internal-error"));
            assert!(problem.detail().contains("log"), "{}", problem.detail());
        }
    }
}
