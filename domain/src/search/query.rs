//! Parses a caller's query and writes it in each database's syntax. A database receives words and its own operators,
//! never a caller's text.

use super::Filter;
use super::document::marks;
use super::fold::{PlacedWord, Word, indexed, words};
use super::space::Space;
use crate::{Error, Result};

/// The maximum length of a query, in bytes.
pub const BYTES_MAX: usize = 1_024;
/// The maximum number of different words in a query. A run of signs counts as one.
const WORDS_MAX: usize = 50;
/// The minimum length, in characters, from which the last word counts as a prefix without `*`.
const PREFIX_MIN: usize = 2;

/// One or more consecutive words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The first word joins no other.
    pub words: Vec<Word>,
    /// Whether the last word is a prefix. A sign is never a prefix.
    pub is_prefix: bool,
    /// How often the caller gave the term.
    pub times: usize,
}

impl Term {
    fn new(words: Vec<Word>, is_prefix: bool) -> Self {
        let is_prefix = is_prefix && !words.last().is_some_and(Word::is_sign);
        Self {
            words,
            is_prefix,
            times: 1,
        }
    }

    /// Returns the words that the index contains for this term, and whether the last is a prefix.
    fn indexed(&self) -> (Vec<String>, bool) {
        let mut indexed = indexed(&self.words);
        match self.words.last() {
            Some(last) if last.joins => {
                // The pair before contains the last sign, which need not end the run in a text.
                indexed.pop();
                (indexed, false)
            }
            // In a text, other signs may join a single sign.
            Some(last) if last.is_sign() => (indexed, true),
            _ => (indexed, self.is_prefix),
        }
    }
}

/// A parsed query. A result matches all its terms, each as often as the caller gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The different terms.
    pub terms: Vec<Term>,
}

