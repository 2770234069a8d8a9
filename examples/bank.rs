//! Bank accounts that decide: no withdrawal beyond the balance, and no command carried out twice.
//!
//! ```text
//!  account-commands ─► account-decide ─► account-events ─┐   POST is a record: {"type": "WITHDRAW", "data": {"amount": 50}}
//!                           │  ▲                         │
//!                           │  └──────── account-evolve ◄┘   also what other programs write there
//!                           └─► command-results              GET /accounts/{id}
//! ```
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;
use viewmill::command::{self, Aggregate, CommandData, CommandHandles, CommandJson, CommandTopology};
use viewmill::command::{CommandRecord, DecisionContext, EventMeta, Members, Outcome, Rejection, VALIDATION_FAILED};
use viewmill::http::{Problem, Routes, param, with_freshness};
use viewmill::{Json, ProcessorError, Read, Sink, Store, StoreValue, Text, Timestamp, TopologyBuilder, Views};
use warp::Filter as _;

/// What can be asked of an account. Amounts are in cents.
#[derive(Clone, Debug)]
pub enum Command {
    Open,
    Deposit(u64),
    Withdraw(u64),
}

/// What can happen to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Fact {
    Opened,
    Deposited(u64),
    Withdrawn(u64),
}

/// The same, as it stands in `account-events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub version: u64,
    pub fact: Fact,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub version: u64,
    pub balance: u64,
}
impl StoreValue for Account {}

pub struct Bank;

impl Aggregate for Bank {
    type Id = String;
    type State = Account;
    type Command = Command;
    type Fact = Fact;
    type Event = Event;

    fn decide(&self, account: Option<&Account>, command: &Command, _: &DecisionContext<'_>) -> Result<Vec<Fact>, Rejection> {
        match (command, account) {
            (Command::Open, None) => Ok(vec![Fact::Opened]),
            (Command::Open, Some(_)) => Err(Rejection::new("account-exists", "the account is open already")),
            (_, None) => Err(Rejection::new("account-not-found", "there is no such account")),
            (Command::Deposit(amount), Some(_)) => Ok(vec![Fact::Deposited(*amount)]),
            (Command::Withdraw(amount), Some(account)) if *amount > account.balance => {
                Err(Rejection::new("overdrawn", "the account has less").with("balance", &account.balance))
            }
            (Command::Withdraw(amount), Some(_)) => Ok(vec![Fact::Withdrawn(*amount)]),
        }
    }

    fn event(&self, account: Option<&Account>, _: &String, fact: Fact, meta: &EventMeta<'_>) -> Event {
        Event { id: meta.event_id.to_string(), version: self.version(account) + 1, fact }
    }

    fn event_id(&self, event: &Event) -> Option<Uuid> {
        event.id.parse().ok()
    }

    fn evolve(&self, account: &mut Option<Account>, event: &Event, _: Timestamp) -> Result<(), ProcessorError> {
        let row = account.get_or_insert_default();
        if event.version > row.version {
            row.version = event.version;
            row.balance = match event.fact {
                Fact::Opened => row.balance,
                Fact::Deposited(amount) => row.balance.saturating_add(amount),
                Fact::Withdrawn(amount) => row.balance.saturating_sub(amount),
            };
        }
        Ok(())
    }

    fn version(&self, account: Option<&Account>) -> u64 {
        account.map_or(0, |account| account.version)
    }

    fn describe(&self, _: &String, account: Option<&Account>) -> Members {
        let mut members = Members::new();
        members.set("balance", &account.map(|account| account.balance));
        members
    }
}

impl CommandData for Command {
    fn type_name(&self) -> &'static str {
        match self {
            Command::Open => "OPEN",
            Command::Deposit(_) => "DEPOSIT",
            Command::Withdraw(_) => "WITHDRAW",
        }
    }

    fn from_json(type_name: &str, data: &RawValue) -> Result<Self, Rejection> {
        match type_name {
            "OPEN" => Ok(Command::Open),
            "DEPOSIT" => command::read_data(data).map(|Amount { amount }| Command::Deposit(amount)),
            "WITHDRAW" => command::read_data(data).map(|Amount { amount }| Command::Withdraw(amount)),
            other => Err(Rejection::new(VALIDATION_FAILED, format!("there is no command {other}"))),
        }
    }

    fn to_json(&self) -> Box<RawValue> {
        match self {
            Command::Open => RawValue::NULL.to_owned(),
            Command::Deposit(amount) | Command::Withdraw(amount) => to_raw_value(&Amount { amount: *amount }).expect("a number has JSON"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Amount {
    amount: u64,
}

pub struct BankTopology {
    pub accounts: Store<String, Account>,
    pub handler: CommandHandles<Bank>,
    pub events: Sink<String, Event>,
    pub results: Sink<String, Outcome>,
}

pub fn topology(b: &mut TopologyBuilder) -> BankTopology {
    let events = b.source::<String, Event>("events", &["account-events"], Text, Json);
    let commands = b.source::<String, CommandRecord<Command>>("commands", &["account-commands"], Text, CommandJson);
    let accounts = command::states(b, "account", Bank, events);
    let handler = command::handler(b, "account", Bank, CommandTopology::new(commands, events, accounts, Json));
    let events = b.sink("account-events", handler.events, "account-events", Text, Json);
    let results = b.sink("command-results", handler.outcomes, "command-results", Text, Json);
    BankTopology { accounts, handler, events, results }
}

fn routes(bank: &BankTopology, views: Views) -> Routes {
    let accounts = bank.accounts;
    let account = param("id").and_then(move |id: String| {
        let views = views.clone();
        async move {
            let answer = views.get(accounts, &id, &Read::default()).await.map_err(Problem::from)?;
            Ok::<_, warp::Rejection>(with_freshness(warp::reply::json(&answer.value), &answer))
        }
    });
    Routes::new().get("/accounts/{id}", account)
}

fn main() -> ExitCode {
    viewmill::main(topology, routes)
}
