//! What a client is told when a read has no answer.

use super::Problem;
use crate::query::QueryError;

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let detail = error.to_string();
        match error {
            QueryError::Restoring { .. } | QueryError::NotJoined => Problem::restoring(detail),
            QueryError::NotHere { .. } => Problem::owner_unreachable(detail),
            QueryError::Overloaded => Problem::overloaded(detail),
            QueryError::Key(_) => Problem::validation_failed(detail),
            QueryError::Store(cause) => {
                tracing::error!(%cause, "a store could not be read");
                Problem::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_status_and_code() {
        let task = serde_json::json!({"subtopology": "orders", "partition": 3});
        let task = || serde_json::from_value(task.clone()).unwrap();
        for (error, status, code) in [
            (QueryError::Restoring { task: task() }, 503, "restoring"),
            (QueryError::NotHere { task: task() }, 503, "owner-unreachable"),
            (QueryError::NotJoined, 503, "restoring"),
            (QueryError::Overloaded, 429, "overloaded"),
            (QueryError::Key("too long".into()), 400, "validation-failed"),
        ] {
            let detail = error.to_string();
            let problem = Problem::from(error);
            assert_eq!((problem.status(), problem.code(), problem.detail()), (status, code, detail.as_str()));
        }
    }
}
