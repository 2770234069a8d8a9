//! The history of an order: its events as they stand in the log, and the order as it was.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use viewmill::kafka::{KafkaSettings, RecordWriter};
use viewmill::record::{Headers, OutputRecord};

use super::{Shop, eventually, order_of, parsed};
use crate::support::{Instance, Response, Run};

/// Another team's service, which writes events by itself.
struct Others<'a>(&'a Run, RecordWriter);

impl Others<'_> {
    fn of(run: &Run) -> Others<'_> {
        Others(run, RecordWriter::new(&KafkaSettings::new(&run.bootstrap, &run.id, "others")).unwrap())
    }

    fn write(&self, topic: &str, order: &str, event: &str) {
        let topic = format!("{}{topic}", self.0.topic_prefix);
        let (key, value) = (Some(order.as_bytes()), Some(event.as_bytes()));
        self.1.write(&OutputRecord { topic: &topic, partition: None, key, value, timestamp: None, headers: Headers::default() }).unwrap();
    }

    fn parcel(&self, order: &str, step: &str, version: u64) {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let at = time(now_ms);
        let event = format!(
            r#"{{"type":"SHIPMENT_{step}","aggregateId":"{order}","version":{version},"timestamp":"{at}","data":{{"carrier":"CJ"}}}}"#
        );
        self.write("shipping-events", order, &event);
    }

    fn flush(&self) {
        self.1.flush(Duration::from_secs(20)).unwrap();
    }
}

