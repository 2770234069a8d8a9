//! The program of docs/first-view.md. Its own test runs here.

// Its routes and its main function are for the reader alone.
#[allow(dead_code)]
#[path = "../../docs/first-view.rs"]
mod program;

#[test]
fn the_page_shows_the_program_as_it_is() {
    let page = include_str!("../../docs/first-view.md");
    let program = include_str!("../../docs/first-view.rs");
    assert!(page.contains(&format!("```rust\n{program}```\n")), "docs/first-view.md and docs/first-view.rs differ");
    assert!(program.lines().count() <= 60, "the page promises 60 lines");
}
