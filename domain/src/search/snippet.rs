//! Cuts the matching part out of a text and marks the matches. It works on the original text, so that snippets are the
//! same on SQLite and PostgreSQL.

use std::ops::Range;

use vintedbot_marketplace::text::beginning;

use super::fold::{PlacedWord, words};
use super::query::{Query, Term};

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
        let length = term.words.len();
        for (start, here) in words.windows(length).enumerate() {
            if answers(here, term) {
                is_hit[start..start + length].fill(true);
            }
        }
    }
    let hits = words.into_iter().zip(is_hit).filter(|(_, is_hit)| *is_hit);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (PlacedWord { word, place }, _) in hits {
        match ranges.last_mut() {
            // One character may yield several words, and a run of signs is one match.
            Some(last) if place.start < last.end || word.joins && place.start == last.end => {
                last.end = last.end.max(place.end);
            }
            _ => ranges.push(place),
        }
    }
    ranges
}

/// Whether the texts contain each term as often as the query does. The index does not count terms.
pub fn has_repeats(texts: &[&str], query: &Query) -> bool {
    let mut repeats = query.repeats().peekable();
    if repeats.peek().is_none() {
        return true;
    }
    let texts: Vec<Vec<PlacedWord>> = texts.iter().map(|text| words(text)).collect();
    repeats.all(|(term, times)| {
        let counts = texts.iter().map(|words| count(words, term));
        counts.sum::<usize>() >= times
    })
}

/// Returns how often a term occurs among words, without overlaps.
fn count(words: &[PlacedWord], term: &Term) -> usize {
    let length = term.words.len();
    let (mut count, mut at) = (0, 0);
    while let Some(here) = words.get(at..at + length) {
        if answers(here, term) {
            count += 1;
            at += length;
        } else {
            at += 1;
        }
    }
    count
}

fn answers(here: &[PlacedWord], term: &Term) -> bool {
    let last = term.words.len() - 1;
    here.iter()
        .zip(&term.words)
        .enumerate()
        .all(|(at, (placed, wanted))| {
            let word = &placed.word;
            let is_same = match term.is_prefix && at == last {
                true => word.text.starts_with(&*wanted.text),
                false => word.text == wanted.text,
            };
            // A term may begin within a run of signs.
            is_same && (at == 0 || word.joins == wanted.joins)
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
    start..start + beginning(&text[start..], LENGTH_MAX).len()
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
            ("我在上海，海上", "上海", "我在[上海]，海上"),
            ("海上海上", "海", "[海]上[海]上"),
            ("上海 nike", "\"海 nike\"", "上[海] [nike]"),
            ("上，海 上海", "上海", "上，海 [上海]"),
            ("مـرحبا", "مرحبا ", "[مـرحبا]"),
            ("rien", "autre", "rien"),
        ] {
            assert_eq!(shown(&[text], query), expected, "{text} {query}");
        }
        assert_eq!(shown(&["Titre", "une robe bleue"], "robe "), "une [robe] bleue");
    }

    #[test]
    fn repeated_terms_are_counted_over_all_texts() {
        for (texts, query, expected) in [
            (vec!["bon"], "bon bon ", false),
            (vec!["bon prix, bon"], "bon bon ", true),
            (vec!["bon", "bon"], "bon bon ", true),
            (vec!["bon"], "bon bon", false),
            (vec!["bon bonjour"], "bon bon", true),
            (vec!["bon bonjour"], "bon bon ", false),
            (vec!["bon prix, bon prix"], "\"bon prix\" \"bon prix\" ", true),
            (vec!["bon prix, prix bon"], "\"bon prix\" \"bon prix\" ", false),
            (vec!["海上"], "海 海", false),
            (vec!["海上，上海"], "海 海", true),
            (vec!["哈哈哈"], "哈哈 哈哈", false),
            (vec!["哈哈哈哈"], "哈哈 哈哈", true),
            (vec!["👍"], "👍👍", false),
            (vec!["👍 ok 👍"], "👍👍", true),
            (vec!["bon"], "bon ", true),
        ] {
            let parsed = Query::parse(query).expect("a query");
            assert_eq!(has_repeats(&texts, &parsed), expected, "{texts:?} {query}");
        }
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
