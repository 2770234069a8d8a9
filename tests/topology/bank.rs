//! examples/bank.rs: commands, from their topic to events, outcomes and states.

// Its routes and its main function are for the example alone.
#[allow(dead_code)]
#[path = "../../examples/bank.rs"]
mod example;

use std::time::Duration;

use example::{Account, Bank, BankTopology, Command, Event, Fact};
use serde_json::json;
use viewmill::command::{self, CommandJson, CommandLimits, CommandRecord, CommandState, CommandTopology, Outcome};
use viewmill::testkit::{Decisions, TopologyTestDriver};
use viewmill::topology::TopologyFault;
use viewmill::{Json, ProcessorError, Record, Text, Timestamp, TopologyBuilder};

const HOUR: i64 = 3_600_000;

struct Branch {
    driver: TopologyTestDriver,
    bank: BankTopology,
}

impl Branch {
    fn open() -> Self {
        Self::of(example::topology)
    }

    fn of(topology: impl FnOnce(&mut TopologyBuilder) -> BankTopology) -> Self {
        let (driver, bank) = TopologyTestDriver::new(topology).unwrap();
        Branch { driver, bank }
    }

    fn try_send(&mut self, account: &str, command: &serde_json::Value, at: i64) -> Result<(), ProcessorError> {
        self.driver.pipe_bytes("account-commands", Some(account.as_bytes()), Some(command.to_string().as_bytes()), Timestamp(at))
    }

    /// What becomes of a command that came at this time.
    fn send(&mut self, account: &str, command: serde_json::Value, at: i64) -> Outcome {
        self.try_send(account, &command, at).unwrap();
        let mut outcomes = self.driver.read(self.bank.results).unwrap();
        assert_eq!(outcomes.len(), 1, "each command has one outcome");
        let Record { key, value, .. } = outcomes.remove(0);
        assert_eq!(key, value.command_id);
        value
    }

    /// Another program writes an event.
    fn wire(&mut self, account: &str, version: u64, fact: Fact, at: i64) {
        let event = serde_json::to_vec(&Event { id: String::new(), version, fact }).unwrap();
        self.driver.pipe_bytes("account-events", Some(account.as_bytes()), Some(&event), Timestamp(at)).unwrap();
    }

    /// The events that were written since the last call.
    fn events(&mut self) -> Vec<(u64, Fact)> {
        self.driver.read(self.bank.events).unwrap().into_iter().map(|record| (record.value.version, record.value.fact)).collect()
    }

    fn account(&self, id: &str) -> Option<Account> {
        self.driver.get(self.bank.accounts, id)
    }

    fn seen(&self) -> usize {
        self.driver.rows(self.bank.handler.seen).len()
    }

    /// Calls the punctuations that are due.
    fn punctuate(&mut self) {
        self.driver.advance_wall_clock(Duration::ZERO).unwrap();
    }
}

fn code(outcome: &Outcome) -> Option<&str> {
    outcome.code.as_deref()
}

#[test]
fn what_an_account_decides_needs_no_topology() {
    let rejected = Decisions::of(Bank, "kim").given_facts([Fact::Opened, Fact::Deposited(70)]).when(Command::Withdraw(71));
    assert_eq!(rejected.rejection().data.get("balance").unwrap().get(), "70");
    let decisions = rejected.rejected("overdrawn").when(Command::Withdraw(70)).then([Fact::Withdrawn(70)]);
    assert_eq!(decisions.state(), Some(&Account { version: 3, balance: 0 }));
    let interest = Event { id: String::new(), version: 4, fact: Fact::Deposited(1) };
    decisions.given([interest]).when(Command::Withdraw(1)).then([Fact::Withdrawn(1)]);
    Decisions::of(Bank, "lee").when(Command::Withdraw(1)).rejected("account-not-found").when(Command::Open).then([Fact::Opened]);
}

