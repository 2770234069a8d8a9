//! Who may import whom: reads every source file and names each path that crosses a boundary which ARCHITECTURE.md draws.
//!
//! The tables below are the rules. What is read: `use` trees and paths in code, with `crate::`, `self::` and `super::` resolved;
//! comments and strings are not code, `#[cfg(test)]` is, under the same rules but for [`TESTS_ALSO`]. A path into the crate's root is
//! refused too, because a re-export there would hide the edge.

mod source;
mod tokens;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use source::{NamedPath, Source};

/// What a folder may import besides itself and the base files.
enum May {
    Import(&'static [&'static str]),
    ImportAllBut(&'static [&'static str]),
}
use May::{Import, ImportAllBut};

/// Used by all; they import only each other.
const BASE: &[&str] = &["record", "codec", "clock", "metrics", "faults"];

const EDGES: &[(&str, May)] = &[
    ("app", ImportAllBut(&[])),
    ("http", Import(&["query", "command", "runtime"])),
    ("runtime", Import(&["task", "query", "ports", "state", "topology", "processor"])),
    ("task", Import(&["topology", "processor", "state", "ports"])),
    ("topology", Import(&["processor", "state"])),
    ("processor", Import(&["state"])),
    ("query", Import(&["state", "topology", "ports"])),
    ("state", Import(&[])),
    ("kafka", Import(&["ports"])),
    ("ports", Import(&[])),
    ("command", Import(&["topology", "processor", "state", "ports"])),
    ("testkit", ImportAllBut(&["app", "http", "kafka"])),
    ("broker", Import(&[])),
];

/// What the tests of a folder may import besides.
const TESTS_ALSO: &[(&str, &[&str])] = &[("http", &["state", "topology"]), ("query", &["testkit"]), ("command", &["testkit"])];

/// Each heavy dependency has one home; so have unsafe code and the wall clock.
const HOMES: &[(&str, &[&str])] = &[
    ("rdkafka", &["src/kafka/"]),
    ("rocksdb", &["src/state/"]),
    ("bincode", &["src/codec.rs"]),
    ("prometheus", &["src/metrics/"]),
    ("fail", &["src/faults.rs"]),
    ("warp", &["src/http/", "src/bin/viewmill/routes"]),
];
/// The modules `kafka::ffi` and `app::malloc`: a file, or a folder.
const HOMES_OF_UNSAFE: [&str; 2] = ["src/kafka/ffi", "src/app/malloc"];
const HOME_OF_WALL_CLOCK: &str = "src/clock.rs";
const WALL_CLOCK: &[&str] = &["SystemTime::now", "Timestamp::now", "Zoned::now", "Uuid::now_v7"];

/// Driven by a test step by step: no threads of ours and no async in here.
const STEPPED: &[&str] = &["src/task/", "src/processor/", "src/state/", "src/topology/", "src/runtime/step/"];

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    file: String,
    line: usize,
    what: String,
    rule: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} ({})", self.file, self.line, self.what, self.rule)
    }
}

#[test]
fn every_import_keeps_to_the_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = rust_files(&root.join("src"));
    assert!(files.len() > 3, "no sources found under {}", root.display());
    let mut faults = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).expect("found under the root").to_str().expect("sources have plain names");
        faults.extend(check(name, &fs::read_to_string(&file).expect("a source can be read")));
    }
    let listed: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    assert!(faults.is_empty(), "{} imports break the rules of ARCHITECTURE.md:{listed}\n", faults.len());
}

/// Every `.rs` file below a directory, in order.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a source directory can be read") {
        let path = entry.expect("a directory entry can be read").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All faults of one file, named from the root of the repository.
fn check(file: &str, text: &str) -> Vec<Fault> {
    let source = Source::read(file, text);
    let mut faults = Vec::new();
    let mut fault = |line, what: String, rule: String| faults.push(Fault { file: file.to_owned(), line, what, rule });

    for path in &source.paths {
        if let Some((what, rule)) = crossed_edge(file, path) {
            fault(path.line, what, rule);
        }
        if let Some((dependency, homes)) = HOMES.iter().find(|(name, _)| path.outside && path.segments[0] == *name)
            && !homes.iter().any(|home| file.starts_with(home))
        {
            fault(path.line, format!("names {dependency}"), format!("its home is {}", homes.join(" and ")));
        }
        let written = path.segments.join("::");
        if WALL_CLOCK.iter().any(|reader| written == *reader || written.ends_with(&format!("::{reader}"))) && file != HOME_OF_WALL_CLOCK {
            fault(path.line, format!("reads the wall clock by {written}"), format!("only {HOME_OF_WALL_CLOCK} does"));
        }
        let threads = written == "std::thread" || written.starts_with("std::thread::") || written.starts_with("thread::");
        if (threads || path.segments[0] == "tokio") && path.outside && is_stepped(file) {
            fault(path.line, format!("names {written}"), "no threads of ours and no async in what a test drives step by step".to_owned());
        }
    }
    for (line, word) in &source.keywords {
        match word.as_str() {
            "unsafe" if !HOMES_OF_UNSAFE.iter().any(|home| file.strip_prefix(home).is_some_and(|rest| rest.starts_with(['.', '/']))) => {
                fault(*line, "unsafe code".to_owned(), format!("only {} have any", HOMES_OF_UNSAFE.join(" and ")))
            }
            "async" | "await" if is_stepped(file) => {
                fault(*line, format!("`{word}`"), "no threads of ours and no async in what a test drives step by step".to_owned());
            }
            _ => {}
        }
    }
    faults
}

