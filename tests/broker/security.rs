//! SASL_SSL against a real broker with TLS, passwords and ACLs, which is started for this file alone.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::cli::{eventually, viewmill};
use crate::support::{Instance, LOOK_INTERVAL, PATIENCE, Run};

/// The broker. It ends when this process does, because the command that it was started for reads our end of a pipe until then.
struct SecureKafka {
    /// The way without TLS, whose users may do all.
    plain: String,
    secure: String,
    ca: PathBuf,
    _until_we_end: Child,
}

fn kafka() -> &'static SecureKafka {
    static KAFKA: OnceLock<SecureKafka> = OnceLock::new();
    KAFKA.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka");
        let tell = r#"printf '%s\n' "$VIEWMILL_TEST_KAFKA" "$VIEWMILL_TEST_KAFKA_SECURE" "$VIEWMILL_TEST_KAFKA_DIR"; exec cat"#;
        let mut process = Command::new(script)
            .args(["run", "--secure", "--", "sh", "-c", tell])
            .env("VIEWMILL_KAFKA_HEAP", "512m")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut line = || told.next().expect("the broker with TLS could not be started").unwrap();
        let (plain, secure, directory) = (line(), line(), line());
        let ca = Path::new(&directory).join("tls/ca.pem");
        SecureKafka { plain, secure, ca, _until_we_end: process }
    })
}

/// Settings of a user, as environment variables.
fn user<'a>(name: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    let kafka = kafka();
    vec![
        ("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", &kafka.secure),
        ("VIEWMILL__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SASL_SSL"),
        ("VIEWMILL__KAFKA__PROPERTIES__SASL_MECHANISM", "SCRAM-SHA-512"),
        ("VIEWMILL__KAFKA__PROPERTIES__SASL_USERNAME", name),
        ("VIEWMILL__KAFKA__PROPERTIES__SASL_PASSWORD", password),
        ("VIEWMILL__KAFKA__PROPERTIES__SSL_CA_LOCATION", kafka.ca.to_str().unwrap()),
    ]
}

/// Gives the user `restricted` ACLs; see `acls.py`.
fn allow(acls: &[String]) {
    let python = std::env::var("VIEWMILL_TEST_PYTHON").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker/acls.py");
    let status = Command::new(python)
        .arg(script)
        .args(["--bootstrap", &kafka().plain, "--user", "restricted"])
        .args(acls)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "acls.py failed: {status}");
}

#[test]
fn orders_travel_over_tls_with_a_password_that_is_never_shown() {
    let run = Run::new("secure");
    let settings = user("viewmill", "viewmill-secret");
    let sample = viewmill(&run, "sample --count 20", &settings);
    assert_eq!(sample.code, Some(0), "{sample:?}");
    let order = sample.out.lines().next().and_then(|line| line.strip_prefix("order ")).unwrap();
    let checked = viewmill(&run, "check --online", &settings);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""), "{checked:?}");

    let more = [("VIEWMILL__LOG__LEVEL", "debug"), ("VIEWMILL__LOG__FORMAT", "json")];
    let mut instance = Instance::start(&run, "a", &[&settings[..], &more[..]].concat());
    instance.wait_ready();
    let deadline = Instant::now() + PATIENCE;
    let path = format!("/api/orders/{order}");
    let served = loop {
        match instance.try_get(&path) {
            Ok(response) if response.status == 200 => break response.body,
            last => assert!(Instant::now() < deadline, "{path} is not served: {last:?}"),
        }
        std::thread::sleep(LOOK_INTERVAL);
    };
    assert!(served.contains(order), "{served}");
    assert!(instance.terminate(PATIENCE).success());

    let shown = viewmill(&run, "config show", &settings);
    assert!(shown.out.contains("(hidden)") && shown.out.contains("SASL_SSL"), "{}", shown.out);
    let log = fs::read_to_string(run.dir.join("a/log")).unwrap();
    for said in [&shown.out, &shown.err, &sample.err, &checked.out, &log] {
        assert!(!said.contains("viewmill-secret"), "a secret was printed: {said}");
    }
}

