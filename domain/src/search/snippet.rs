//! Cuts the matching part out of a text and marks the matches. It works on the original text, so that snippets are the
//! same on SQLite and PostgreSQL.

use std::ops::Range;

use super::fold::{Word, words};
use super::query::Query;

/// The maximum length of a snippet, in characters.
const LENGTH_MAX: usize = 160;
/// The maximum number of characters before the first match.
const BEFORE_MAX: usize = 40;

/// A part of a snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub text: String,
    pub highlighted: bool,
}

/// Returns a snippet of the first text with a match, or the beginning of the first text if none matches.
pub fn snippet(texts: &[&str], query: &Query) -> Vec<Segment> {
    for text in texts {
        let hits = hits(text, query);
        if let Some(first) = hits.first() {
            let range = around(text, first.start);
            return segments(text, range, &hits);
        }
    }
    let text = texts.first().copied().unwrap_or_default();
    segments(text, around(text, 0), &[])
}

/// Returns the byte ranges of matches in a text, in order and without overlaps.
fn hits(text: &str, query: &Query) -> Vec<Range<usize>> {
    let words = words(text);
    let mut is_hit = vec![false; words.len()];
    for term in &query.terms {
        for start in 0..words.len() {
            let Some(here) = words.get(start..start + term.words.len()) else {
                break;
            };
            if answers(here, &term.words, term.is_prefix) {
                is_hit[start..start + term.words.len()].fill(true);
            }
        }
    }
    let hits = words.into_iter().zip(is_hit).filter(|(_, is_hit)| *is_hit);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (word, _) in hits {
        match ranges.last_mut() {
            // One character may yield several words.
            Some(last) if word.place.start < last.end => last.end = last.end.max(word.place.end),
            _ => ranges.push(word.place),
        }
    }
    ranges
}

fn answers(here: &[Word], wanted: &[String], is_prefix: bool) -> bool {
    let last = wanted.len() - 1;
    here.iter().zip(wanted).enumerate().all(|(at, (word, wanted))| {
        if is_prefix && at == last {
            word.text.starts_with(wanted.as_str())
        } else {
            word.text == *wanted
        }
    })
}

/// Returns the range of a text to show: a little before a position, and as much after it as fits.
fn around(text: &str, place: usize) -> Range<usize> {
    let before: Vec<(usize, char)> = text[..place].char_indices().rev().take(BEFORE_MAX).collect();
    let is_whole = before.last().is_none_or(|(at, _)| *at == 0);
    let start = if is_whole {
        0
    } else {
        // Begin at the start of a word.
        let space = before.iter().rev().find(|(_, c)| c.is_whitespace());
        space.map_or(place, |(at, c)| at + c.len_utf8())
    };
    let end = text[start..].char_indices().nth(LENGTH_MAX);
    start..end.map_or(text.len(), |(at, _)| start + at)
}

fn segments(text: &str, range: Range<usize>, hits: &[Range<usize>]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut push = |part: &str, highlighted| {
        if !part.is_empty() {
            segments.push(Segment {
                text: part.to_owned(),
                highlighted,
            });
        }
    };
    if range.start > 0 {
        push("…", false);
    }
    let mut at = range.start;
    for hit in hits {
        let (start, end) = (hit.start.max(at), hit.end.min(range.end));
        if start >= end {
            continue;
        }
        push(&text[at..start], false);
        push(&text[start..end], true);
        at = end;
    }
    push(&text[at..range.end], false);
    if range.end < text.len() {
        push("…", false);
    }
    segments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(texts: &[&str], query: &str) -> String {
        let query = Query::parse(query).expect("a query");
        let part = |segment: Segment| match segment.highlighted {
            true => format!("[{}]", segment.text),
            false => segment.text,
        };
        snippet(texts, &query).into_iter().map(part).collect()
    }

    #[test]
    fn match_is_marked_in_its_original_spelling() {
        for (text, query, expected) in [
            ("L'Écharpe rouge", "echarpe ", "L'[Écharpe] rouge"),
            (
                "Très bon état, bon prix",
                "\"bon etat\"",
                "Très [bon] [état], bon prix",
            ),
            ("Très bon état, bon prix", "bon ", "Très [bon] état, [bon] prix"),
            ("Des écharpes", "echar", "Des [écharpes]"),
            ("Levi’s 501", "levis ", "[Levi’s] 501"),
            ("ok 👍 merci", "👍", "ok [👍] merci"),
            ("rien", "autre", "rien"),
        ] {
            assert_eq!(shown(&[text], query), expected, "{text} {query}");
        }
        assert_eq!(shown(&["Titre", "une robe bleue"], "robe "), "une [robe] bleue");
    }

    #[test]
    fn snippet_of_a_long_text_surrounds_the_first_match() {
        let text = format!("{} aiguille {}", "foin ".repeat(50), "paille ".repeat(50));
        let shown = shown(&[&text], "aiguille ");
        assert!(shown.starts_with("…foin foin"), "{shown}");
        assert!(shown.contains("foin  [aiguille] paille"), "{shown}");
        assert!(
            shown.ends_with('…') && shown.chars().count() <= LENGTH_MAX + 4,
            "{shown}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn marking_never_panics_or_loses_text(
            text in "\\PC{0,300}|[a-c éœﬁ'’\u{301}👍ﷺ]{0,300}", query in "\\PC{1,40}|[a-cé\"* 👍]{1,40}",
        ) {
            if let Ok(query) = Query::parse(&query) {
                let parts = snippet(&[&text], &query);
                let whole: String = parts.iter().map(|part| part.text.as_str()).collect();
                prop_assert!(text.contains(whole.trim_start_matches('…').trim_end_matches('…')) || text.contains('…'));
            }
        }
    }
}