fn is_stepped(file: &str) -> bool {
    STEPPED.iter().any(|folder| file.starts_with(folder))
}

/// What is wrong with a path, resolved from the crate's root. Paths to other crates cross no edge; the root and the
/// binaries stand above all.
fn crossed_edge(file: &str, path: &NamedPath) -> Option<(String, String)> {
    let from = source::top_module(file)?;
    let segments = &path.segments;
    let ("crate", target) = (segments[0].as_str(), segments.get(1).map_or("*", String::as_str)) else { return None };
    let of_tests = path.in_tests && TESTS_ALSO.iter().any(|(name, also)| *name == from && also.contains(&target));
    if from == target || of_tests {
        return None;
    }
    let what = format!("{from} → {target} by {}", segments.join("::"));
    if !BASE.contains(&target) && !EDGES.iter().any(|(name, _)| *name == target) {
        return Some((what, format!("{target} is no folder of the table; name the module itself, not the crate's root")));
    }
    let (allowed, rule) = match EDGES.iter().find(|(name, _)| *name == from) {
        _ if BASE.contains(&from) => (BASE.contains(&target), "base files import only each other".to_owned()),
        Some((_, Import(names))) => {
            let list =
                if names.is_empty() { "nothing but the base files".to_owned() } else { format!("{} and the base files", names.join(", ")) };
            (BASE.contains(&target) || names.contains(&target), format!("{from} may import {list}"))
        }
        Some((_, ImportAllBut(names))) => (!names.contains(&target), format!("{from} may import all but {}", names.join(", "))),
        None => (false, format!("{from} has no row in the table")),
    };
    (!allowed).then_some((what, rule))
}

/// The faults of a made-up file, as `line: what`.
fn faults_of(file: &str, text: &str) -> Vec<String> {
    check(file, text).iter().map(|fault| format!("{}: {}", fault.line, fault.what)).collect()
}

#[test]
fn a_forbidden_import_is_named_with_its_line_edge_and_rule() {
    let faults = check("src/task/run.rs", "//! A task.\n\nuse crate::kafka::Producer;\n");
    let shown: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        shown,
        [
            "src/task/run.rs:3: task → kafka by crate::kafka::Producer (task may import topology, processor, state, ports and the base files)"
        ]
    );
}

#[test]
fn allowed_edges_base_files_and_own_folders_pass() {
    let text = "use crate::{record::Offset, state::Store, task::{self, Task}};\nuse std::fmt;\nuse super::*;\n\
                fn f() -> impl Fn() + use<'_> { crate::codec::g() }";
    assert_eq!(faults_of("src/task/run.rs", text), Vec::<String>::new());
    assert_eq!(faults_of("src/app/mod.rs", "use crate::{kafka::Ports, runtime::Runtime};"), Vec::<String>::new());
    assert_eq!(faults_of("src/lib.rs", "pub use crate::topology::TopologyBuilder; pub use app::main;"), Vec::<String>::new());
}

#[test]
fn nested_trees_inline_paths_and_tests_are_read() {
    let text = "use crate::{\n  record::Offset,\n  query::{Views, Page as P},\n};\nfn f() -> crate::http::Reply<crate::app::Id> { todo() }\n\
                #[cfg(test)]\nmod tests {\n  use crate::testkit::*;\n}\n";
    assert_eq!(
        faults_of("src/state/store.rs", text),
        [
            "3: state → query by crate::query::Views",
            "3: state → query by crate::query::Page",
            "5: state → http by crate::http::Reply",
            "5: state → app by crate::app::Id",
            "8: state → testkit by crate::testkit::*",
        ]
    );
}

