//! Folds text into the words that are indexed and searched. Words that a person considers the same fold to the same
//! text.
//!
//! Folding happens only here, so that the databases only compare words.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The version of words and marks. Increase it when they change: indexes of another version are rebuilt.
pub const VERSION: i64 = 2;
/// The maximum length of a word, in characters. Longer words are cut.
const WORD_MAX: usize = 64;

/// A word and its position in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// The range in the original text, in bytes.
    pub place: Range<usize>,
}

/// Returns the words of a text in order, in lower case, without accents and with ligatures split. A character that is
/// not a letter, a digit or an emoji separates words. An apostrophe also separates words, except in a genitive:
/// `l'écharpe` contains the word `echarpe`, and `Levi's` becomes `levis`.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Words::default();
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if is_combining_mark(c) || is_invisible(c) {
            words.extend(&(at..end));
        } else if is_half_flag(c) {
            words.half_flag(c, at..end);
        } else if is_emoji(c) {
            words.alone(c, at..end);
        } else if c.is_alphanumeric() {
            if words.is_half_flag() {
                words.end();
            }
            for folded in c.nfkd().flat_map(char::to_lowercase).nfkd() {
                words.fold(folded, at..end);
            }
        } else if !(is_apostrophe(c) && is_genitive(&text[end..])) {
            words.end();
        }
    }
    words.end();
    words.done
}

#[derive(Default)]
struct Words {
    done: Vec<Word>,
    text: String,
    length: usize,
    place: Range<usize>,
}

impl Words {
    fn half_flag(&mut self, c: char, place: Range<usize>) {
        let is_second = self.is_half_flag();
        if !is_second {
            self.end();
        }
        self.push(c, place);
        if is_second {
            self.end();
        }
    }

    /// Returns whether the current word is the first half of a flag.
    fn is_half_flag(&self) -> bool {
        self.text.chars().next().is_some_and(is_half_flag)
    }

    fn fold(&mut self, c: char, place: Range<usize>) {
        let split = match c {
            'œ' => "oe",
            'æ' => "ae",
            'ß' => "ss",
            'þ' => "th",
            'ø' => "o",
            'ł' => "l",
            'đ' | 'ð' => "d",
            'ħ' => "h",
            'ŧ' => "t",
            'ı' => "i",
            'ŋ' => "n",
            'ĸ' => "k",
            'ς' => "σ",
            _ if is_combining_mark(c) => return self.extend(&place),
            _ if is_ideograph(c) => return self.alone(c, place),
            _ if c.is_alphanumeric() => return self.push(c, place),
            // A separator inside a compatibility form.
            _ => return self.end(),
        };
        for c in split.chars() {
            self.push(c, place.clone());
        }
    }

    fn push(&mut self, c: char, place: Range<usize>) {
        if self.text.is_empty() {
            self.place = place.clone();
        }
        self.place.end = place.end;
        if self.length < WORD_MAX {
            self.text.push(c);
            self.length += 1;
        }
    }

    /// Adds a character that is a word on its own.
    fn alone(&mut self, c: char, place: Range<usize>) {
        self.end();
        self.push(c, place);
        self.end();
    }

    /// Extends the word before a combining mark by the mark.
    fn extend(&mut self, mark: &Range<usize>) {
        if !self.text.is_empty() {
            self.place.end = mark.end;
        } else if let Some(last) = self.done.last_mut().filter(|last| last.place.end == mark.start) {
            last.place.end = mark.end;
        }
    }

    fn end(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Word {
                text: std::mem::take(&mut self.text),
                place: self.place.clone(),
            });
        }
        self.length = 0;
    }
}

fn is_apostrophe(c: char) -> bool {
    matches!(
        c,
        '\'' | '\u{2019}' | '\u{2018}' | '\u{02BC}' | '\u{2032}' | '`' | '´'
    )
}