impl Query {
    /// Parses a caller's text. A run of signs is one term: `上海` does not match `海上`. Fails only if the text is too
    /// long, has too many words, or has none.
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
                let words: Vec<Word> = words(part).into_iter().map(|placed| placed.word).collect();
                let is_prefix = parts[number + 1].starts_with('*');
                if !words.is_empty() {
                    terms.push(Term::new(words, is_prefix));
                }
                continue;
            }
            for PlacedWord { word, place } in words(part) {
                let rest = &part[place.end..];
                let is_last = number == last && rest.is_empty();
                match terms.last_mut() {
                    Some(run) if word.joins => run.words.push(word),
                    _ => {
                        let is_long = word.text.chars().count() >= PREFIX_MIN;
                        terms.push(Term::new(vec![word], rest.starts_with('*') || is_last && is_long));
                    }
                }
            }
        }
        let mut known: Vec<Term> = Vec::with_capacity(terms.len());
        for term in terms {
            let same = |other: &&mut Term| other.words == term.words && other.is_prefix == term.is_prefix;
            match known.iter_mut().find(same) {
                Some(same) => same.times += 1,
                None => known.push(term),
            }
        }
        let words = known.iter().flat_map(|term| &term.words);
        match words.filter(|word| !word.joins).count() {
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
            .map(Term::indexed)
            .map(|(words, is_prefix)| quoted(&words) + if is_prefix { " *" } else { "" })
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
            .map(Term::indexed)
            .map(|(words, is_prefix)| {
                let words: Vec<String> = words.iter().map(quoted).collect();
                format!("({}{})", words.join(" <-> "), if is_prefix { ":*" } else { "" })
            })
            .collect();
        for any in groups(filter) {
            let any: Vec<String> = any.iter().map(quoted).collect();
            all.push(format!("({})", any.join(" | ")));
        }
        all.join(" & ")
    }

    /// Returns the prefixes as the text of a `tsquery` that matches any of them. `None`: the query has no prefix.
    pub fn prefixes(&self, space: Space) -> Option<String> {
        let terms = self.terms.iter().map(Term::indexed);
        let prefixes = terms.filter_map(|(words, is_prefix)| words.last().filter(|_| is_prefix).cloned());
        let any: Vec<_> = prefixes
            .map(|word| format!("'{}':*", space.word(&word)))
            .collect();
        (!any.is_empty()).then(|| any.join(" | "))
    }

    /// Returns each term that must match more than once, with how often. A prefix also matches where the caller gave
    /// the same word without it, so it must match as often as both.
    pub fn repeats(&self) -> impl Iterator<Item = (&Term, usize)> {
        let terms = &self.terms;
        let wanted = move |term: &Term| {
            let same = terms.iter().filter(|other| {
                other.words == term.words && (term.is_prefix || other.is_prefix == term.is_prefix)
            });
            same.map(|other| other.times).sum::<usize>()
        };
        let counted = terms.iter().map(move |term| (term, wanted(term)));
        counted.filter(|(_, times)| *times > 1)
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
        let shown = |term: &Term| {
            let words: Vec<&str> = term.words.iter().map(|word| &*word.text).collect();
            let times = if term.times > 1 {
                term.times.to_string()
            } else {
                String::new()
            };
            words.join("+") + if term.is_prefix { "*" } else { "" } + &times
        };
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
            ("bon bon bon ", vec!["bon3"]),
            ("bon bon", vec!["bon", "bon*"]),
            ("\"bon prix\" bon \"bon prix\"", vec!["bon+prix2", "bon"]),
            ("上海", vec!["上+海"]),
            ("上海*", vec!["上+海"]),
            ("上 海", vec!["上", "海"]),
            ("上，海", vec!["上", "海"]),
            ("Nike上海 北京 上海", vec!["nike", "上+海2", "北+京"]),
            ("\"nike 上海\" ", vec!["nike+上+海"]),
            ("👍👍", vec!["👍2"]),
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
        let run: String = ('\u{4E00}'..).take(300).collect();
        assert!(Query::parse(&run).is_ok());
    }

    #[test]
    fn run_of_signs_becomes_a_phrase_of_pairs() {
        let space = Space::of(1, Corpus::Inbox);
        for (text, fts5, tsquery) in [
            ("上海", "\"0002上海\"", "('0002上海')"),
            ("上海发", "\"0002上海 0002海发\"", "('0002上海' <-> '0002海发')"),
            ("海", "\"0002海\" *", "('0002海':*)"),
            (
                "\"上海 nike 店\"",
                "\"0002上海 0002海 0002nike 0002店\" *",
                "('0002上海' <-> '0002海' <-> '0002nike' <-> '0002店':*)",
            ),
            (
                "上海 ni",
                "\"0002上海\" AND \"0002ni\" *",
                "('0002上海') & ('0002ni':*)",
            ),
        ] {
            let query = Query::parse(text).expect("a query");
            assert_eq!(query.fts5(space, &Filter::default()), fts5, "{text}");
            assert_eq!(query.tsquery(space, &Filter::default()), tsquery, "{text}");
        }
        let prefixes = |text| Query::parse(text).expect("a query").prefixes(space);
        assert_eq!(prefixes("上海"), None);
        assert_eq!(prefixes("海 ni").as_deref(), Some("'0002海':* | '0002ni':*"));
    }

    #[test]
    fn repeated_term_must_match_as_often() {
        let repeats = |text| {
            let query = Query::parse(text).expect("a query");
            let repeats = query
                .repeats()
                .map(|(term, times)| (term.words[0].text.clone(), times));
            repeats.collect::<Vec<_>>()
        };
        assert!(repeats("bon prix ").is_empty());
        assert_eq!(repeats("bon prix bon "), [("bon".to_owned(), 2)]);
        assert_eq!(
            repeats("bon bon"),
            [("bon".to_owned(), 2)],
            "the prefix counts both"
        );
        assert_eq!(repeats("上海上海 上海上海"), [("上".to_owned(), 2)]);
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
