use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use viewmill::http::{Problem, Routes, param, with_freshness};
use viewmill::{Json, Read, Record, Store, StoreValue, Text, TopologyBuilder, Views};
use warp::Filter as _;

#[derive(Clone, Serialize, Deserialize)]
struct Movement {
    quantity: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stock {
    on_hand: i64,
    movements: u64,
}
impl StoreValue for Stock {}

fn topology(b: &mut TopologyBuilder) -> Store<String, Stock> {
    let movements = b.source::<String, Movement>("movements", &["movements"], Text, Json);
    let stock = b.store::<String, Stock>("stock", movements);
    b.each("add-up", movements, move |w| {
        let stock = w.store(stock);
        move |context, movement: Record<String, Movement>| {
            context.store(stock).change(&movement.key, |row| {
                let row = row.get_or_insert_default();
                row.on_hand += i64::from(movement.value.quantity);
                row.movements += 1;
            })?;
            Ok(())
        }
    });
    stock
}

fn routes(stock: &Store<String, Stock>, views: Views) -> Routes {
    let stock = *stock;
    let of_product = param("product").and_then(move |product: String| {
        let views = views.clone();
        async move {
            let answer = views.get(stock, &product, &Read::default()).await.map_err(Problem::from)?;
            Ok::<_, warp::Rejection>(with_freshness(warp::reply::json(&answer.value), &answer))
        }
    });
    Routes::new().get("/stock/{product}", of_product)
}

fn main() -> ExitCode {
    viewmill::main(topology, routes)
}

#[test]
fn stock_is_what_came_in_less_what_went_out() {
    let (mut driver, stock) = viewmill::testkit::TopologyTestDriver::new(topology).unwrap();
    driver.pipe("movements", "tea", r#"{"quantity": 10}"#).unwrap();
    driver.pipe("movements", "tea", r#"{"quantity": -3}"#).unwrap();
    assert_eq!(driver.get(stock, "tea"), Some(Stock { on_hand: 7, movements: 2 }));
    assert!(driver.pipe("movements", "tea", "seven").is_err());
}
