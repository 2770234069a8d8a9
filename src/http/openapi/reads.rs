//! What all routes have in common that read views.

use serde_json::json;

use super::{AnswerHeader, Operation, Parameter};
use crate::http::Consistency;

impl Operation {
    /// It reads with [`consistency`](crate::http::consistency()) and answers 200 with [`with_freshness`](crate::http::with_freshness).
    pub fn reads_views(self) -> Self {
        let stale = "Answer all the same, marked `View-Stale`, when the view does not get there in time.";
        let stale = Parameter::query(Consistency::PARAMETER, stale, json!({"type": "string", "const": "allow"}));
        self.waits().parameter(stale).fresh(200)
    }

    /// It takes `scope`.
    pub fn scoped(self) -> Self {
        let about = "`local`: only of the partitions that this instance has. `all` is refused while others have some.";
        self.parameter(Parameter::query("scope", about, json!({"type": "string", "enum": ["all", "local"], "default": "all"})))
            .problem(503, &["partial"])
    }

    /// Answers of this status tell how fresh they are.
    pub fn fresh(self, status: u16) -> Self {
        let position = AnswerHeader::new("View-Position", "Up to which offsets the view has read: `topic:partition=next,…`.").always();
        let lag = AnswerHeader::new("View-Lag-Seconds", "How far the view is behind its topics; left out when that is not known.");
        let from = AnswerHeader::new("Served-From", "From what.").of(json!({"type": "string", "enum": ["active", "standby"]}));
        let stale = AnswerHeader::new("View-Stale", "The view has not come as far as the token says.")
            .of(json!({"type": "string", "const": "true"}));
        self.header(status, position)
            .header(status, lag.of(json!({"type": "number", "minimum": 0})))
            .header(status, AnswerHeader::new("Served-By", "The instance that answered.").always())
            .header(status, from.always())
            .header(status, stale)
    }

    /// It reads what one task has, and answers with a redirect where another instance runs that task.
    pub fn redirects(self) -> Self {
        let location = AnswerHeader::new("Location", "The same path at the instance that has the answer.")
            .of(json!({"type": "string", "format": "uri"}));
        self.problem(307, &["owner-elsewhere"]).header(307, location.always())
    }

    /// It takes consistency tokens, and may not be able to read.
    pub(in crate::http) fn waits(self) -> Self {
        let tokens = "What a write answered, or several with commas between: the answer shows at least that.";
        let wait = "`wait=2`: waits for the token at most two seconds.";
        self.parameter(Parameter::header("Consistency-Token", tokens, json!({"type": "string"})))
            .parameter(Parameter::header("Prefer", wait, json!({"type": "string"})))
            .problem(503, &["restoring", "owner-unreachable", "view-not-caught-up"])
    }
}
