//! Parses a caller's query and writes it in each database's syntax. A database receives words and its own operators,
//! never a caller's text.

use super::Filter;
use super::document::marks;
use super::fold::words;
use super::space::Space;
use crate::{Error, Result};

/// The maximum length of a query, in bytes.
pub const BYTES_MAX: usize = 1_024;
/// The maximum number of words in a query.
const WORDS_MAX: usize = 50;
/// The minimum length, in characters, from which the last word counts as a prefix without `*`.
const PREFIX_MIN: usize = 2;

/// One or more consecutive words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub words: Vec<String>,
    /// Whether the last word is a prefix.
    pub is_prefix: bool,
}

/// A parsed query. A result matches all its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub terms: Vec<Term>,
}

impl Query {
    /// Parses a caller's text. Fails only if it is too long, has too many words, or has none.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > BYTES_MAX {
            return Err(Error::invalid(
                "query",
                format!("must have at most {BYTES_MAX} bytes"),
            ));
        }
        let parts: Vec<&str> = text.split(is_quote).collect();
        let last = parts.len() - 1;
        let mut terms: Vec<Term> = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            // A quote without a closing quote has no meaning.
            if number % 2 == 1 && number < last {
                let words: Vec<String> = words(part).into_iter().map(|word| word.text).collect();
                let is_prefix = parts[number + 1].starts_with('*');
                if !words.is_empty() {
                    terms.push(Term { words, is_prefix });
                }
                continue;
            }
            for word in words(part) {
                let rest = &part[word.place.end..];
                let is_last = number == last && rest.is_empty();
                terms.push(Term {
                    is_prefix: rest.starts_with('*') || is_last && word.text.chars().count() >= PREFIX_MIN,
                    words: vec![word.text],
                });
            }
        }
        let mut known = Vec::with_capacity(terms.len());
        for term in terms {
            if !known.contains(&term) {
                known.push(term);
            }
        }
        let count: usize = known.iter().map(|term| term.words.len()).sum();
        match count {
            0 => Err(Error::invalid(
                "query",
                "must contain at least one letter, digit or emoji",
            )),
            1..=WORDS_MAX => Ok(Self { terms: known }),
            _ => Err(Error::invalid(
                "query",
                format!("must have at most {WORDS_MAX} words"),
            )),
        }
    }

    /// Returns the query for FTS5. Every string in it consists of a space name and a folded word or a mark; none of
    /// these contains a quote.
    pub fn fts5(&self, space: Space, filter: &Filter) -> String {
        let quoted = |words: &[String]| {
            let words: Vec<String> = words.iter().map(|word| space.word(word)).collect();
            format!("\"{}\"", words.join(" "))
        };
        let mut all: Vec<String> = self
            .terms
            .iter()
            .map(|term| quoted(&term.words) + if term.is_prefix { " *" } else { "" })
            .collect();
        for any in groups(filter) {
            let any: Vec<String> = any.into_iter().map(|mark| quoted(&[mark])).collect();
            all.push(format!("({})", any.join(" OR ")));
        }
        all.join(" AND ")
    }

    /// Returns the query for PostgreSQL, as the text of a `tsquery`.
    pub fn tsquery(&self, space: Space, filter: &Filter) -> String {
        let quoted = |word: &String| format!("'{}'", space.word(word));
        let mut all: Vec<String> = self
            .terms
            .iter()
            .map(|term| {
                let words: Vec<String> = term.words.iter().map(quoted).collect();
                format!(
                    "({}{})",
                    words.join(" <-> "),
                    if term.is_prefix { ":*" } else { "" }
                )
            })
            .collect();
        for any in groups(filter) {
            let any: Vec<String> = any.iter().map(quoted).collect();
            all.push(format!("({})", any.join(" | ")));
        }
        all.join(" & ")
    }

    /// Returns the prefixes as the text of a `tsquery` that matches any of them. `None`: there are none.
    pub fn prefixes(&self, space: Space) -> Option<String> {
        let prefixes = self.terms.iter().filter(|term| term.is_prefix);
        let prefixes = prefixes.filter_map(|term| term.words.last());
        let any: Vec<_> = prefixes.map(|word| format!("'{}':*", space.word(word))).collect();
        (!any.is_empty()).then(|| any.join(" | "))
    }
}

/// Returns groups of marks. A result has at least one mark of each group.
fn groups(filter: &Filter) -> Vec<Vec<String>> {
    let mut groups = Vec::new();
    if !filter.kinds.is_empty() {
        groups.push(filter.kinds.iter().map(|kind| marks::kind(*kind)).collect());
    }
    let ids = [
        (&filter.account_id, marks::account as fn(&str) -> String),
        (&filter.person_id, marks::person),
        (&filter.thread_id, marks::thread),
    ];
    groups.extend(
        ids.into_iter()
            .filter_map(|(id, mark)| id.as_deref().map(|id| vec![mark(id)])),
    );
    let flags = [(filter.has_photo, marks::PHOTO), (filter.has_offer, marks::OFFER)];
    groups.extend(
        flags
            .into_iter()
            .filter(|(is_wanted, _)| *is_wanted)
            .map(|(_, mark)| vec![mark.to_owned()]),
    );
    groups
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201C}' | '\u{201D}' | '\u{201E}' | '«' | '»')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::Corpus;

    fn terms(text: &str) -> Vec<String> {
        let query = Query::parse(text).expect("a query");
        let shown = |term: &Term| term.words.join("+") + if term.is_prefix { "*" } else { "" };
        query.terms.iter().map(shown).collect()
    }

    #[test]
    fn words_phrases_and_prefixes_are_parsed() {
        for (text, expected) in [
            ("Bon ÉTAT ", vec!["bon", "etat"]),
            ("bon état", vec!["bon", "etat*"]),
            ("bon*état ", vec!["bon*", "etat"]),
            ("\"très bon\" pull", vec!["tres+bon", "pull*"]),
            ("\"très bon\"", vec!["tres+bon"]),
            ("\"très bon\"*", vec!["tres+bon*"]),
            ("« très bon » “pull”", vec!["tres+bon", "pull"]),
            ("\"très bon", vec!["tres", "bon*"]),
            ("bon \" ", vec!["bon"]),
            ("a", vec!["a"]),
            ("a*", vec!["a*"]),
            ("bon bon bon ", vec!["bon"]),
            (
                "NOT bon OR (x) AND -y ",
                vec!["not", "bon", "or", "x", "and", "y"],
            ),
        ] {
            assert_eq!(terms(text), expected, "{text}");
        }
    }

    #[test]
    fn query_without_words_or_too_long_is_refused() {
        for text in [
            "",
            "   ",
            "* \"\" - ( )",
            "\"\"\"",
            "\0",
            &"a".repeat(1_025),
            &"a b ".repeat(200),
        ] {
            let is_refused = matches!(Query::parse(text), Err(Error::Invalid(_)));
            assert_eq!(is_refused, text != "a b ".repeat(200), "{text}");
        }
        let many: Vec<String> = (0..51).map(|number| number.to_string()).collect();
        assert!(Query::parse(&many.join(" ")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_input_is_parsed_or_refused(text in any::<String>()) {
            if let Ok(query) = Query::parse(&text) {
                let space = Space::of(1, Corpus::Inbox);
                prop_assert!(!query.fts5(space, &Filter::default()).contains('\0'));
                prop_assert!(!query.tsquery(space, &Filter::default()).contains('\\'));
            }
        }
    }
}
