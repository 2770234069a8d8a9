//! Reads a Rust source file as far as its imports need it: the paths that it names, and a few keywords, each with its line.
//!
//! No parser: a scanner that knows comments, strings, `use` trees and inline modules. Macros are read as the text they are.

use super::tokens::{Token, scan};

/// A path that a file names.
#[derive(Debug)]
pub struct NamedPath {
    /// From 1.
    pub line: usize,
    /// `crate::…` when it leads into this crate by `crate`, `self` or `super`; otherwise as written.
    pub segments: Vec<String>,
    /// True when it was not written with `crate`, `self` or `super`: most likely another crate.
    pub outside: bool,
    /// True inside of a module `tests`.
    pub in_tests: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Source {
    pub paths: Vec<NamedPath>,
    /// `unsafe`, `async` and `await`, with their lines.
    pub keywords: Vec<(usize, String)>,
}

/// The folder (or base file) directly below src/ that a file belongs to; `None` for the root and for binaries, which are
/// crates of their own.
pub fn top_module(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("src/")?;
    let top = inside.split('/').next().filter(|top| *top != "bin")?.trim_end_matches(".rs");
    (top != "lib" && top != "main").then_some(top)
}

/// The module that a file is, from the crate's root: `src/a/b.rs` is `[a, b]`, `src/a/mod.rs` is `[a]`.
fn module_of(file: &str) -> Vec<String> {
    let inside = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs");
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

impl Source {
    /// Reads a file that is named from the root of the repository.
    pub fn read(file: &str, text: &str) -> Source {
        let tokens = scan(text);
        let mut reader = Reader { tokens: &tokens, at: 0, module: module_of(file), source: Source::default() };
        reader.read();
        reader.source
    }
}

struct Reader<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    /// Where the reader is, inline modules included.
    module: Vec<String>,
    source: Source,
}

impl<'a> Reader<'a> {
    fn read(&mut self) {
        // The depth of braces at which each inline module ends.
        let mut modules = Vec::new();
        let mut depth = 0_usize;
        while let Some((line, token)) = self.tokens.get(self.at) {
            self.at += 1;
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => {
                    depth = depth.saturating_sub(1);
                    if modules.last() == Some(&depth) {
                        modules.pop();
                        self.module.pop();
                    }
                }
                Token::Word(word) => match word.as_str() {
                    // `impl Trait + use<'a>` captures lifetimes and imports nothing.
                    "use" if self.peek(0) != Some(&Token::Sign('<')) => self.use_tree(&mut Vec::new()),
                    "mod" => {
                        if let (Some(Token::Word(name)), Some(Token::Sign('{'))) = (self.peek(0), self.peek(1)) {
                            self.module.push(name.clone());
                            modules.push(depth);
                        }
                    }
                    "extern" if self.peek(0) == Some(&Token::Word("crate".to_owned())) => {
                        self.at += 1;
                        if let Some(Token::Word(name)) = self.peek(0) {
                            self.add(*line, std::slice::from_ref(name));
                        }
                    }
                    "unsafe" | "async" | "await" => self.source.keywords.push((*line, word.clone())),
                    _ => self.inline_path(*line, word),
                },
                _ => {}
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead).map(|(_, token)| token)
    }

    /// A path in code begins with a word that follows neither `::` nor a dot, and goes on with `::`.
    fn inline_path(&mut self, line: usize, first: &str) {
        let before = self.at.checked_sub(2).map(|at| &self.tokens[at].1);
        if self.peek(0) != Some(&Token::Into) || matches!(before, Some(Token::Into | Token::Sign('.'))) && !is_leading(self.tokens, self.at)
        {
            return;
        }
        let mut segments = vec![first.to_owned()];
        while let (Some(Token::Into), Some(Token::Word(word))) = (self.peek(0), self.peek(1)) {
            segments.push(word.clone());
            self.at += 2;
        }
        self.add(line, &segments);
    }

    /// Reads one tree of a `use`, after what is in `prefix`, up to the `,`, `}` or `;` that ends it.
    fn use_tree(&mut self, prefix: &mut Vec<String>) {
        let depth = prefix.len();
        while let Some((line, token)) = self.tokens.get(self.at) {
            self.at += 1;
            match token {
                Token::Word(word) if word == "as" => self.at += 1,
                Token::Word(word) => {
                    prefix.push(word.clone());
                    if self.peek(0) != Some(&Token::Into) {
                        self.add(*line, prefix);
                    }
                }
                Token::Sign('*') => {
                    prefix.push("*".to_owned());
                    self.add(*line, prefix);
                }
                Token::Sign('{') => {
                    while !matches!(self.peek(0), None | Some(Token::Sign('}'))) {
                        self.use_tree(&mut prefix.clone());
                    }
                    self.at += 1;
                }
                Token::Sign(',' | ';') => break,
                Token::Sign('}') => {
                    // The end of the list that this tree is the last of: its opener reads it.
                    self.at -= 1;
                    break;
                }
                Token::Into | Token::Sign(_) => {}
            }
        }
        prefix.truncate(depth);
    }

    fn add(&mut self, line: usize, written: &[String]) {
        let mut module: Vec<String> = Vec::new();
        let mut rest = written;
        let outside = match written[0].as_str() {
            "crate" => {
                rest = &written[1..];
                false
            }
            "self" | "super" => {
                module.clone_from(&self.module);
                while let Some(step @ ("self" | "super")) = rest.first().map(String::as_str) {
                    if step == "super" {
                        module.pop();
                    }
                    rest = &rest[1..];
                }
                false
            }
            _ => true,
        };
        let in_tests = self.module.iter().any(|name| name == "tests");
        let root = if outside { None } else { Some("crate".to_owned()) };
        // `use crate::task::{self}` names the module before it.
        let rest = rest.iter().filter(|segment| *segment != "self").cloned();
        self.source.paths.push(NamedPath { line, segments: root.into_iter().chain(module).chain(rest).collect(), outside, in_tests });
    }
}

/// True when the `::` before the word at `at - 1` begins a path (`::rdkafka::Message`) rather than goes on with one.
fn is_leading(tokens: &[(usize, Token)], at: usize) -> bool {
    let two_before = at.checked_sub(3).map(|at| &tokens[at].1);
    tokens[at - 2].1 == Token::Into && !matches!(two_before, Some(Token::Word(_) | Token::Sign('>')))
}
