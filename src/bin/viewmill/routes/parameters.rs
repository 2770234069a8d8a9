//! The query parameters of a request, with all their faults at once.

use viewmill::http::{Problem, Query};
use viewmill::{Page, Scope};

use crate::views::OrderStatus;

/// How many rows a page has when nobody says.
const DEFAULT_LIMIT: usize = 50;

/// Reads parameters and collects what is wrong with them.
pub struct Parameters<'a> {
    query: &'a Query,
    faults: Option<Problem>,
}

impl<'a> Parameters<'a> {
    /// The parameters of a request that knows these.
    pub fn new(query: &'a Query, known: &[&str]) -> Self {
        Parameters { query, faults: query.only(known).err() }
    }

    /// `scope`: of which partitions the answer tells, `all` or `local`.
    pub fn scope(&mut self) -> Scope {
        match self.query.get("scope") {
            None | Some("all") => Scope::All,
            Some("local") => Scope::Local,
            Some(other) => {
                self.fault("scope", format!("{other:?} is neither all nor local"));
                Scope::All
            }
        }
    }

    /// `limit` and `cursor`.
    pub fn page(&mut self) -> Page {
        let limit = self.query.get("limit").map_or(Ok(DEFAULT_LIMIT), |text| match text.parse() {
            Ok(limit) if (1..=Page::MAX_LIMIT).contains(&limit) => Ok(limit),
            _ => Err(format!("{text:?} is no number from 1 to {}", Page::MAX_LIMIT)),
        });
        let limit = limit.unwrap_or_else(|fault| {
            self.fault("limit", fault);
            DEFAULT_LIMIT
        });
        Page::at(limit, self.query.get("cursor").map(str::to_owned))
    }

    /// `status`.
    pub fn status(&mut self) -> Option<OrderStatus> {
        let text = self.query.get("status")?;
        let status = OrderStatus::ALL.into_iter().find(|status| status.name() == text);
        if status.is_none() {
            let known = OrderStatus::ALL.map(OrderStatus::name).join(", ");
            self.fault("status", format!("{text:?} is none of {known}"));
        }
        status
    }

    /// # Errors
    /// 400 `validation-failed` that names all faults.
    pub fn check(self) -> Result<(), Problem> {
        self.faults.map_or(Ok(()), Err)
    }

    /// Tells that a parameter is wrong.
    pub fn fault(&mut self, parameter: &str, detail: String) {
        let faults = self.faults.take().unwrap_or_else(|| Problem::validation_failed("the query string has faults"));
        self.faults = Some(faults.with_error(format!("?{parameter}"), "invalid-value", detail));
    }
}