#[test]
fn commands_lead_to_events_without_gaps_and_each_to_one_outcome() {
    let mut branch = Branch::open();
    let opened = branch.send("kim", json!({"commandId": "c-1", "type": "OPEN", "requestId": "r-1"}), 1_000);
    assert_eq!((opened.state, opened.version, opened.at), (CommandState::Succeeded, Some(1), Timestamp(1_000)));
    assert_eq!((opened.command_id.as_str(), opened.request_id.as_deref(), opened.aggregate_id.as_str()), ("c-1", Some("r-1"), "kim"));
    // A command without an id is known by its place.
    let deposited = branch.send("kim", json!({"type": "DEPOSIT", "data": {"amount": 100}}), 2_000);
    assert_eq!((deposited.command_id.as_str(), deposited.version), ("account-commands-0-1", Some(2)));
    let withdrawn = branch.send("kim", json!({"commandId": "c-3", "type": "WITHDRAW", "data": {"amount": 30}}), 3_000);
    assert_eq!(withdrawn.data.get("balance").unwrap().get(), "70");
    assert_eq!(branch.events(), [(1, Fact::Opened), (2, Fact::Deposited(100)), (3, Fact::Withdrawn(30))]);
    // Each of them came back from its topic, and changed nothing.
    assert_eq!(branch.account("kim"), Some(Account { version: 3, balance: 70 }));
}

#[test]
fn a_rejection_is_an_outcome_and_no_event() {
    let mut branch = Branch::open();
    let unknown = branch.send("kim", json!({"commandId": "c-1", "type": "WITHDRAW", "data": {"amount": 1}}), 1_000);
    assert_eq!((unknown.state, code(&unknown), unknown.version), (CommandState::Rejected, Some("account-not-found"), None));
    branch.send("kim", json!({"commandId": "c-2", "type": "OPEN"}), 2_000);
    let overdrawn = branch.send("kim", json!({"commandId": "c-3", "type": "WITHDRAW", "data": {"amount": 1}}), 3_000);
    assert_eq!((code(&overdrawn), overdrawn.version), (Some("overdrawn"), Some(1)));
    assert_eq!(overdrawn.data.get("balance").unwrap().get(), "0");
    assert_eq!(branch.events(), [(1, Fact::Opened)]);
    assert_eq!(branch.account("kim"), Some(Account { version: 1, balance: 0 }));
}

#[test]
fn a_command_that_is_sent_again_is_answered_again_and_not_decided_again() {
    let mut branch = Branch::open();
    branch.send("kim", json!({"commandId": "c-1", "type": "OPEN"}), 1_000);
    let deposit = |command: &str, key: Option<&str>, amount: u64| json!({"commandId": command, "idempotencyKey": key, "type": "DEPOSIT", "data": {"amount": amount}});
    let first = branch.send("kim", deposit("c-2", Some("k-1"), 100), 2_000);
    let again = branch.send("kim", deposit("c-3", Some("k-1"), 100), 3_000);
    // Told to whoever waits now; otherwise the same.
    assert_eq!(again, Outcome { command_id: "c-3".into(), replayed: true, ..first.clone() });
    // The same record twice, as a producer that is not idempotent writes it; and one that has no key.
    assert!(branch.send("kim", deposit("c-2", Some("k-1"), 100), 4_000).replayed);
    assert!(!branch.send("kim", deposit("c-4", None, 5), 5_000).replayed);
    assert!(branch.send("kim", deposit("c-4", None, 5), 6_000).replayed);
    // What is not the same.
    let reused = branch.send("kim", deposit("c-5", Some("k-1"), 101), 7_000);
    assert_eq!((reused.state, code(&reused), reused.replayed), (CommandState::Rejected, Some("idempotency-key-reused"), false));
    assert_eq!(code(&branch.send("kim", deposit("c-4", None, 6), 8_000)), Some("idempotency-key-reused"));
    // A key holds for one account, and is never taken for an id.
    assert_eq!(code(&branch.send("lee", deposit("c-2", Some("k-1"), 100), 9_000)), Some("account-not-found"));
    assert!(!branch.send("kim", deposit("c-6", Some("c-4"), 5), 10_000).replayed);
    assert_eq!(branch.events(), [(1, Fact::Opened), (2, Fact::Deposited(100)), (3, Fact::Deposited(5)), (4, Fact::Deposited(5))]);
    // A rejection is kept as well, whatever has changed since.
    let withdraw = |command: &str| json!({"commandId": command, "idempotencyKey": "k-2", "type": "WITHDRAW", "data": {"amount": 200}});
    assert_eq!(code(&branch.send("kim", withdraw("c-7"), 11_000)), Some("overdrawn"));
    branch.send("kim", deposit("c-8", None, 1_000), 12_000);
    let again = branch.send("kim", withdraw("c-9"), 13_000);
    assert_eq!((code(&again), again.replayed), (Some("overdrawn"), true));
}

