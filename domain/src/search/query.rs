//! What somebody looks for, and how each engine is told. Engines get words and their own operators, never a caller's text.

use super::Filter;
use super::document::marks;
use super::fold::words;
use super::space::Space;
use crate::{Error, Result};

/// The longest query, in bytes.
pub const BYTES_MAX: usize = 1_024;
/// Words of a query.
const WORDS_MAX: usize = 50;
/// From so many letters on, the last word is a beginning by itself.
const BEGINNING_MIN: usize = 2;

/// Words that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub words: Vec<String>,
    /// Whether the last of them is only the beginning of a word.
    pub is_prefix: bool,
}

/// What every result has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub terms: Vec<Term>,
}

impl Query {
    /// Understands what somebody typed. Nothing of it can be wrong but its length, and that there is no word in it.
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
            // A quote that nothing closes opens nothing.
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
                    is_prefix: rest.starts_with('*') || is_last && word.text.chars().count() >= BEGINNING_MIN,
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
                "must have a word: a letter, a digit or an emoji",
            )),
            1..=WORDS_MAX => Ok(Self { terms: known }),
            _ => Err(Error::invalid(
                "query",
                format!("must have at most {WORDS_MAX} words"),
            )),
        }
    }

    /// For FTS5. Every string in it is made of a space and a folded word or a mark, none of which has a quote.
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

    /// For PostgreSQL, as the text of a `tsquery`.
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

    /// The words that are only beginnings, as the text of a `tsquery` that any of them answers. `None`: there is none.
    pub fn beginnings(&self, space: Space) -> Option<String> {
        let beginnings = self.terms.iter().filter(|term| term.is_prefix);
        let beginnings = beginnings.filter_map(|term| term.words.last());
        let any: Vec<_> = beginnings
            .map(|word| format!("'{}':*", space.word(word)))
            .collect();
        (!any.is_empty()).then(|| any.join(" | "))
    }
}

/// Groups of marks, of each of which a result has one.
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
    fn words_phrases_and_beginnings_are_understood() {
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
    fn what_has_no_word_or_is_too_long_is_refused() {
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
        fn whatever_is_typed_is_understood_or_refused(text in any::<String>()) {
            if let Ok(query) = Query::parse(&text) {
                let space = Space::of(1, Corpus::Inbox);
                prop_assert!(!query.fts5(space, &Filter::default()).contains('\0'));
                prop_assert!(!query.tsquery(space, &Filter::default()).contains('\\'));
            }
        }
    }
}