/// Returns whether an `s` follows that ends the word.
fn is_genitive(rest: &str) -> bool {
    let mut rest = rest.chars();
    matches!(rest.next(), Some('s' | 'S'))
        && !rest
            .next()
            .is_some_and(|c| c.is_alphanumeric() || is_combining_mark(c))
}

/// Returns whether a character is invisible inside words: soft hyphens, joiners, direction marks.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}' | '\u{200C}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
            // Skin tone modifiers.
            | '\u{1F3FB}'..='\u{1F3FF}'
    )
}

fn is_emoji(c: char) -> bool {
    matches!(
        c,
        '\u{203C}' | '\u{2049}' | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{25A0}'..='\u{27BF}'
            | '\u{2900}'..='\u{297F}' | '\u{2B00}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}'
    )
}

/// Returns whether a character is half of a flag, which consists of two regional indicators.
fn is_half_flag(c: char) -> bool {
    matches!(c, '\u{1F1E6}'..='\u{1F1FF}')
}

/// Returns whether a character belongs to a script without word separators. Each such character is a word.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{20000}'..='\u{2FA1F}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> String {
        let words: Vec<String> = words(text).into_iter().map(|word| word.text).collect();
        words.join(" ")
    }

    #[test]
    fn equivalent_spellings_fold_to_the_same_word() {
        for (text, expected) in [
            ("  Très BON état ", "tres bon etat"),
            ("l'écharpe L\u{2019}Écharpe", "l echarpe l echarpe"),
            ("Levi's, LEVI\u{2019}S levis", "levis levis levis"),
            ("aujourd'hui c'est", "aujourd hui c est"),
            ("Cœur, ÆTHER, Größe, STRAẞE", "coeur aether grosse strasse"),
            (
                "ﬁne Ångström Łódź Đorđe smørrebrød",
                "fine angstrom lodz dorde smorrebrod",
            ),
            ("e\u{301}te\u{301} été", "ete ete"),
            ("İstanbul ISPARTA ılık", "istanbul isparta ilik"),
            ("ΟΔΟΣ οδος Οδός", "οδοσ οδοσ οδοσ"),
            ("Nike™ H&M 38,5 t-shirt", "nike h m 38 5 t shirt"),
            ("merci👍🏽beaucoup ❤️", "merci 👍 beaucoup ❤"),
            ("⌚⏰▶️ 🇫🇷🇬🇷a 🇫b", "⌚ ⏰ ▶ 🇫🇷 🇬🇷 a 🇫 b"),
            ("שָׁלוֹם مرحبا", "שלום مرحبا"),
            ("毛衣コート", "毛 衣 コ ー ト"),
            ("so\u{AD}ft a\u{200B}b", "soft a b"),
            ("** \"\" -- …", ""),
            ("a\0b", "a b"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn word_has_its_position_in_the_text() {
        let text = "« L'Écharpe e\u{301}te\u{301} »";
        let places: Vec<&str> = words(text).into_iter().map(|word| &text[word.place]).collect();
        assert_eq!(places, ["L", "Écharpe", "e\u{301}te\u{301}"]);
    }

    #[test]
    fn overlong_word_is_cut_to_its_beginning() {
        assert_eq!(words(&"é".repeat(5_000))[0].text, "e".repeat(WORD_MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn folding_is_idempotent(text in "\\PC{0,60}|[ -~éœßİıﬁ'’\u{301}\u{AD}👍日0-9🇫🇷⌚]{0,60}") {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once);
        }

        #[test]
        fn word_positions_are_ascending(text in any::<String>()) {
            let mut before = 0..0;
            for word in words(&text) {
                // One character may yield several words.
                prop_assert!(word.place.start >= before.start && word.place.end >= before.end);
                prop_assert!(text.get(word.place.clone()).is_some_and(|part| !part.is_empty()));
                prop_assert!(!word.text.is_empty() && word.text.chars().count() <= WORD_MAX);
                prop_assert!(!word.text.contains([' ', '\'', '"', '~', '\\', '\0']));
                before = word.place;
            }
        }
    }
}
