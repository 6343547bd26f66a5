//! One form of text for everything that people write and that a site answers, and lengths as people count them.
//!
//! A text from a caller passes [`normalize`], or [`normalize_name`] if it is a title or a name. A text from a site
//! passes [`cleaned`] or [`cleaned_name`]. Texts are compared in the form of [`comparable`]. Lengths and cuts are in
//! grapheme clusters: [`length`], [`beginning`].

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{EmojiStatus, UnicodeEmoji};
use unicode_segmentation::UnicodeSegmentation;

/// The maximum number of code points that count as one grapheme cluster. The longest emoji in use has ten.
const GRAPHEME_CHARS_MAX: usize = 16;
/// The variation selectors that ask for the text or the emoji form of a character.
const TEXT_FORM: char = '\u{fe0e}';
const EMOJI_FORM: char = '\u{fe0f}';

/// Returns a text in the common form: without byte order marks, with `\n` as the line break and a blank for a tab, and
/// in Unicode normalization form C. Other control characters stay, so that a check can name them.
pub fn normalize(text: &str) -> Cow<'_, str> {
    if is_nfc(text) && !text.contains(['\u{feff}', '\r', '\t']) {
        return Cow::Borrowed(text);
    }
    let lines = text.replace('\u{feff}', "").replace("\r\n", "\n");
    let plain = lines.chars().map(|c| match c {
        '\r' => '\n',
        '\t' => ' ',
        other => other,
    });
    Cow::Owned(plain.nfc().collect())
}

/// Returns a title or a name in the common form, without bidirectional controls. With these, a text could look like
/// another one: `gpj.exe` like `exe.jpg`. A line break stays, so that a check can refuse it.
pub fn normalize_name(text: &str) -> Cow<'_, str> {
    if !text.contains(is_bidi_control) {
        return normalize(text);
    }
    let plain: String = text.chars().filter(|c| !is_bidi_control(*c)).collect();
    Cow::Owned(normalize(&plain).into_owned())
}

/// Returns a text from a site in the common form, in which it can be stored and sent again. A control character other
/// than `\n` becomes a blank if it is white space; otherwise it is removed.
pub fn cleaned(text: &str) -> String {
    without_controls(&normalize(text), |c| c == '\n')
}

/// Returns a title or a name from a site in the common form, on one line, without bidirectional controls and without
/// white space at its ends.
pub fn cleaned_name(text: &str) -> String {
    without_controls(&normalize_name(text), |_| false)
        .trim()
        .to_owned()
}

