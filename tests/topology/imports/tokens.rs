//! The scanner: Rust's text as words and signs, with comments, strings, characters and lifetimes left out.

use std::iter::Peekable;
use std::str::Chars;

/// What the scanner tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    /// `::`
    Into,
    Sign(char),
}

/// Splits a text into words, `::` and single signs; comments, strings, characters and lifetimes are left out.
pub fn scan(text: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let begun = line;
        match c {
            '\n' => line += 1,
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            '/' if chars.peek() == Some(&'*') => skip_block_comment(&mut chars, &mut line),
            '"' => skip_string(&mut chars, &mut line),
            '\'' => skip_character_or_lifetime(&mut chars),
            ':' if chars.next_if_eq(&':').is_some() => tokens.push((begun, Token::Into)),
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                match (word.as_str(), chars.peek()) {
                    // The prefixes of byte, C and raw strings; the string itself follows.
                    ("b" | "c", Some('"' | '\'')) => {}
                    ("r" | "br" | "cr", Some('"' | '#')) => skip_raw_string(&mut chars, &mut line),
                    _ => tokens.push((begun, Token::Word(word))),
                }
            }
            c if c.is_whitespace() => {}
            c => tokens.push((begun, Token::Sign(c))),
        }
    }
    tokens
}

fn skip_block_comment(chars: &mut Peekable<Chars<'_>>, line: &mut usize) {
    let mut depth = 0;
    let mut last = '/';
    for c in chars.by_ref() {
        *line += usize::from(c == '\n');
        match (last, c) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                last = c;
                continue;
            }
        }
        // A sign belongs to one bracket only: `/*/` opens and does not close.
        last = ' ';
        if depth == 0 {
            return;
        }
    }
}

fn skip_string(chars: &mut Peekable<Chars<'_>>, line: &mut usize) {
    while let Some(c) = chars.next() {
        match c {
            '\\' => *line += usize::from(chars.next() == Some('\n')),
            '\n' => *line += 1,
            '"' => return,
            _ => {}
        }
    }
}

/// After `r`: hashes, a quote, the text, a quote, as many hashes. A raw name (`r#type`) has no quote and is left to the scan.
fn skip_raw_string(chars: &mut Peekable<Chars<'_>>, line: &mut usize) {
    let mut hashes = 0;
    while chars.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    if chars.next_if_eq(&'"').is_none() {
        return;
    }
    while let Some(c) = chars.next() {
        *line += usize::from(c == '\n');
        if c == '"' && (0..hashes).all(|_| chars.next_if_eq(&'#').is_some()) {
            return;
        }
    }
}

/// After `'`: `x'`, `\n'` or `\u{1F600}'` is a character; anything else is a lifetime, whose name goes with it.
fn skip_character_or_lifetime(chars: &mut Peekable<Chars<'_>>) {
    match chars.next() {
        Some('\\') => {
            chars.next();
            while chars.next().is_some_and(|c| c != '\'') {}
        }
        Some(_) if chars.next_if_eq(&'\'').is_some() => {}
        _ => while chars.next_if(|c| c.is_alphanumeric() || *c == '_').is_some() {},
    }
}
