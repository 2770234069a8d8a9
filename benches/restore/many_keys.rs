//! A store of many small rows, made by the engine itself: this program is then the instance too.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use viewmill::http::Routes;
use viewmill::{Json, Record, Text, TopologyBuilder};

use super::instance::{Fallible, Setup};

const INSTANCE: &str = "VIEWMILL_BENCH_INSTANCE";
const TOPIC: &str = "numbers";
const PARTITIONS: usize = 4;

/// True in the process that is measured.
pub fn is_instance() -> bool {
    std::env::var_os(INSTANCE).is_some()
}

/// Runs the program whose only store keeps the last value of each key.
pub fn instance() -> ExitCode {
    let topology = |b: &mut TopologyBuilder| {
        let numbers = b.source::<String, u64>("numbers", &[TOPIC], Text, Json);
        let rows = b.store::<String, u64>("rows", numbers);
        b.each("keep", numbers, move |w| {
            let rows = w.store(rows);
            move |context, number: Record<String, u64>| Ok(context.store(rows).put(&number.key, number.value)?)
        });
    };
    viewmill::main(topology, |(), _| Routes::new())
}

pub fn measure(setup: &Setup, keys: u64) -> Fallible<()> {
    let program = std::env::current_exe()?;
    let run = || {
        let mut command: Command = setup.command(&program);
        command.arg("run").env(INSTANCE, "1");
        command
    };
    // It makes the topics.
    let mut first = setup.start(&mut run())?;
    first.wait_until_ready()?;
    let began = Instant::now();
    write(setup, keys)?;
    let taken = first.wait_until_no_lag_on(PARTITIONS)?;
    println!("{taken} records written and taken up in {:.0} s", began.elapsed().as_secs_f64());
    // As in the middle of its work: what the databases hold in memory must be read from their logs.
    first.kill()?;
    super::head();
    super::row("after kill -9 while writing", setup.start(&mut run())?)?.stop()?;
    super::measure(setup, run, PARTITIONS)
}

fn write(setup: &Setup, keys: u64) -> Fallible<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &setup.servers)
        .set("compression.type", "lz4")
        .set("linger.ms", "50")
        .set("partitioner", "murmur2_random")
        .create()?;
    let topic = format!("{}{TOPIC}", setup.prefix);
    for number in 0..keys {
        let (key, value) = (format!("key-{number:010}"), number.to_string());
        let mut record = BaseRecord::to(&topic).key(&key).payload(&value);
        while let Err((error, refused)) = producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(error.into());
            }
            producer.poll(Duration::from_millis(10));
            record = refused;
        }
    }
    Ok(producer.flush(Duration::from_secs(60))?)
}
