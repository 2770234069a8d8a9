//! Who acts: a gateway in front has found out, and says it in headers.

use std::sync::Arc;

use serde_json::json;
use warp::http::HeaderMap;

use super::{Operation, Parameter, Problem, one_header};
use crate::command::Actor;

/// The role that may act on what belongs to others.
const OPERATOR: &str = "operator";

/// By which headers an actor is known, and whether there must be one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ActorRule {
    header: Arc<str>,
    role_header: Arc<str>,
    required: bool,
}

impl ActorRule {
    /// `header` names the actor, `role_header` their roles, with commas between.
    pub fn new(header: &str, role_header: &str, required: bool) -> Self {
        ActorRule { header: header.into(), role_header: role_header.into(), required }
    }

    /// Whether nobody is answered who is not known.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Who sends a request.
    ///
    /// # Errors
    /// 401 `actor-required` where there must be one and is none; 400 for a header that names nobody, or several.
    pub fn actor(&self, headers: &HeaderMap) -> Result<Option<Actor>, Problem> {
        let Some(id) = one_header(headers, &self.header)? else {
            return match self.required {
                true => Err(Problem::new(401, "actor-required", format!("the header {} must say who acts", self.header))),
                false => Ok(None),
            };
        };
        let lines = headers.get_all(&*self.role_header).iter().filter_map(|value| value.to_str().ok());
        let operator = lines.flat_map(|line| line.split(',')).any(|role| role.trim() == OPERATOR);
        Ok(Some(Actor { id: id.to_owned(), operator }))
    }

    /// The description of a route that asks who acts.
    pub fn described(&self, operation: Operation) -> Operation {
        let value = json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"});
        let actor = Parameter::header(&*self.header, "Who acts, as a gateway in front has found out.", value);
        let actor = if self.required { actor.required() } else { actor };
        let role = "Roles of who acts, with commas between. `operator` may act on what belongs to others.";
        let operation = operation.parameter(actor).parameter(Parameter::header(&*self.role_header, role, json!({"type": "string"})));
        if self.required { operation.problem(401, &["actor-required"]) } else { operation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        lines.iter().for_each(|(name, value)| _ = headers.append(*name, value.parse().unwrap()));
        headers
    }

    #[test]
    fn an_actor_is_who_the_header_says() {
        let rule = ActorRule::new("X-User", "X-Roles", false);
        let actor = |lines: &[(&'static str, &str)]| rule.actor(&headers(lines)).map(|actor| actor.map(|actor| (actor.id, actor.operator)));
        assert_eq!(actor(&[("x-actor", "kim")]).unwrap(), None);
        assert_eq!(actor(&[("x-user", "kim")]).unwrap(), Some(("kim".to_owned(), false)));
        assert_eq!(actor(&[("x-user", "kim"), ("x-roles", "support, operator")]).unwrap(), Some(("kim".to_owned(), true)));
        assert_eq!(actor(&[("x-user", "kim"), ("x-roles", "operators")]).unwrap(), Some(("kim".to_owned(), false)));
        // Two names: a gateway that adds its own to one that the client sent.
        for odd in [&[("x-user", "kim"), ("x-user", "lee")][..], &[("x-user", "kim lee")], &[("x-user", "")]] {
            let problem = actor(odd).unwrap_err();
            assert_eq!((problem.status(), problem.code()), (400, "validation-failed"), "{odd:?}");
        }
    }

    #[test]
    fn where_an_actor_is_required_nobody_is_refused() {
        let problem = ActorRule::new("X-Actor", "X-Actor-Role", true).actor(&headers(&[("x-actor-role", "operator")])).unwrap_err();
        assert_eq!((problem.status(), problem.code()), (401, "actor-required"));
    }
}
