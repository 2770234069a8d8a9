//! What a client is told when a read has no answer.

use serde_json::json;

use super::Problem;
use super::consistency::no_token;
use crate::query::{MissingTask, QueryError, TaskOwner};

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let detail = error.to_string();
        let faulty = |parameter: &str| {
            Problem::validation_failed("the query string has faults").with_error(parameter, "invalid-value", detail.clone())
        };
        match error {
            QueryError::Restoring { .. } | QueryError::RestoringElsewhere { .. } | QueryError::NotJoined => Problem::restoring(detail),
            QueryError::NotHere { .. } => Problem::owner_unreachable(detail),
            QueryError::Elsewhere { task, instance, url } => {
                let owner = json!({"instance": &*instance.0, "url": &*url});
                Problem::elsewhere("owner-elsewhere", detail, url).with("task", task.to_string()).with("owner", owner)
            }
            QueryError::Partial { missing } => partial(detail, &missing),
            QueryError::Overloaded => Problem::overloaded(detail),
            QueryError::Key(_) | QueryError::NoOwner { .. } => Problem::validation_failed(detail),
            QueryError::Cursor(_) => faulty("?cursor"),
            QueryError::Limit { .. } => faulty("?limit"),
            QueryError::NoIndex { .. } => faulty("?index"),
            QueryError::Token(_) => no_token(detail),
            QueryError::NotCaughtUp { partition, at, wanted } => {
                let problem = Problem::new(503, "view-not-caught-up", detail).retry_after(1);
                problem.with("partition", partition.to_string()).with("position", at.0).with("wanted", wanted.0)
            }
            QueryError::PeerBehind { .. } => Problem::new(503, "view-not-caught-up", detail).retry_after(1),
            QueryError::PeerFailed { .. } => Problem::owner_unreachable(detail),
            QueryError::LogUnavailable(_) => Problem::new(503, "log-unavailable", detail).retry_after(1),
            QueryError::RecordsTooLarge { .. } => Problem::new(422, "records-too-large", detail),
            QueryError::NoTask { .. } => Problem::not_found("task-not-found", detail),
            QueryError::NoStore { .. } => Problem::not_found("store-not-found", detail),
            QueryError::Store(_) | QueryError::TooManyRows { .. } | QueryError::BrokenOff(_) => {
                tracing::error!(cause = detail, "a store could not be read");
                Problem::internal()
            }
        }
    }
}

/// 503; with `Retry-After` only when what is missing may come by itself.
fn partial(detail: String, missing: &[MissingTask]) -> Problem {
    let row = |missing: &MissingTask| {
        let owner = missing.owner.member().map(|(instance, url)| json!({"instance": &*instance.0, "url": url}));
        json!({
            "task": missing.task.to_string(),
            "subtopology": &*missing.task.subtopology,
            "partition": missing.task.partition,
            "state": missing.owner.state(),
            "owner": owner,
        })
    };
    let problem = Problem::new(503, "partial", detail).with("missing", missing.iter().map(row).collect::<Vec<_>>());
    match missing.iter().all(|missing| matches!(missing.owner, TaskOwner::Active { .. })) {
        true => problem,
        false => problem.retry_after(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{InstanceId, Owners};
    use crate::record::{Offset, TopicPartition};
    use crate::state::StoreError;
    use crate::topology::TaskId;

    #[test]
    fn a_partial_read_names_what_is_missing_and_who_has_it() {
        let tasks = [0, 1].map(|partition| TaskId { subtopology: "orders".into(), partition });
        let owners = Owners::new(|task| match task.partition {
            0 => TaskOwner::Active { instance: InstanceId("b".into()), url: "http://b:1".into() },
            _ => TaskOwner::Unknown,
        });
        let document = |tasks: &[TaskId]| {
            let problem = Problem::from(owners.partial(tasks.to_vec()));
            let retries = problem.clone().answer(None).headers().contains_key("retry-after");
            (serde_json::from_str::<serde_json::Value>(&problem.document(None)).unwrap(), retries)
        };
        let (both, retries) = document(&tasks);
        let expected = json!([
            {"task": "orders_0", "subtopology": "orders", "partition": 0, "state": "active", "owner": {"instance": "b", "url": "http://b:1"}},
            {"task": "orders_1", "subtopology": "orders", "partition": 1, "state": "unknown", "owner": null},
        ]);
        assert_eq!((&both["missing"], &both["code"], retries), (&expected, &json!("partial"), true));
        assert!(!document(&tasks[..1]).1, "to wait brings nothing when another instance has it");
    }

    #[test]
    fn each_reason_has_its_status_and_code() {
        let task = serde_json::json!({"subtopology": "orders", "partition": 3});
        let task = || serde_json::from_value(task.clone()).unwrap();
        let b = || InstanceId("b".into());
        let not_caught_up = QueryError::NotCaughtUp { partition: TopicPartition::new("t", 1), at: Offset(2), wanted: Offset(3) };
        for (error, status, code) in [
            (QueryError::Restoring { task: task() }, 503, "restoring"),
            (QueryError::NotHere { task: task() }, 503, "owner-unreachable"),
            (QueryError::RestoringElsewhere { task: task(), instance: b() }, 503, "restoring"),
            (QueryError::Elsewhere { task: task(), instance: b(), url: "http://b:1".into() }, 307, "owner-elsewhere"),
            (QueryError::Partial { missing: Vec::new() }, 503, "partial"),
            (not_caught_up, 503, "view-not-caught-up"),
            (QueryError::PeerBehind { task: task() }, 503, "view-not-caught-up"),
            (QueryError::PeerFailed { task: task(), detail: "refused".into() }, 503, "owner-unreachable"),
            (QueryError::LogUnavailable("time".into()), 503, "log-unavailable"),
            (QueryError::RecordsTooLarge { max_bytes: 9 }, 422, "records-too-large"),
            (QueryError::NoTask { task: "x_0".into() }, 404, "task-not-found"),
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
            (QueryError::Token("is odd".into()), "Consistency-Token"),
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
