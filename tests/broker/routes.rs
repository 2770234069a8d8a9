//! Every route × every answer that `/openapi.json` declares for it, asked of running instances; and nothing else is answered.
//!
//! The table is made of the document itself: a route, a status or a code that is declared and that nobody is led to here fails the test, and
//! so does an answer that is not declared. What no request can lead to stands in [`ELSEWHERE`], each with the test that shows it.

mod alone;
mod asker;
mod away;
mod document;
mod pair;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;
use std::{fs, thread};

use document::Cell;

/// An answer that is declared and not led to here.
struct Elsewhere {
    /// How the routes begin, each with its method.
    routes: &'static str,
    status: u16,
    code: &'static str,
    why: &'static str,
    /// It may be met here too.
    by_chance: bool,
    /// The file of the test that shows it, and its name.
    shown: (&'static str, &'static str),
}

const ELSEWHERE: [Elsewhere; 7] = [
    Elsewhere {
        routes: "",
        status: 500,
        code: "internal-error",
        why: "it is a fault of ours",
        by_chance: false,
        shown: ("src/http/tests/errors.rs", "a_panic_is_500_and_the_connection_lives_on"),
    },
    Elsewhere {
        routes: "GET ",
        status: 504,
        code: "deadline-exceeded",
        why: "no read takes 30 seconds",
        by_chance: false,
        shown: ("src/http/tests/errors.rs", "a_handler_that_never_answers_is_504"),
    },
    Elsewhere {
        routes: "POST ",
        status: 503,
        code: "outcome-lost",
        why: "only a store that is added to the topology makes commands be read again",
        by_chance: false,
        shown: ("tests/topology/bank.rs", "a_replay_decides_nothing"),
    },
    Elsewhere {
        routes: "GET ",
        status: 503,
        code: "owner-unreachable",
        why: "for moments only, nobody is known to have a task",
        by_chance: true,
        shown: ("src/http/query_problem.rs", "each_reason_has_its_status_and_code"),
    },
    Elsewhere {
        routes: "GET /api/orders/{id}/history",
        status: 422,
        code: "history-truncated",
        why: "the log must have lost records",
        by_chance: false,
        shown: ("tests/broker/commands/history.rs", "what_the_log_or_the_row_has_no_more_is_said"),
    },
    Elsewhere {
        routes: "GET /api/orders/{id}/history",
        status: 422,
        code: "records-too-large",
        why: "it takes records of many megabytes",
        by_chance: false,
        shown: ("src/query/tests/records.rs", "large_records_are_refused_at_a_bound"),
    },
    Elsewhere {
        routes: "GET /api/orders/{id}/history",
        status: 503,
        code: "log-unavailable",
        why: "Kafka must fail between two reads",
        by_chance: false,
        shown: ("src/query/tests/records.rs", "a_log_that_cannot_be_read_is_told"),
    },
];

impl Elsewhere {
    fn is(&self, cell: &Cell) -> bool {
        cell.route.starts_with(self.routes) && (cell.status, &*cell.kind) == (self.status, self.code)
    }
}

/// What is declared by the instances that were asked, and what they answered.
#[derive(Default)]
struct Table {
    declared: BTreeSet<Cell>,
    answered: BTreeSet<Cell>,
}

impl Table {
    fn add(&mut self, other: Table) {
        self.declared.extend(other.declared);
        self.answered.extend(other.answered);
    }

    fn faults(&self) -> Vec<String> {
        let missing = self.declared.difference(&self.answered).filter(|cell| !ELSEWHERE.iter().any(|elsewhere| elsewhere.is(cell)));
        let mut faults: Vec<String> = missing.map(|cell| format!("{cell} is declared, and no request here leads to it")).collect();
        for elsewhere in &ELSEWHERE {
            let Elsewhere { routes, status, code, why, shown: (file, test), .. } = elsewhere;
            if !self.declared.iter().any(|cell| elsewhere.is(cell)) {
                faults.push(format!("{routes:?} {status} {code} is declared nowhere"));
            }
            if let Some(cell) = self.answered.iter().find(|cell| elsewhere.is(cell) && !elsewhere.by_chance) {
                faults.push(format!("{cell} was answered, though {why}"));
            }
            let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default();
            if !source.contains(&format!("fn {test}(")) {
                faults.push(format!("{status} {code}: {file} has no test {test}"));
            }
        }
        faults
    }
}

#[test]
fn every_route_gives_every_answer_that_it_declares_and_no_other() {
    let began = Instant::now();
    let mut table = Table::default();
    thread::scope(|scope| {
        let situations = [scope.spawn(alone::answers), scope.spawn(away::answers), scope.spawn(pair::answers)];
        // One that failed has said why.
        situations.into_iter().for_each(|situation| table.add(situation.join().expect("a situation failed")));
    });
    let faults = table.faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    println!("{} of {} declared answers in {:?}", table.answered.len(), table.declared.len(), began.elapsed());
}
