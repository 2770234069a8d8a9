//! `GET /api/dashboard`: how many orders there are, and what they are worth.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use viewmill::http::{Consistency, Problem, Query, Routes, consistency, query, with_freshness};
use viewmill::{Answer, Partial, Read, Store, Views};
use warp::Filter as _;
use warp::reply::Response;

use super::parameters::Parameters;
use super::{reply, spec};
use crate::money::{Currency, MoneyError, Sum};
use crate::views::ByStatus;
use crate::views::stats::Stats;

/// The most rows that are added up: currencies times partitions.
const MAX_ROWS: usize = 100_000;

/// Statistics of all orders.
#[derive(Default)]
pub struct Totals {
    /// Counts over all currencies.
    pub by_status: ByStatus,
    by_currency: BTreeMap<Currency, Stats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dashboard {
    total: u64,
    by_status: ByStatus,
    revenue: BTreeMap<Currency, Revenue>,
}

/// Amounts with at least the digits that the currency has.
#[derive(Serialize)]
struct Revenue {
    gross: Box<RawValue>,
    paid: Box<RawValue>,
    refunded: Box<RawValue>,
    net: Box<RawValue>,
}

/// The route.
pub fn routes(stats: Store<Currency, Stats, Partial>, views: Views) -> Routes {
    let dashboard = query().and(consistency()).and_then(move |query: Query, wanted: Consistency| {
        let views = views.clone();
        async move { dashboard(&views, stats, &query, &wanted).await.map_err(warp::Rejection::from) }
    });
    Routes::new().get("/api/dashboard", dashboard).described(spec::dashboard())
}

async fn dashboard(
    views: &Views,
    stats: Store<Currency, Stats, Partial>,
    query: &Query,
    wanted: &Consistency,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::new(query, &["scope", Consistency::PARAMETER]);
    let scope = parameters.scope();
    parameters.check()?;
    let read = wanted.read(views, scope)?;
    let answer = totals(views, stats, &read).await?;
    let revenue = answer.value.by_currency.iter().map(|(currency, stats)| Ok((*currency, Revenue::of(*currency, stats)?)));
    let revenue = revenue.collect::<Result<_, MoneyError>>().map_err(out_of_range)?;
    let by_status = answer.value.by_status;
    let response = reply::json(&Dashboard { total: by_status.total(), by_status, revenue })?;
    Ok(with_freshness(response, &answer))
}

/// Adds up the statistics of the partitions.
pub async fn totals(views: &Views, stats: Store<Currency, Stats, Partial>, read: &Read) -> Result<Answer<Totals>, Problem> {
    let answer = views.rows_each(stats, MAX_ROWS, read).await?;
    let mut totals = Totals::default();
    for (currency, stats) in &answer.value {
        totals.by_status.merge(&stats.by_status);
        totals.by_currency.entry(*currency).or_default().merge(stats).map_err(out_of_range)?;
    }
    Ok(answer.map(|_| totals))
}

impl Revenue {
    fn of(currency: Currency, stats: &Stats) -> Result<Revenue, MoneyError> {
        let json = |sum: Sum| sum.to_json(currency.minor_digits());
        Ok(Revenue { gross: json(stats.gross), paid: json(stats.paid), refunded: json(stats.refunded), net: json(stats.net()?) })
    }
}

/// Sums of 2^31 of the largest amounts fit.
fn out_of_range(error: MoneyError) -> Problem {
    tracing::error!(%error, "the statistics of all partitions cannot be added up");
    Problem::internal()
}