#[test]
fn a_senders_own_digest_is_what_counts() {
    let mut branch = Branch::open();
    let open = |command: &str, digest: &str, data: u64| json!({"commandId": command, "idempotencyKey": "k", "digest": digest, "type": "OPEN", "data": data});
    assert_eq!(code(&branch.send("kim", open("c-1", "d", 1), 1_000)), None);
    assert!(branch.send("kim", open("c-2", "d", 2), 2_000).replayed);
    assert_eq!(code(&branch.send("kim", open("c-3", "e", 1), 3_000)), Some("idempotency-key-reused"));
}

#[test]
fn an_expected_version_must_be_the_current_one() {
    let mut branch = Branch::open();
    branch.send("kim", json!({"commandId": "c-1", "type": "OPEN", "expectedVersion": 0}), 1_000);
    let deposit =
        |command: &str, version: u64| json!({"commandId": command, "expectedVersion": version, "type": "DEPOSIT", "data": {"amount": 1}});
    assert_eq!(branch.send("kim", deposit("c-2", 1), 2_000).version, Some(2));
    let stale = branch.send("kim", deposit("c-3", 1), 3_000);
    assert_eq!((code(&stale), stale.version), (Some("version-mismatch"), Some(2)));
    assert_eq!(stale.data.get("currentVersion").unwrap().get(), "2");
    // Events of other programs move the version too.
    branch.wire("kim", 3, Fact::Deposited(10), 4_000);
    assert_eq!(branch.send("kim", deposit("c-4", 3), 5_000).version, Some(4));
}

#[test]
fn a_late_command_is_not_carried_out_and_may_be_sent_again() {
    let mut branch = Branch::open();
    let open = |command: &str, deadline: i64| json!({"commandId": command, "idempotencyKey": "k", "type": "OPEN", "deadline": deadline});
    assert_eq!(code(&branch.send("kim", open("c-1", 999), 1_000)), Some("deadline-exceeded"));
    // It came in time, but its turn came late: the task has seen later records.
    branch.wire("lee", 1, Fact::Opened, 9_000);
    assert_eq!(code(&branch.send("kim", open("c-2", 8_000), 2_000)), Some("deadline-exceeded"));
    assert_eq!(branch.seen(), 0);
    assert_eq!(code(&branch.send("kim", open("c-3", 9_000), 3_000)), None);
    assert_eq!(branch.events(), [(1, Fact::Opened)]);
}

#[test]
fn data_that_is_not_valid_is_told_and_not_kept_and_what_is_no_command_is_at_fault() {
    let mut branch = Branch::open();
    branch.send("kim", json!({"commandId": "c-1", "type": "OPEN"}), 1_000);
    let deposit = |amount| json!({"commandId": "c-2", "type": "DEPOSIT", "data": {"amount": amount}});
    assert_eq!(code(&branch.send("kim", deposit(json!("much")), 2_000)), Some("validation-failed"));
    assert_eq!(code(&branch.send("kim", json!({"commandId": "c-2", "type": "FLY"}), 3_000)), Some("validation-failed"));
    assert_eq!(branch.send("kim", deposit(json!(7)), 4_000).version, Some(2));
    assert!(matches!(branch.try_send("kim", &json!({"data": {}}), 5_000), Err(ProcessorError::Deserialization(_))));
    assert!(matches!(branch.try_send("kim", &json!({"type": "OPEN", "aggregateId": "lee"}), 6_000), Err(ProcessorError::Misplaced(_))));
    assert!(branch.driver.read(branch.bank.results).unwrap().is_empty());
}

