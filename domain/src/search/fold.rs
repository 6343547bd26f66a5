//! Folds text into the words that are indexed and searched. Words that a person considers the same fold to the same
//! text.
//!
//! In scripts without word separators, such as Chinese, each sign is a word that joins the sign before it. The index
//! contains the pairs of neighbours ([`indexed`]), so that a run of signs is found in its order, and a lookup reads the
//! few texts with a pair instead of the many with a sign.
//!
//! Folding happens only here, so that the databases only compare words.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The version of words and marks. Increase it when they change: indexes of another version are rebuilt.
pub const VERSION: i64 = 3;
/// The maximum length of a word, in characters. Longer words are cut.
const WORD_MAX: usize = 64;

/// A word, as words are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// Whether the word is a sign that follows another sign directly.
    pub joins: bool,
}

impl Word {
    /// Whether the word is a sign of a script without word separators.
    pub fn is_sign(&self) -> bool {
        self.text.chars().all(is_sign)
    }
}

/// A word and its position in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedWord {
    pub word: Word,
    /// The range in the original text, in bytes.
    pub place: Range<usize>,
}

/// Returns the words of consecutive `words` as the index contains them: each sign together with the sign that joins it,
/// and every other word, as well as the last sign of a run, alone.
pub fn indexed(words: &[Word]) -> Vec<String> {
    let followers = words.iter().skip(1).map(Some).chain([None]);
    let pairs = words.iter().zip(followers);
    pairs
        .map(|(word, follower)| match follower {
            Some(follower) if follower.joins => format!("{}{}", word.text, follower.text),
            _ => word.text.clone(),
        })
        .collect()
}

/// Returns the words of a text in order, in lower case, without accents, decoration and stretching, and with ligatures
/// split. A character that is not a letter, a digit or an emoji separates words. An apostrophe also separates words,
/// except in a genitive: `l'écharpe` contains the word `echarpe`, and `Levi's` becomes `levis`.
pub fn words(text: &str) -> Vec<PlacedWord> {
    let mut words = Words::default();
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if is_decoration(c) {
            words.extend(&(at..end));
        } else if c == ZERO_WIDTH_SPACE {
            words.zero_width_space(&(at..end));
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
            words.separate();
        }
    }
    words.end();
    words.done
}