/// Returns the form in which texts are compared. A site may change kinds of white space, line breaks, white space at
/// the ends of lines and of the text, the Unicode form of letters, and invisible controls.
pub fn comparable(text: &str) -> String {
    let plain = without_controls(&normalize_name(text), |c| c == '\n');
    let lines = plain.split('\n').map(|line| {
        let spaced: String = line
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .collect();
        spaced.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Returns whether a person sees nothing of a text: it consists of white space, controls and invisible characters.
pub fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_whitespace() || c.is_control() || is_bidi_control(c) || is_invisible(c))
}

/// Returns the extended grapheme clusters of a text (Unicode Annex 29): the characters that a person sees. A flag is
/// one.
pub fn graphemes(text: &str) -> impl Iterator<Item = &str> {
    text.graphemes(true)
}

/// Returns the length of a text in grapheme clusters. A cluster of more than 16 code points counts once for each 16 of
/// them, so that a maximum length also limits the bytes.
pub fn length(text: &str) -> usize {
    graphemes(text).map(weight).sum()
}

/// Returns the beginning of a text, of at most `max` grapheme clusters as counted by [`length`].
pub fn beginning(text: &str, max: usize) -> &str {
    let mut taken = 0;
    let end = text.grapheme_indices(true).find(|(_, grapheme)| {
        taken += weight(grapheme);
        taken > max
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// Returns whether a grapheme cluster is shown as an emoji (Unicode Technical Standard 51). Characters that are text
/// by default, such as `©`, are emoji only with the variation selector that asks for it.
pub fn is_emoji(grapheme: &str) -> bool {
    let is_shown = |c: char| {
        matches!(
            c.emoji_status(),
            EmojiStatus::EmojiPresentation
                | EmojiStatus::EmojiPresentationAndModifierBase
                | EmojiStatus::EmojiPresentationAndEmojiComponent
                | EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
        )
    };
    let asks_for_emoji = grapheme.contains(EMOJI_FORM) && grapheme.chars().any(|c| c.is_emoji_char());
    asks_for_emoji || (!grapheme.contains(TEXT_FORM) && grapheme.chars().any(is_shown))
}

fn weight(grapheme: &str) -> usize {
    grapheme.chars().count().div_ceil(GRAPHEME_CHARS_MAX)
}

/// Returns whether a character is a bidirectional control: a mark, embedding, override or isolate (Unicode Annex 9,
/// section 2).
fn is_bidi_control(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Returns whether a character has no glyph, although it is neither white space nor a control: joiners, fillers, the
/// empty Braille pattern, variation selectors and tags.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn without_controls(text: &str, stays: impl Fn(char) -> bool) -> String {
    let plain = text.chars().filter_map(|c| {
        if !c.is_control() || stays(c) {
            Some(c)
        } else {
            c.is_whitespace().then_some(' ')
        }
    });
    // A letter and its accent may have been separated by a control character.
    plain.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLAND: &str = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
    const FAMILY: &str = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}";

    #[test]
    fn text_has_one_form() {
        for (text, expected) in [
            ("", ""),
            ("Porté deux fois.\nTaille 38", "Porté deux fois.\nTaille 38"),
            ("a\r\nb\rc\n\r\nd", "a\nb\nc\n\nd"),
            ("\u{feff}a\tb\u{feff}", "a b"),
            ("a\r\u{feff}\nb", "a\nb"),
            ("e\u{301}te\u{301}", "été"),
            ("e\u{feff}\u{301}", "é"),
            ("\u{212b}", "\u{c5}"),
            ("a\u{b}b\0", "a\u{b}b\0"),
            ("שלום\u{200f}!", "שלום\u{200f}!"),
        ] {
            assert_eq!(normalize(text), expected, "{text:?}");
            assert_eq!(normalize(expected), expected, "{text:?} twice");
        }
        assert!(
            matches!(normalize("été\n"), Cow::Borrowed(_)),
            "nothing is copied"
        );
    }

    #[test]
    fn name_loses_bidirectional_controls() {
        let controls = [
            '\u{061c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
            '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
        ];
        for control in controls {
            let text = format!("{control}Robe{control} e{control}\u{301}te\u{301}{control}");
            assert_eq!(normalize_name(&text), "Robe été", "{control:?}");
        }
        assert_eq!(normalize_name("a\tb\r\nc"), "a b\nc");
        assert_eq!(normalize_name(FAMILY), FAMILY, "joiners belong to emoji");
    }

    #[test]
    fn text_from_a_site_has_no_controls() {
        assert_eq!(cleaned("\u{feff}a\r\nb\tc\u{b}d\0e\u{7f}"), "a\nb c de");
        assert_eq!(cleaned("e\0\u{301}"), "é");
        assert_eq!(cleaned_name(" \u{202e}Robe\r\nbleue\u{202c}\0 "), "Robe bleue");
    }

    #[test]
    fn white_space_line_ends_and_forms_compare_equal() {
        for (one, other) in [
            ("29,00\u{a0}€", "29,00\u{202f}€ "),
            ("one\r\ntwo\n", "one\ntwo"),
            ("one \rtwo", "one\ntwo"),
            ("\u{feff}été", "e\u{301}te\u{301}"),
            ("a\tb", "a b"),
            ("שלום\u{200f}!", "שלום!"),
        ] {
            assert_eq!(comparable(one), comparable(other), "{one:?}");
        }
        for (one, other) in [("one\ntwo", "one two"), ("ete", "été"), ("a", "A"), ("❤", "👍")] {
            assert_ne!(comparable(one), comparable(other), "{one:?}");
        }
    }

    #[test]
    fn text_without_a_visible_character_is_blank() {
        for text in [
            "",
            " \n\u{a0}\u{3000}",
            "\u{200b}",
            "\u{200d}\u{fe0f}",
            "\u{2800}\u{3164}\u{ad}",
            "\u{202e}\u{feff}\u{7}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in [
            "a",
            ".",
            "\u{301}",
            FAMILY,
            ENGLAND,
            "1\u{fe0f}\u{20e3}",
            "ก",
            "ع",
        ] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn length_counts_what_people_see() {
        for (text, expected) in [
            ("", 0),
            ("été", 3),
            ("e\u{301}te\u{301}", 3),
            ("\u{1f1eb}\u{1f1f7}", 1),
            ("\u{1f1eb}\u{1f1f7}\u{1f1ec}\u{1f1e7}", 2),
            (ENGLAND, 1),
            (FAMILY, 1),
            ("\u{1f44d}\u{1f3fd}", 1),
            ("\u{2764}\u{fe0f}\u{2764}\u{fe0f}", 2),
        ] {
            assert_eq!(length(text), expected, "{text}");
        }
        let piled = format!("e{}", "\u{301}".repeat(1_599));
        assert_eq!(length(&piled), 100, "piled accents do not evade a limit");
    }

    #[test]
    fn text_is_cut_between_graphemes() {
        let text = format!("a{ENGLAND}b");
        assert_eq!(beginning(&text, 0), "");
        assert_eq!(beginning(&text, 1), "a");
        assert_eq!(beginning(&text, 2), format!("a{ENGLAND}"));
        assert_eq!(beginning(&text, 3), text);
        assert_eq!(beginning(&text, 9), text);
    }

    #[test]
    fn emoji_are_told_from_other_signs() {
        for emoji in [
            "✨",
            "🔥",
            ENGLAND,
            FAMILY,
            "\u{1f1e9}\u{1f1ea}",
            "\u{2764}\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "\u{1f44d}\u{1f3fd}",
        ] {
            assert!(is_emoji(emoji), "{emoji}");
        }
        for other in [
            "a",
            "é",
            "ß",
            "1",
            "#",
            "®",
            "™",
            "★",
            "€",
            "…",
            " ",
            "服",
            "✨\u{fe0e}",
            "\u{2764}",
        ] {
            assert!(!is_emoji(other), "{other}");
        }
    }
}
