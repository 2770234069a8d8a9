//! `GET /api/orders/{id}`.

use viewmill::http::{ActorRule, Consistency, Problem, Query, Routes, consistency, names_tag, param, query, with_freshness};
use viewmill::{Answer, Read, Scope, Store, Views};
use warp::Filter as _;
use warp::http::header::{ACCEPT_LANGUAGE, ETAG, IF_NONE_MATCH};
use warp::http::{HeaderMap, HeaderValue};
use warp::reply::Response;

use super::{reply, spec};
use crate::money::Language;
use crate::order_id::OrderId;
use crate::views::{Order, OrderJson, etag};

/// The routes over the view `orders`.
pub fn routes(orders: Store<OrderId, Order>, views: Views, actors: ActorRule) -> Routes {
    let (headers, operation) = (warp::header::headers_cloned(), spec::order(&actors));
    let by_id = param("id").and(query()).and(consistency()).and(headers).and_then(
        move |id: String, query: Query, wanted: Consistency, headers: HeaderMap| {
            let (views, actors) = (views.clone(), actors.clone());
            async move {
                query.only(&[Consistency::PARAMETER])?;
                let read = wanted.read(&views, Scope::All)?;
                one(&views, orders, id, &read, &actors, &headers).await.map_err(warp::Rejection::from)
            }
        },
    );
    Routes::new().get("/api/orders/{id}", by_id).described(operation)
}

async fn one(
    views: &Views,
    orders: Store<OrderId, Order>,
    id: String,
    read: &Read,
    actors: &ActorRule,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let id = OrderId::from(id);
    let answer = visible(views, orders, &id, read, actors, headers).await?;
    Ok(with_freshness(answer_with(&answer.value, &id, headers)?, &answer))
}

/// The order, if there is one and whoever asks may see it.
///
/// # Errors
/// 404 `order-not-found`, 401, and what keeps the view from being read.
pub(super) async fn visible(
    views: &Views,
    orders: Store<OrderId, Order>,
    id: &OrderId,
    read: &Read,
    actors: &ActorRule,
    headers: &HeaderMap,
) -> Result<Answer<Order>, Problem> {
    // Where nobody has to say who they are, everybody sees everything.
    let reader = actors.actor(headers)?.filter(|_| actors.is_required());
    let may_see = |order: &Order| reader.as_ref().is_none_or(|reader| reader.operator || reader.id == *order.user_id);
    let mut answer = views.get(orders, id, read).await?;
    // A shell is a payment or parcel that came before its order: for a client there is no order yet.
    match answer.value.take().filter(|order| !order.is_shell() && may_see(order)) {
        Some(order) => Ok(answer.map(|_| order)),
        None => Err(Problem::not_found("order-not-found", format!("there is no order {}", id.as_ref()))),
    }
}

/// The order as HTTP tells it, or 304 where the client has it already.
pub(super) fn answer_with(order: &Order, id: &OrderId, headers: &HeaderMap) -> Result<Response, Problem> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let language = text(ACCEPT_LANGUAGE).map_or_else(Language::default, Language::from_accept_language);
    let tag = etag(order);
    let mut response = match text(IF_NONE_MATCH).is_some_and(|known| names_tag(known, &tag)) {
        true => reply::not_modified(),
        false => reply::json(&OrderJson::new(id.as_ref(), order, language))?,
    };
    reply::vary_by_language(&mut response);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}