#[test]
fn a_wrong_password_is_named_by_the_log_by_readyz_and_by_check() {
    let run = Run::new("password");
    let settings = user("viewmill", "wrong-secret");
    let checked = viewmill(&run, "check --online", &settings);
    let (secure, told) = (&kafka().secure, "SASL authentication error");
    checked.must_tell(2, &[&format!("{secure} cannot be reached: "), told, "see sasl.mechanism, sasl.username and sasl.password"]);
    assert!(checked.took < Duration::from_secs(5), "what is refused need not be waited for: {checked:?}");

    let mut instance = Instance::start(&run, "a", &settings);
    eventually(&mut instance, |body| body.contains(told));
    assert_eq!(instance.try_get("/livez").unwrap().status, 200);
    let asked = Instant::now();
    assert_eq!(instance.terminate(PATIENCE).code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let log = fs::read_to_string(run.dir.join("a/log")).unwrap();
    assert!(log.contains("Kafka is not ready") && log.contains(told), "{log}");
    for said in [&checked.err, &log] {
        assert!(!said.contains("wrong-secret"), "a secret was printed: {said}");
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_named() {
    let run = Run::new("certificate");
    let mut settings = user("viewmill", "viewmill-secret");
    // Without it the system's authorities count, which do not know ours.
    settings.retain(|(name, _)| !name.ends_with("CA_LOCATION"));
    let checked = viewmill(&run, "check --online", &settings);
    checked.must_tell(2, &["certificate verify failed", "see security.protocol and ssl.* in kafka.properties"]);
}

#[test]
fn missing_acls_are_all_named_with_topic_and_operation() {
    let run = Run::new("acls");
    let (id, prefix) = (&run.id, &run.topic_prefix);
    let settings = user("restricted", "restricted-secret");
    let checked = viewmill(&run, "check --online", &settings);
    let hidden =
        |topic: &str, what: &str| format!("source topic {prefix}{topic}: {what} not allowed, and whether it exists may not be seen");
    checked.must_tell(
        2,
        &[
            &hidden("order-events", "Read and Write"),
            &hidden("shipping-events", "Read"),
            &format!("command topic {prefix}order-commands: Read and Write not allowed, and whether it exists may not be seen"),
            &format!("topic of outcomes {prefix}command-results: Read and Write not allowed, and whether it exists may not be seen"),
            &format!("changelog {prefix}{id}-orders-changelog: Read and Write not allowed"),
            &format!("task log {prefix}{id}-tasks: Read and Write not allowed"),
            &format!("group {id}: Read not allowed"),
            &format!("transactional ids that begin with {id}-: Write not allowed"),
        ],
    );

    // Topics may be seen but not made.
    allow(&[format!("topic:{prefix}*:DESCRIBE"), format!("group:{id}:DESCRIBE")]);
    let checked = viewmill(&run, "check --online", &settings);
    let order_events = format!("{prefix}order-events");
    checked.must_tell(
        2,
        &[&format!("topic {order_events} does not exist, and Create is not allowed"), &format!("group {id}: Read not allowed")],
    );

    allow(&[
        format!("topic:{prefix}*:CREATE"),
        format!("topic:{prefix}{id}-*:WRITE"),
        format!("topic:{prefix}order-events*:WRITE"),
        format!("topic:{prefix}payment-events*:WRITE"),
        format!("topic:{prefix}shipping-events*:WRITE"),
        format!("topic:{prefix}command-results*:WRITE"),
        format!("topic:{prefix}order-commands-dlq:WRITE"),
        format!("topic:{prefix}*:DESCRIBE_CONFIGS"),
        format!("topic:{prefix}{id}-*:READ"),
        format!("topic:{prefix}payment-events:READ"),
        format!("topic:{prefix}shipping-events:READ"),
        format!("topic:{prefix}order-commands:READ"),
        format!("topic:{prefix}command-results:READ"),
        format!("group:{id}:READ"),
        format!("transactional_id:{id}-*:WRITE"),
    ]);
    // Some are missing, and are told as soon as the topics exist.
    assert_eq!(viewmill(&run, "sample --count 20", &settings).code, Some(0));
    let checked = viewmill(&run, "check --online", &settings);
    checked.must_tell(
        2,
        &[
            "the cluster has 1 fault:",
            &format!("source topic {order_events}: Read not allowed: give this user an ACL for Read on topic {order_events}"),
        ],
    );
    allow(&[format!("topic:{order_events}:READ")]);
    let checked = viewmill(&run, "check --online", &settings);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""), "{checked:?}");

    // And so much is enough to run, but not to take commands over HTTP: that is told once their topic is there.
    let mut instance = Instance::start(&run, "a", &settings);
    instance.wait_ready();
    assert!(instance.terminate(PATIENCE).success());
    let commands = format!("{prefix}order-commands");
    let told = format!("command topic {commands}: Write not allowed: give this user an ACL for Write on topic {commands}");
    viewmill(&run, "check --online", &settings).must_tell(2, &["the cluster has 1 fault:", &told]);
    allow(&[format!("topic:{commands}:WRITE")]);
    let checked = viewmill(&run, "check --online", &settings);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""), "{checked:?}");
    let mut instance = Instance::start(&run, "a", &settings);
    instance.wait_ready();
    let order = r#"{"userId":"u","items":[{"productId":"p","name":"Tea","price":1,"quantity":1}],"shippingAddress":
        {"recipient":"R","street":"S","city":"C","postalCode":"1","country":"DE"}}"#;
    let created = instance.client().post("/api/orders", "Content-Type: application/json\r\n", order).unwrap();
    assert_eq!(created.status, 201, "{}", created.body);
    assert!(instance.terminate(PATIENCE).success());
}
