//! What came of a case.

/// A case and, when it failed, why.
pub struct Outcome {
    /// Client, family and promise, divided by slashes.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// `None`: it passed.
    pub failure: Option<String>,
}

impl Outcome {
    /// Reads a line of a program that runs cases: `ok NAME SECONDS` or `FAILED NAME SECONDS WHY`.
    pub fn from_line(line: &str) -> Option<Outcome> {
        let mut words = line.splitn(4, ' ');
        let (verdict, name, seconds) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        let failure = match verdict {
            "ok" => None,
            "FAILED" => Some(words.next().unwrap_or("without a word").to_owned()),
            _ => return None,
        };
        Some(Outcome { name: name.to_owned(), seconds, failure })
    }

    /// Prints the slowest and all that failed.
    pub fn report(outcomes: &[Outcome]) {
        let mut slowest: Vec<&Outcome> = outcomes.iter().collect();
        slowest.sort_by(|one, two| two.seconds.total_cmp(&one.seconds));
        println!("{} cases; the slowest:", outcomes.len());
        for outcome in slowest.iter().take(5) {
            println!("  {:5.1} s  {}", outcome.seconds, outcome.name);
        }
        for outcome in outcomes {
            if let Some(why) = &outcome.failure {
                println!("FAILED {}: {why}", outcome.name);
            }
        }
    }
}