/// As `viewmill` writes times.
fn time(ms: i64) -> String {
    let days = ms.div_euclid(86_400_000);
    let (mut year, mut day) = (1970, days);
    let length = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
    while day >= length(year) {
        day -= length(year);
        year += 1;
    }
    let months = [31, length(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= months[month] {
        day -= months[month];
        month += 1;
    }
    let of_day = ms.rem_euclid(86_400_000);
    let (hour, minute, second, milli) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60, of_day % 1_000);
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", month + 1, day + 1)
}

/// An order as GET answered it: its tag and its body.
type Seen = (String, String);

fn seen(response: &Response) -> Seen {
    assert_eq!(response.status, 200, "{}", response.body);
    assert!(response.header("view-position").is_some() && response.header("served-by").is_some(), "{response:?}");
    (response.header("etag").unwrap().to_owned(), response.body.clone())
}

/// Lives a life of commands and of others' events; answers what the order was after each of them, the latest last.
fn live(run: &Run, shop: &mut Shop, id: &str) -> Vec<Seen> {
    let (path, others) = (format!("/api/orders/{id}"), Others::of(run));
    let address = json!({"recipient": "Q", "street": "T", "city": "D", "postalCode": "2", "country": "AT", "express": true});
    let steps = [
        ("payments", json!({"paymentId": "pay-0", "code": "declined"})),
        ("payments", json!({"paymentId": "pay-1", "method": "CARD", "amount": 25})),
        ("approve", Value::Null),
        ("CREATED", Value::Null),
        ("address", json!({"shippingAddress": address})),
        ("ship", json!({"carrier": "DHL", "trackingNumber": "t-1"})),
        ("IN_TRANSIT", Value::Null),
        ("DELIVERED", Value::Null),
        ("deliver", json!({})),
        ("payments/pay-1/refunds", json!({"refundId": "r-1", "amount": "5.50", "reason": "late"})),
    ];
    let (mut life, mut parcels) = (vec![seen(&shop.0.get(&path).unwrap())], 0);
    for (step, body) in steps {
        if step.chars().all(|letter| letter.is_uppercase() || letter == '_') {
            parcels += 1;
            others.parcel(id, step, parcels);
            others.flush();
            let last = life.last().unwrap().0.clone();
            life.push(eventually("the parcel is seen", || Some(seen(&shop.0.get(&path).unwrap())).filter(|(tag, _)| *tag != last)));
        } else {
            let (_, tag, token) = shop.done(200, &format!("{path}/{step}"), &[("X-Actor", "kim")], &body);
            let now = seen(&shop.0.get_with(&path, &format!("Consistency-Token: {token}\r\n")).unwrap());
            assert_eq!(now.0, tag);
            life.push(now);
        }
    }
    life
}

#[derive(Deserialize)]
struct Data {
    data: Box<RawValue>,
}

/// The events of an order as another program reads them, in the shape of the route, each with its data as text.
fn events_in_the_log(run: &Run, id: &str) -> Vec<(Value, String)> {
    let output = run.python("broker/history.py", &["--order", id]).output().unwrap();
    assert!(output.status.success(), "history.py failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let of = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let value = record["value"].as_str().unwrap();
        let (event, data): (Value, Data) = (serde_json::from_str(value).unwrap(), serde_json::from_str(value).unwrap());
        let mut told = json!({"topic": record["topic"], "partition": record["partition"], "offset": record["offset"]});
        for name in ["version", "eventId", "type", "timestamp", "actor", "commandId", "correlationId", "causationId"] {
            told[name] = event[name].clone();
        }
        (told, data.data.get().to_owned())
    };
    text.lines().map(of).collect()
}

/// The events of a page, in the same shape.
fn events_of(response: &Response) -> Vec<(Value, String)> {
    #[derive(Deserialize)]
    struct Page {
        events: Vec<Data>,
    }
    assert_eq!(response.status, 200, "{}", response.body);
    let texts: Page = serde_json::from_str(&response.body).unwrap();
    let mut events = parsed(response)["events"].as_array().unwrap().clone();
    events.iter_mut().for_each(|event| _ = event.as_object_mut().unwrap().remove("data").unwrap());
    events.into_iter().zip(texts.events.into_iter().map(|event| event.data.get().to_owned())).collect()
}

#[test]
fn the_history_of_an_order_is_what_stands_in_the_log() {
    let run = Run::new("history");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    // Others' orders lie between.
    let created: Vec<Value> = (0..40).map(|_| shop.done(201, "/api/orders", &[("X-Actor", "kim")], &order_of("kim")).0).collect();
    let id = created[7]["orderId"].as_str().unwrap().to_owned();
    let path = format!("/api/orders/{id}/history");
    let life = live(&run, &mut shop, &id);

    let began = Instant::now();
    let history = shop.0.get(&path).unwrap();
    println!("the first history took {:?}", began.elapsed());
    let told = events_of(&history);
    let whole = parsed(&history);
    assert_eq!(
        (&whole["orderId"], &whole["total"], &whole["truncated"], &whole["limit"]),
        (&json!(id), &json!(11), &json!(false), &json!(50))
    );
    let mut expected = events_in_the_log(&run, &id);
    // Each began after the one before had been answered, so their times tell their order.
    expected.sort_by_key(|(event, _)| event["timestamp"].as_str().unwrap().to_owned());
    assert_eq!(told, expected);
    assert_eq!(told.len(), life.len());
    let began = Instant::now();
    assert_eq!(events_of(&shop.0.get(&path).unwrap()), told);
    println!("another took {:?}", began.elapsed());

    let (mut paged, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let page = shop.0.get(&format!("{path}?limit=3{cursor}")).unwrap();
        paged.extend(events_of(&page));
        next = parsed(&page)["nextCursor"].as_str().map(|cursor| format!("&cursor={cursor}"));
    }
    assert_eq!(paged, told);

    for ((event, _), then) in told.iter().zip(&life) {
        let at = event["timestamp"].as_str().unwrap();
        assert_eq!(seen(&shop.0.get(&format!("{path}?asOf={at}")).unwrap()), *then, "as of {at}");
        if event["topic"] == format!("{}order-events", run.topic_prefix) {
            let version = &event["version"];
            assert_eq!(seen(&shop.0.get(&format!("{path}?asOf={version}")).unwrap()), *then, "as of version {version}");
        }
    }
    let (known, at) = (&life[0].0, told[0].0["timestamp"].as_str().unwrap());
    let unchanged = shop.0.get_with(&format!("{path}?asOf=1"), &format!("If-None-Match: {known}\r\n")).unwrap();
    assert_eq!((unchanged.status, unchanged.header("etag")), (304, Some(&**known)));

    let refused = |shop: &mut Shop, status: u16, code: &str, path: &str| {
        let response = shop.0.get(path).unwrap();
        let problem = parsed(&response);
        assert_eq!((response.status, &problem["code"]), (status, &json!(code)), "{path}: {}", response.body);
        problem
    };
    refused(&mut shop, 404, "order-not-found", &format!("{path}?asOf=2020-01-01T00:00:00Z"));
    assert_eq!(refused(&mut shop, 404, "version-not-found", &format!("{path}?asOf=6"))["currentVersion"], 5);
    assert_eq!(refused(&mut shop, 400, "validation-failed", &format!("{path}?asOf=soon"))["errors"][0]["pointer"], "?asOf");
    assert_eq!(refused(&mut shop, 400, "validation-failed", &format!("{path}?cursor=soon"))["errors"][0]["pointer"], "?cursor");
    refused(&mut shop, 400, "validation-failed", &format!("{path}?limit=501"));
    refused(&mut shop, 404, "order-not-found", "/api/orders/none/history");
    let others = Others::of(&run);
    others.parcel("early", "CREATED", 1);
    others.flush();
    eventually("the parcel without an order is read", || {
        shop.0.get("/v1/stores/orders/items/early").ok().filter(|response| response.status == 200)
    });
    refused(&mut shop, 404, "order-not-found", &format!("/api/orders/early/history?asOf={at}"));

    // Restored elsewhere, and through a redirect.
    let mut other = Instance::start(&run, "b", &[]);
    other.wait_ready();
    other.follow_one_redirect();
    let elsewhere =
        eventually("the other instance answers or tells who does", || other.try_get(&path).ok().filter(|answer| answer.status == 200));
    assert_eq!(events_of(&elsewhere), told);
}

#[test]
fn who_may_not_see_an_order_sees_no_history() {
    let run = Run::new("history-actors");
    let mut instance = Instance::start(&run, "a", &[("VIEWMILL__HTTP__ACTOR_REQUIRED", "true")]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let (created, _, token) = shop.done(201, "/api/orders", &[("X-Actor", "kim")], &order_of("kim"));
    let path = format!("/api/orders/{}/history", created["orderId"].as_str().unwrap());
    for (actor, status) in
        [("", 401), ("X-Actor: lee\r\n", 404), ("X-Actor: kim\r\n", 200), ("X-Actor: lee\r\nX-Actor-Role: operator\r\n", 200)]
    {
        for asked in ["", "?asOf=1"] {
            let response = shop.0.get_with(&format!("{path}{asked}"), &format!("Consistency-Token: {token}\r\n{actor}")).unwrap();
            assert_eq!(response.status, status, "{actor:?} {asked}: {}", response.body);
        }
    }
}

#[test]
fn what_the_log_or_the_row_has_no_more_is_said() {
    let run = Run::new("history-cut");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let told = |shop: &mut Shop, id: &str| {
        let began = Instant::now();
        let history = parsed(&shop.0.get(&format!("/api/orders/{id}/history?limit=500")).unwrap());
        let as_of = shop.0.get(&format!("/api/orders/{id}/history?asOf=2")).unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for what does not come");
        let length = history["events"].as_array().unwrap_or_else(|| panic!("{history}")).len();
        assert_eq!(history["total"], length);
        (length, history["truncated"].as_bool().unwrap(), as_of.status, parsed(&as_of)["code"].as_str().map(str::to_owned))
    };
    let mut create = || {
        let id = shop.done(201, "/api/orders", &[], &order_of("kim")).0["orderId"].as_str().unwrap().to_owned();
        let (_, _, token) = shop.done(200, &format!("/api/orders/{id}/approve"), &[], &Value::Null);
        shop.read(&format!("/api/orders/{id}"), &token);
        id
    };
    let (deleted, long) = (create(), create());
    let cut = Some("history-truncated".to_owned());
    assert_eq!((told(&mut shop, &deleted), told(&mut shop, &long)), ((2, false, 200, None), (2, false, 200, None)));

    let second = &events_in_the_log(&run, &deleted)[1].0;
    let (topic, partition, offset) = (second["topic"].as_str().unwrap(), second["partition"].to_string(), second["offset"].to_string());
    let output =
        run.python("broker/delete_before.py", &["--topic", topic, "--partition", &partition, "--offset", &offset]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told(&mut shop, &deleted), (1, true, 422, cut.clone()));

    let others = Others::of(&run);
    for version in 1..=128 {
        others.parcel(&long, "IN_TRANSIT", version);
    }
    others.flush();
    let at_version = |shop: &mut Shop, version: u64| {
        let tag = format!("\"2-0-{version}\"");
        eventually("all parcels are seen", || {
            shop.0.get(&format!("/api/orders/{long}")).ok().filter(|response| response.header("etag") == Some(&*tag))
        });
    };
    at_version(&mut shop, 128);
    let whole = told(&mut shop, &long);
    // Where both orders share a partition, its first event is gone too.
    assert!(whole == (130, false, 200, None) || whole == (129, true, 422, cut.clone()), "{whole:?}");
    others.parcel(&long, "DELIVERED", 129);
    others.flush();
    at_version(&mut shop, 129);
    assert_eq!(told(&mut shop, &long), (whole.0, true, 422, cut));
}
