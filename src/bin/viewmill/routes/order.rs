//! `GET /api/orders/{id}`.

use viewmill::http::{Consistency, Problem, Query, Routes, consistency, param, query, with_freshness};
use viewmill::{Read, Scope, Store, Views};
use warp::Filter as _;
use warp::http::HeaderValue;
use warp::http::header::ETAG;
use warp::reply::Response;

use super::reply;
use crate::money::Language;
use crate::order_id::OrderId;
use crate::views::{Order, OrderJson, etag};

/// The routes over the view `orders`.
pub fn routes(orders: Store<OrderId, Order>, views: Views) -> Routes {
    let by_id = param("id")
        .and(query())
        .and(consistency())
        .and(warp::header::optional::<String>("accept-language"))
        .and(warp::header::optional::<String>("if-none-match"))
        .and_then(move |id: String, query: Query, wanted: Consistency, language: Option<String>, known: Option<String>| {
            let views = views.clone();
            async move {
                query.only(&[Consistency::PARAMETER])?;
                let read = wanted.read(&views, Scope::All)?;
                one(&views, orders, id, &read, language, known).await.map_err(warp::Rejection::from)
            }
        });
    Routes::new().get("/api/orders/{id}", by_id)
}

async fn one(
    views: &Views,
    orders: Store<OrderId, Order>,
    id: String,
    read: &Read,
    language: Option<String>,
    known: Option<String>,
) -> Result<Response, Problem> {
    let id = OrderId::from(id);
    let answer = views.get(orders, &id, read).await?;
    // A shell is a payment or parcel that came before its order: for a client there is no order yet.
    let Some(order) = answer.value.as_ref().filter(|order| !order.is_shell()) else {
        return Err(Problem::not_found("order-not-found", format!("there is no order {}", id.as_ref())));
    };
    let language = language.as_deref().map_or_else(Language::default, Language::from_accept_language);
    Ok(with_freshness(answer_with(order, &id, language, known.as_deref())?, &answer))
}

fn answer_with(order: &Order, id: &OrderId, language: Language, known: Option<&str>) -> Result<Response, Problem> {
    let tag = etag(order);
    let mut response = match known.is_some_and(|known| matches_tag(known, &tag)) {
        true => reply::not_modified(),
        false => reply::json(&OrderJson::new(id.as_ref(), order, language))?,
    };
    reply::vary_by_language(&mut response);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// `If-None-Match`: a list of tags, weak ones too, or `*`.
fn matches_tag(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::matches_tag;

    #[test]
    fn a_known_tag_is_found_in_any_form() {
        for list in [r#""1-0-0""#, r#"W/"1-0-0""#, r#""x", "1-0-0""#, "*"] {
            assert!(matches_tag(list, r#""1-0-0""#), "{list}");
        }
        assert!(!matches_tag(r#""1-0-1", "2-0-0""#, r#""1-0-0""#));
    }
}