#[test]
fn outcomes_are_kept_for_a_day_of_stream_time() {
    let mut branch = Branch::open();
    let open = |command: &str| json!({"commandId": command, "idempotencyKey": "k", "type": "OPEN"});
    branch.send("kim", open("c-1"), 0);
    branch.send("lee", open("c-2"), HOUR);
    branch.punctuate();
    branch.wire("park", 1, Fact::Opened, 24 * HOUR - 1);
    branch.punctuate();
    assert_eq!(branch.seen(), 2);
    assert!(branch.send("kim", open("c-3"), 2 * HOUR).replayed, "a command's own time does not turn the stream's back");
    branch.wire("park", 2, Fact::Deposited(1), 24 * HOUR);
    // Its row is still there, but its time is over.
    assert_eq!((branch.seen(), code(&branch.send("kim", open("c-4"), 24 * HOUR))), (2, Some("account-exists")));
    branch.punctuate();
    assert_eq!(branch.seen(), 2, "the row was written anew");
    branch.wire("park", 3, Fact::Deposited(1), 26 * HOUR);
    branch.punctuate();
    assert_eq!(branch.seen(), 1);
    assert!(branch.send("kim", open("c-5"), 26 * HOUR).replayed);
}

/// The bank that remembers two commands.
fn forgetful(b: &mut TopologyBuilder) -> BankTopology {
    let events = b.source::<String, Event>("events", &["account-events"], Text, Json);
    let commands = b.source::<String, CommandRecord<Command>>("commands", &["account-commands"], Text, CommandJson);
    let limits = CommandLimits { max_seen: 2, ..CommandLimits::default() };
    let accounts = command::states(b, "account", Bank, events);
    let handler =
        command::handler(b, "account", Bank, CommandTopology { limits, ..CommandTopology::new(commands, events, accounts, Json) });
    let events = b.sink("account-events", handler.events, "account-events", Text, Json);
    let results = b.sink("command-results", handler.outcomes, "command-results", Text, Json);
    BankTopology { accounts, handler, events, results }
}

#[test]
fn at_the_bound_new_commands_are_refused_and_nothing_is_forgotten_early() {
    let mut branch = Branch::of(forgetful);
    let open = |command: &str| json!({"commandId": command, "type": "OPEN"});
    branch.send("a", open("c-1"), 0);
    branch.send("b", open("c-2"), HOUR);
    let full = branch.send("c", open("c-3"), 2 * HOUR);
    assert_eq!((code(&full), full.state), (Some("overloaded"), CommandState::Rejected));
    assert!(branch.send("a", open("c-1"), 3 * HOUR).replayed, "what is known is answered all the same");
    assert_eq!((branch.account("c"), branch.seen()), (None, 2));
    branch.punctuate();
    branch.wire("z", 1, Fact::Opened, 24 * HOUR);
    branch.punctuate();
    assert_eq!(branch.seen(), 1);
    assert_eq!(code(&branch.send("c", open("c-3"), 24 * HOUR)), None);
    assert_eq!(code(&branch.send("d", open("c-4"), 24 * HOUR)), Some("overloaded"));
}

#[test]
fn event_ids_follow_from_the_command_alone() {
    let ids = |commands: &[serde_json::Value]| {
        let mut branch = Branch::open();
        commands.iter().for_each(|command| drop(branch.send("kim", command.clone(), 1_000)));
        branch.driver.read(branch.bank.events).unwrap().into_iter().map(|event| event.value.id).collect::<Vec<_>>()
    };
    let (open, deposit) =
        (json!({"commandId": "c-1", "type": "OPEN"}), json!({"commandId": "c-2", "type": "DEPOSIT", "data": {"amount": 1}}));
    let first = ids(&[open.clone(), deposit.clone()]);
    assert_eq!(first, ids(&[open, deposit]), "decided anywhere else, the same");
    assert_ne!(first[0], first[1]);
}

