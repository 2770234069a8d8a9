//! Any store over HTTP, as JSON: what there is, a key, a list, who has a key.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Filter as _, Rejection};

use super::engine_routes::{json as json_reply, local};
use super::{Consistency, Problem, Query, Routes, consistency, openapi, param, query, with_freshness};
use crate::query::{Item, ItemRange, ItemRow, ItemValue, Page, Scope, StoreInfo, Views};

/// The rows of a page when no limit is given.
const DEFAULT_LIMIT: usize = 50;

/// `/v1/stores` and what lies below.
pub(super) fn inspect_routes(views: &Views) -> Routes {
    let (listing, one, list, owning) = (views.clone(), views.clone(), views.clone(), views.clone());
    let stores = query().and_then(move |query: Query| {
        let views = listing.clone();
        async move { stores(&views, query).await.map_err(Rejection::from) }
    });
    let item = param("store").and(param("key")).and(query()).and(consistency()).and_then(move |store, key, query, wanted| {
        let views = one.clone();
        async move { item(&views, store, key, query, wanted).await.map_err(Rejection::from) }
    });
    let items = param("store").and(query()).and(consistency()).and_then(move |store, query, wanted| {
        let views = list.clone();
        async move { items(&views, store, query, wanted).await.map_err(Rejection::from) }
    });
    let owner = param("store").and(param("key")).and(query()).and_then(move |store, key, query| {
        let views = owning.clone();
        async move { owner(&views, store, key, query).await.map_err(Rejection::from) }
    });
    Routes::new()
        .get("/v1/stores", stores)
        .described(openapi::stores())
        .get("/v1/stores/{store}/items/{key}", item)
        .described(openapi::item())
        .get("/v1/stores/{store}/items", items)
        .described(openapi::items())
        .get("/v1/stores/{store}/owner/{key}", owner)
        .described(openapi::owner())
}

/// A row of `/v1/stores`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoreJson {
    name: std::sync::Arc<str>,
    kind: &'static str,
    subtopology: std::sync::Arc<str>,
    changelog: String,
    indexes: Vec<std::sync::Arc<str>>,
    partitions_here: Vec<i32>,
    restoring: Vec<i32>,
}

async fn stores(views: &Views, query: Query) -> Result<Response, Problem> {
    query.only(&["scope"])?;
    let row = |info: StoreInfo| StoreJson {
        name: info.name,
        kind: if info.keyed { "keyed" } else { "partial" },
        subtopology: info.subtopology,
        changelog: info.changelog,
        indexes: info.indexes,
        partitions_here: info.partitions_here,
        restoring: info.restoring,
    };
    let rows: Vec<StoreJson> = views.stores().await?.into_iter().map(row).collect();
    local(&query, || json_reply(StatusCode::OK, &json!({ "stores": rows })))
}

async fn item(views: &Views, store: String, key: String, query: Query, wanted: Consistency) -> Result<Response, Problem> {
    let mut faults = Faults(query.only(&["scope", Consistency::PARAMETER]).err());
    let scope = faults.scope(&query);
    faults.end()?;
    let answer = views.item(&store, &key, &wanted.read(views, scope)?).await?;
    let Item { key, value } = &answer.value;
    let body = match value {
        ItemValue::One(Some(value)) => ItemJson { key, value: Some(value), values: None },
        ItemValue::Each(rows) if !rows.is_empty() => {
            let values = rows.iter().map(|(partition, value)| PartJson { partition: *partition, value }).collect();
            ItemJson { key, value: None, values: Some(values) }
        }
        _ => return Err(Problem::not_found("key-not-found", format!("store {store} has no row of the key {key}"))),
    };
    Ok(with_freshness(json_reply(StatusCode::OK, &body), &answer))
}

async fn items(views: &Views, store: String, query: Query, wanted: Consistency) -> Result<Response, Problem> {
    let parameters = ["prefix", "from", "to", "index", "limit", "cursor", "scope", Consistency::PARAMETER];
    let mut faults = Faults(query.only(&parameters).err());
    let text = |name| query.get(name).map(String::from);
    let (scope, limit) = (faults.scope(&query), faults.limit(&query));
    let range = ItemRange { index: text("index"), prefix: text("prefix"), from: text("from"), to: text("to") };
    let list = match views.item_list(&store, &range)? {
        Ok(list) => Some(list),
        Err(found) => {
            found.into_iter().for_each(|(name, detail)| faults.add(name, detail));
            None
        }
    };
    faults.end()?;
    let Some(list) = list else { return Err(Problem::internal()) };
    let partial = list.is_partial();
    let answer = views.items(list, &Page::at(limit, text("cursor")), &wanted.read(views, scope)?).await?;
    let (rows, next) = &answer.value;
    let row = |row| RowJson::new(row, partial);
    let body = ItemsJson { items: rows.iter().map(row).collect(), next_cursor: next.as_deref() };
    Ok(with_freshness(json_reply(StatusCode::OK, &body), &answer))
}

async fn owner(views: &Views, store: String, key: String, query: Query) -> Result<Response, Problem> {
    query.only(&[])?;
    let owner = views.owner_of(&store, &key).await?;
    let body = json!({ "partition": owner.task.partition, "task": owner.task.to_string(), "here": owner.here });
    Ok(json_reply(StatusCode::OK, &body))
}

// Rows are written as they write themselves: through a tree their exact numbers would become binary floats.

#[derive(Serialize)]
struct ItemJson<'a> {
    key: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<PartJson<'a>>>,
}

#[derive(Serialize)]
struct PartJson<'a> {
    partition: i32,
    value: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemsJson<'a> {
    items: Vec<RowJson<'a>>,
    next_cursor: Option<&'a str>,
}

#[derive(Serialize)]
struct RowJson<'a> {
    key: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    value: &'a RawValue,
}

impl<'a> RowJson<'a> {
    fn new(row: &'a ItemRow, partial: bool) -> Self {
        RowJson { key: &row.key, partition: partial.then_some(row.partition), value: &row.value }
    }
}

/// What is wrong with a query string, all at once.
struct Faults(Option<Problem>);

impl Faults {
    fn add(&mut self, parameter: &str, detail: impl Into<String>) {
        let begun = self.0.take().unwrap_or_else(|| Problem::validation_failed("the query string has faults"));
        self.0 = Some(begun.with_error(format!("?{parameter}"), "invalid-value", detail));
    }

    fn scope(&mut self, query: &Query) -> Scope {
        query.try_scope().unwrap_or_else(|detail| {
            self.add("scope", detail);
            Scope::All
        })
    }

    fn limit(&mut self, query: &Query) -> usize {
        let Some(text) = query.get("limit") else { return DEFAULT_LIMIT };
        match text.parse() {
            Ok(limit) if (1..=Page::MAX_LIMIT).contains(&limit) => limit,
            _ => {
                self.add("limit", format!("must be a number from 1 to {}", Page::MAX_LIMIT));
                DEFAULT_LIMIT
            }
        }
    }

    fn end(self) -> Result<(), Problem> {
        self.0.map_or(Ok(()), Err)
    }
}
