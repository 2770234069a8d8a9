//! `GET /api/orders/{id}/history`: the events of an order, or with `?asOf=` the order as it was.

use serde::Serialize;
use serde_json::value::RawValue;
use viewmill::http::{ActorRule, Consistency, Problem, Query, Routes, consistency, param, query, with_freshness};
use viewmill::query::{cursor_after, entry_before};
use viewmill::{Answer, KeyCodec as _, Page, Scope, Store, Views};
use warp::Filter as _;
use warp::http::HeaderMap;

use super::order::{answer_with, visible};
use super::parameters::Parameters;
use super::{reply, spec};
use crate::events::format_time;
use crate::history::{AsOf, Entry, History, NotAsOf, wanted};
use crate::order_id::OrderId;
use crate::views::Order;

/// The route.
pub fn routes(orders: Store<OrderId, Order>, views: Views, actors: ActorRule) -> Routes {
    let (headers, operation) = (warp::header::headers_cloned(), spec::history(&actors));
    let history = param("id").and(query()).and(consistency()).and(headers).and_then(
        move |id: String, query: Query, consistency: Consistency, headers: HeaderMap| {
            let (views, actors) = (views.clone(), actors.clone());
            async move {
                let asked = Asked::of(&query)?;
                let read = consistency.read(&views, Scope::All)?;
                let id = OrderId::from(id);
                let answer = visible(&views, orders, &id, &read, &actors, &headers).await?;
                let history = read_history(&views, &id, &answer).await?;
                let response = match &asked {
                    Asked::Events(page) => reply::json(&EventList::of(&id, &history, page)?)?,
                    Asked::AsOf(moment) => answer_with(&as_of(&id, &history, &answer.value, *moment)?, &id, &headers)?,
                };
                Ok::<_, warp::Rejection>(with_freshness(response, &answer))
            }
        },
    );
    Routes::new().get("/api/orders/{id}/history", history).described(operation)
}

#[derive(Debug)]
enum Asked {
    Events(Page),
    AsOf(AsOf),
}

impl Asked {
    fn of(query: &Query) -> Result<Asked, Problem> {
        let mut parameters = Parameters::new(query, &["asOf", "limit", "cursor", Consistency::PARAMETER]);
        let Some(text) = query.get("asOf") else {
            let page = parameters.page();
            return parameters.check().map(|()| Asked::Events(page));
        };
        for of_pages in ["limit", "cursor"].into_iter().filter(|name| query.get(name).is_some()) {
            parameters.fault(of_pages, "does not go with asOf, which answers one order".to_owned());
        }
        let moment = AsOf::parse(text);
        if moment.is_none() {
            let shapes = "a version from 1 on, nor a time in RFC 3339 such as 2026-03-01T09:30:00Z (a + in it is written %2B)";
            parameters.fault("asOf", format!("{text:?} is neither {shapes}"));
        }
        parameters.check()?;
        moment.map(Asked::AsOf).ok_or_else(Problem::internal)
    }
}

async fn read_history(views: &Views, id: &OrderId, answer: &Answer<Order>) -> Result<History, Problem> {
    // All partitions that a task reads have one number.
    let partition = answer.position.0.keys().next().map(|partition| partition.partition).ok_or_else(|| {
        tracing::error!(order = id.as_ref(), "a row has no position");
        Problem::internal()
    })?;
    let found = views.records(wanted(&answer.value.places, partition)).await?;
    Ok(History::new(id.as_ref(), &answer.value, found))
}

fn as_of(id: &OrderId, history: &History, now: &Order, moment: AsOf) -> Result<Order, Problem> {
    let id = id.as_ref();
    history.as_of(moment).map_err(|reason| match reason {
        NotAsOf::NoOrder => Problem::not_found("order-not-found", format!("there was no order {id} then")),
        NotAsOf::NoVersion(version) => {
            let problem = Problem::not_found("version-not-found", format!("no event made version {version} of order {id}"));
            problem.with("currentVersion", now.order_versions.version())
        }
        NotAsOf::Cut => Problem::new(422, "history-truncated", format!("not all events of order {id} can be read any more")),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventList<'a> {
    order_id: &'a str,
    events: Vec<EventJson<'a>>,
    /// How many there are on all pages.
    total: usize,
    /// There were more, which cannot be read any more.
    truncated: bool,
    limit: usize,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventJson<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    version: Option<u64>,
    event_id: Option<&'a str>,
    #[serde(rename = "type")]
    type_name: &'a str,
    timestamp: String,
    actor: Option<&'a RawValue>,
    command_id: Option<&'a str>,
    correlation_id: Option<&'a str>,
    causation_id: Option<&'a str>,
    data: Option<&'a RawValue>,
}

impl<'a> EventList<'a> {
    fn of(id: &'a OrderId, history: &'a History, page: &Page) -> Result<EventList<'a>, Problem> {
        let list = format!("history of {}", id.as_ref());
        let entries = history.entries();
        let begin = match &page.cursor {
            Some(cursor) => {
                let bytes = entry_before(&list, cursor)?;
                let last = <(i64, (u8, u64, i64))>::decode_key(&mut &*bytes).map_err(|error| {
                    Problem::validation_failed("the query string has faults").with_error("?cursor", "invalid-value", error.to_string())
                })?;
                entries.partition_point(|entry| entry.key() <= last)
            }
            None => 0,
        };
        let events = &entries[begin..entries.len().min(begin.saturating_add(page.limit))];
        let more = begin + events.len() < entries.len();
        let next_cursor = events.last().filter(|_| more).map(|last| {
            let mut bytes = Vec::new();
            last.key().encode_key(&mut bytes);
            cursor_after(&list, bytes)
        });
        Ok(EventList {
            order_id: id.as_ref(),
            events: events.iter().map(EventJson::of).collect(),
            total: entries.len(),
            truncated: history.is_cut(),
            limit: page.limit,
            next_cursor,
        })
    }
}

impl<'a> EventJson<'a> {
    fn of(entry: &'a Entry) -> EventJson<'a> {
        let envelope = &entry.event.envelope;
        EventJson {
            topic: &entry.partition.topic,
            partition: entry.partition.partition,
            offset: entry.offset(),
            version: envelope.version(),
            event_id: envelope.event_id(),
            type_name: entry.event.type_name(),
            timestamp: format_time(entry.time_ms),
            // It was read from JSON.
            actor: envelope.actor().and_then(|actor| serde_json::from_str(actor).ok()),
            command_id: envelope.command_id(),
            correlation_id: envelope.correlation_id(),
            causation_id: envelope.causation_id(),
            data: entry.data(),
        }
    }
}

#[cfg(test)]
mod tests;