#[test]
fn what_tests_may_import_besides_their_folder_may_not() {
    let text = "use crate::state::Store;\n#[cfg(test)]\nmod tests { use crate::state::Store; use crate::task::Task; }";
    assert_eq!(faults_of("src/http/a.rs", text), ["1: http → state by crate::state::Store", "3: http → task by crate::task::Task"]);
    assert_eq!(faults_of("src/http/tests/engine.rs", "use crate::topology::TaskId;"), Vec::<String>::new());
}

#[test]
fn ways_around_crate_are_followed() {
    assert_eq!(faults_of("src/state/mod.rs", "use super::task::Task;"), ["1: state → task by crate::task::Task"]);
    assert_eq!(faults_of("src/state/a/b.rs", "use super::super::super::task;"), ["1: state → task by crate::task"]);
    assert_eq!(
        faults_of("src/state/a.rs", "mod tests { mod deep { use super::super::super::super::task; } }"),
        ["1: state → task by crate::task"]
    );
    assert_eq!(faults_of("src/state/a.rs", "use crate::Task;"), ["1: state → Task by crate::Task"]);
    assert_eq!(faults_of("src/record.rs", "use super::*;"), ["1: record → * by crate::*"]);
    assert_eq!(faults_of("src/state/a.rs", "mod tests { use super::*; }"), Vec::<String>::new());
}

#[test]
fn a_folder_without_a_row_is_a_fault() {
    assert_eq!(faults_of("src/helpers/a.rs", "use crate::record::Offset;"), ["1: helpers → record by crate::record::Offset"]);
    assert_eq!(faults_of("src/metrics/stores.rs", "use crate::state::Store;"), ["1: metrics → state by crate::state::Store"]);
}

#[test]
fn heavy_dependencies_stay_at_home() {
    let text = "use rocksdb::DB;\nfn f(_: rdkafka::Message) {}\nuse ::warp as w;\nextern crate bincode;\nuse prometheus;";
    let everywhere = ["1: names rocksdb", "2: names rdkafka", "3: names warp", "4: names bincode", "5: names prometheus"];
    assert_eq!(faults_of("src/query/views.rs", text), everywhere);
    assert_eq!(faults_of("src/bin/viewmill/main.rs", text), everywhere);
    assert_eq!(faults_of("src/state/rocks.rs", "use rocksdb::DB;"), Vec::<String>::new());
    assert_eq!(faults_of("src/bin/viewmill/routes/orders.rs", "use warp::Filter;"), Vec::<String>::new());
    // A module of ours may bear a dependency's name.
    assert_eq!(faults_of("src/task/a.rs", "use crate::state::rocksdb::RocksDbStore;"), Vec::<String>::new());
}

#[test]
fn unsafe_the_wall_clock_threads_and_async_stay_at_home() {
    assert_eq!(faults_of("src/state/a.rs", "fn f() {\n  unsafe { g() }\n}"), ["2: unsafe code"]);
    assert_eq!(faults_of("src/kafka/ffi.rs", "unsafe fn f() {}"), Vec::<String>::new());
    assert_eq!(faults_of("src/kafka/ffi/queue.rs", "unsafe fn f() {}"), Vec::<String>::new());
    assert_eq!(faults_of("src/kafka/ffier.rs", "unsafe fn f() {}"), ["1: unsafe code"]);
    assert_eq!(faults_of("src/app/malloc.rs", "unsafe fn f() {}"), Vec::<String>::new());
    assert_eq!(faults_of("src/app/mallocs.rs", "unsafe fn f() {}"), ["1: unsafe code"]);
    assert_eq!(
        faults_of("src/http/a.rs", "let now = std::time::SystemTime::now();"),
        ["1: reads the wall clock by std::time::SystemTime::now"]
    );
    assert_eq!(faults_of("src/clock.rs", "SystemTime::now()"), Vec::<String>::new());
    assert_eq!(faults_of("src/runtime/step/a.rs", "use std::thread;\nasync fn f() {}"), ["1: names std::thread", "2: `async`"]);
    assert_eq!(faults_of("src/runtime/threads.rs", "std::thread::spawn(f);"), Vec::<String>::new());
}

#[test]
fn comments_strings_and_lookalikes_are_no_imports() {
    let text = r####"
        //! [`crate::kafka`] and unsafe
        /* use crate::app::X; /* nested unsafe */ still */
        const A: &str = "use crate::kafka; \" unsafe";
        const B: &str = r#"crate::app::X " unsafe"#;
        const C: (char, u8, &[u8]) = ('"', b'\'', b"crate::http::X");
        fn lifetimes<'a>(x: &'a str) -> &'a str { x.unsafe_looking().rdkafka }
        pub(crate) fn visible() {}
        #![forbid(unsafe_code)]
    "####;
    assert_eq!(faults_of("src/state/a.rs", text), Vec::<String>::new());
}