#[test]
fn a_replay_decides_nothing() {
    let mut branch = Branch::open();
    branch.send("kim", json!({"commandId": "c-1", "type": "OPEN"}), 1_000);
    let withdraw = json!({"commandId": "c-2", "type": "WITHDRAW", "data": {"amount": 50}});
    assert_eq!(code(&branch.send("kim", withdraw, 3_000)), Some("overdrawn"));
    // What another program wrote before comes after it; in a replay, by time, it comes first: decided again, 50 would be withdrawn.
    branch.wire("kim", 2, Fact::Deposited(100), 2_000);
    branch.send("kim", json!({"commandId": "c-3", "type": "DEPOSIT", "data": {"amount": 1}}), 4_000);
    branch.send("kim", json!({"commandId": "c-4", "type": "FLY"}), 5_000);
    let states = branch.driver.rows(branch.bank.accounts);
    assert_eq!(states, [("kim".to_string(), Account { version: 3, balance: 101 })]);
    assert_eq!(branch.driver.replayed(branch.bank.accounts), states);
    // Of commands only that they were handled is known then.
    let replayed = branch.driver.replayed(branch.bank.handler.seen);
    let keys = |rows: &[((String, String), command::SeenCommand)]| rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&replayed), keys(&branch.driver.rows(branch.bank.handler.seen)));
    assert!(replayed.iter().all(|(_, seen)| seen.outcome.contains("outcome-lost")));
}

#[test]
fn a_store_is_reached_from_co_partitioned_sources_only() {
    let faults = |co_partitioned: bool| {
        let (mut driver, _) = match TopologyTestDriver::new(|b| {
            let a = b.source::<String, String>("a", &["a"], Text, Text);
            let c = b.source::<String, String>("c", &["c"], Text, Text);
            let rows = b.store::<String, String>("rows", a);
            if co_partitioned {
                b.co_partition(rows, c);
            }
            for (name, source) in [("keep-a", a), ("keep-c", c)] {
                b.each(name, source, move |w| {
                    let rows = w.store(rows);
                    move |context, record: Record<String, String>| Ok(context.store(rows).put(&record.key, record.value)?)
                });
            }
            rows
        }) {
            Ok(built) => built,
            Err(errors) => return errors.faults,
        };
        driver.pipe("c", "kim", "x").unwrap();
        let of_no_partition = driver.pipe_bytes("c", None, Some(b"x"), Timestamp(0));
        assert!(matches!(of_no_partition, Err(ProcessorError::Misplaced(_))), "{of_no_partition:?}");
        Vec::new()
    };
    let out_of_reach = TopologyFault::StoreOutOfReach { store: "rows".into(), by: "a".into(), processor: "keep-c".into() };
    assert_eq!((faults(false), faults(true)), (vec![out_of_reach], vec![]));
    let Err(errors) = TopologyTestDriver::new(|b| {
        let a = b.source::<String, String>("a", &["a"], Text, Text);
        let rows = b.store::<String, String>("rows", a);
        let [left, right] = b.split("halves", a, ["left", "right"], |text| text.len() % 2);
        b.co_partition(rows, left);
        for (name, half) in [("keep-left", left), ("keep-right", right)] {
            b.each(name, half, move |w| {
                let rows = w.store(rows);
                move |context, record: Record<String, String>| Ok(context.store(rows).put(&record.key, record.value)?)
            });
        }
    }) else {
        panic!("a stream that is no source decides no partition");
    };
    assert_eq!(errors.faults, [TopologyFault::StoreNotBySource { store: "rows".into(), stream: "left".into() }]);
}
