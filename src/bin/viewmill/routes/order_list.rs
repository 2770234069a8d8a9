//! `GET /api/orders`: orders of one status or of all, the newest first.

use serde::Serialize;
use viewmill::http::{Consistency, Problem, Query, Routes, consistency, query, with_freshness};
use viewmill::{Answer, Page, Read, Slice, Views};
use warp::Filter as _;
use warp::reply::Response;

use super::dashboard::totals;
use super::parameters::Parameters;
use super::{reply, spec};
use crate::money::Language;
use crate::order_id::OrderId;
use crate::topology::OrderViews;
use crate::views::{Order, OrderJson, OrderStatus};

/// How often page and total are read until they are of one state. They nearly always are the first time: a read takes a small part of
/// the time between two commits.
const MAX_READS: usize = 10;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderList<'a> {
    orders: Vec<OrderJson<'a>>,
    /// How many there are on all pages.
    total: u64,
    limit: usize,
    next_cursor: Option<&'a str>,
}

/// The route.
pub fn routes(handles: OrderViews, views: Views) -> Routes {
    let language = warp::header::optional::<String>("accept-language");
    let list = query().and(consistency()).and(language).and_then(move |query: Query, wanted: Consistency, language: Option<String>| {
        let views = views.clone();
        async move { list(&views, handles, &query, &wanted, language).await.map_err(warp::Rejection::from) }
    });
    Routes::new().get("/api/orders", list).described(spec::list())
}

async fn list(
    views: &Views,
    handles: OrderViews,
    query: &Query,
    wanted: &Consistency,
    language: Option<String>,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::new(query, &["status", "limit", "cursor", "scope", Consistency::PARAMETER]);
    let (status, page, scope) = (parameters.status(), parameters.page(), parameters.scope());
    parameters.check()?;
    let read = wanted.read(views, scope)?;
    let (answer, total) = page_and_total(views, handles, status, &page, &read).await?;
    let language = language.as_deref().map_or_else(Language::default, Language::from_accept_language);
    let rows = answer.value.rows.iter();
    let list = OrderList {
        orders: rows.map(|(id, order)| OrderJson::new(id.as_ref(), order, language)).collect(),
        total,
        limit: page.limit,
        next_cursor: answer.value.next.as_deref(),
    };
    let mut response = reply::json(&list)?;
    reply::vary_by_language(&mut response);
    Ok(with_freshness(response, &answer))
}

/// The answer's position is the page's. When commits come faster than the two reads, the total may be of a state beside it.
async fn page_and_total(
    views: &Views,
    handles: OrderViews,
    status: Option<OrderStatus>,
    page: &Page,
    read: &Read,
) -> Result<(Answer<Slice<OrderId, Order>>, u64), Problem> {
    let mut reads = 1;
    loop {
        let totals = totals(views, handles.stats, read).await?;
        let answer = match status {
            Some(status) => views.page(handles.by_status, status, page, read).await?,
            None => views.page(handles.by_created, (), page, read).await?,
        };
        if totals.position == answer.position || reads == MAX_READS {
            let counts = totals.value.by_status;
            return Ok((answer, status.map_or(counts.total(), |status| counts.get(status))));
        }
        reads += 1;
    }
}
