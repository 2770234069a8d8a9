//! docs/delivery.md names the test that shows each promise: each of them must be there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names in backticks that are as long as a sentence: those of tests.
const SHORTEST: usize = 20;

#[test]
fn every_test_that_the_promise_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/delivery.md")).expect("the page can be read");
    let named: BTreeSet<&str> = page.split('`').skip(1).step_by(2).filter(|word| is_test_name(word)).collect();
    assert!(named.len() > 30, "the page names its tests: {named:?}");
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        read_all(&root.join(folder), &mut sources);
    }
    let missing: Vec<&&str> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/delivery.md names tests that do not exist: {missing:?}");
}

fn is_test_name(word: &str) -> bool {
    word.len() >= SHORTEST && word.contains('_') && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

/// All Rust code below a folder, one file after the other.
fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a source folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("a source can be read"));
        }
    }
}