#[derive(Default)]
struct Words {
    done: Vec<PlacedWord>,
    text: String,
    length: usize,
    place: Range<usize>,
    /// Whether the last word is a sign that the next sign joins.
    in_run: bool,
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
            _ if is_decoration(c) => return self.extend(&place),
            // A separator inside a compatibility form.
            _ if !c.is_alphanumeric() => return self.separate(),
            _ if is_sign(c) => return self.sign(c, place),
            _ => return self.push(c, place),
        };
        for c in split.chars() {
            self.push(c, place.clone());
        }
    }

    fn push(&mut self, c: char, place: Range<usize>) {
        self.in_run = false;
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

    /// Adds a sign, which is a word on its own and joins a sign directly before it.
    fn sign(&mut self, c: char, place: Range<usize>) {
        let joins = self.in_run;
        self.alone(c, place);
        if let Some(last) = self.done.last_mut() {
            last.word.joins = joins;
        }
        self.in_run = true;
    }

    /// A zero-width space separates words, but in a run of signs it only allows a line break.
    fn zero_width_space(&mut self, place: &Range<usize>) {
        if self.in_run {
            self.extend(place);
        } else {
            self.end();
        }
    }

    fn separate(&mut self) {
        self.end();
        self.in_run = false;
    }

    /// Extends the word before a decoration by the decoration.
    fn extend(&mut self, mark: &Range<usize>) {
        if !self.text.is_empty() {
            self.place.end = mark.end;
        } else if let Some(last) = self.done.last_mut().filter(|last| last.place.end == mark.start) {
            last.place.end = mark.end;
        }
    }

    fn end(&mut self) {
        if !self.text.is_empty() {
            self.done.push(PlacedWord {
                word: Word {
                    text: std::mem::take(&mut self.text),
                    joins: false,
                },
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

const ZERO_WIDTH_SPACE: char = '\u{200B}';

/// Returns whether a character only decorates or stretches its word: combining marks, including variation selectors and
/// enclosing marks, and the characters that Unicode 16 says to ignore where they are not displayed
/// (Default_Ignorable_Code_Point), such as soft hyphens, joiners and direction marks.
fn is_decoration(c: char) -> bool {
    let is_stretching = matches!(c, '\u{0640}' | '\u{07FA}');
    let is_ignorable = matches!(
        c,
        '\u{00AD}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{180E}' | '\u{200C}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    );
    let is_skin_tone = matches!(c, '\u{1F3FB}'..='\u{1F3FF}');
    is_combining_mark(c) || is_stretching || is_ignorable || is_skin_tone
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

/// Returns whether a letter or digit belongs to a script without word separators.
fn is_sign(c: char) -> bool {
    matches!(
        c,
        // Thai and Lao, Myanmar, Khmer.
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
            // Ideographic signs of repetition and numerals, kana, Bopomofo.
            | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{312F}' | '\u{31A0}'..='\u{31BF}' | '\u{31F0}'..='\u{31FF}'
            | '\u{1AFF0}'..='\u{1B16F}'
            // Ideographs.
            | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{20000}'..='\u{323AF}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> String {
        let words: Vec<String> = words(text).into_iter().map(|placed| placed.word.text).collect();
        words.join(" ")
    }

    fn pairs(text: &str) -> String {
        let words: Vec<Word> = words(text).into_iter().map(|placed| placed.word).collect();
        indexed(&words).join(" ")
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
    fn decoration_and_stretching_are_folded_away() {
        for (text, expected) in [
            ("مـــرحـبا مرحبا", "مرحبا مرحبا"),
            // A presentation form that contains a tatweel.
            ("\u{FE71}", ""),
            ("ro\u{200D}be ro\u{200C}be ro\u{2060}be", "robe robe robe"),
            ("ro\u{FE0F}be ro\u{E0101}be", "robe robe"),
            ("r\u{20DD}o\u{20E3}b\u{489}e", "robe"),
            ("1\u{FE0F}\u{20E3}2", "12"),
            ("r\u{AD}ob\u{AD}e", "robe"),
            ("r\u{301}\u{301}\u{301}o\u{335}\u{336}be\u{34F}", "robe"),
            ("ro\u{3164}be \u{FFA0}", "robe"),
            ("上\u{E0100}海 上\u{200D}海", "上 海 上 海"),
            ("🏴\u{E0067}\u{E0062}\u{E007F}", "🏴"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn run_of_signs_is_indexed_in_pairs() {
        for (text, expected) in [
            ("上海", "上海 海"),
            ("海上", "海上 上"),
            ("上海发货吗？", "上海 海发 发货 货吗 吗"),
            ("上，海 上\n海", "上 海 上 海"),
            ("我在上海Nike店", "我在 在上 上海 海 nike 店"),
            ("上\u{200B}海 上\u{FE00}海", "上海 海 上海 海"),
            ("ﾃﾞｻﾞｲﾝ", "テサ サイ イン ン"),
            ("人々", "人々 々"),
            ("ราคา", "รา าค คา า"),
            ("น้ำ", "นา า"),
            ("👍上海👍海", "👍 上海 海 👍 海"),
            ("bon état", "bon etat"),
            ("서울에서 만나요", "서울에서 만나요"),
        ] {
            let expected: String = expected.nfkd().collect();
            assert_eq!(pairs(text), expected, "{text}");
        }
    }

    #[test]
    fn word_has_its_position_in_the_text() {
        let text = "« L'Écharpe e\u{301}te\u{301} »";
        let places: Vec<&str> = words(text)
            .into_iter()
            .map(|placed| &text[placed.place])
            .collect();
        assert_eq!(places, ["L", "Écharpe", "e\u{301}te\u{301}"]);
    }

    #[test]
    fn overlong_word_is_cut_to_its_beginning() {
        assert_eq!(words(&"é".repeat(5_000))[0].word.text, "e".repeat(WORD_MAX));
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
            let mut is_sign = false;
            for PlacedWord { word, place } in words(&text) {
                // One character may yield several words.
                prop_assert!(place.start >= before.start && place.end >= before.end);
                prop_assert!(text.get(place.clone()).is_some_and(|part| !part.is_empty()));
                prop_assert!(!word.text.is_empty() && word.text.chars().count() <= WORD_MAX);
                prop_assert!(!word.text.contains([' ', '\'', '"', '~', '\\', '\0']));
                prop_assert!(!word.joins || is_sign && word.is_sign());
                (before, is_sign) = (place, word.is_sign());
            }
        }
    }
}
