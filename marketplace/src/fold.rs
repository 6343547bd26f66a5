//! Compares names without regard to case, accents, punctuation and plural.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Returns the text in lower case and without accents, with each run of characters other than letters and digits as a
/// single space.
///
/// A decimal sign between two digits stays, as a point: `38,5` is not `38`.
pub fn fold(text: &str) -> String {
    let plain: Vec<char> = text
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect();
    let mut folded = String::with_capacity(plain.len());
    for (at, &c) in plain.iter().enumerate() {
        match c {
            'œ' => folded.push_str("oe"),
            'æ' => folded.push_str("ae"),
            'ß' => folded.push_str("ss"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            '.' | ',' if between_digits(&plain, at) => folded.push('.'),
            _ if c.is_alphanumeric() => folded.push(c),
            _ if folded.is_empty() || folded.ends_with(' ') => {}
            _ => folded.push(' '),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

fn between_digits(text: &[char], at: usize) -> bool {
    at > 0 && text[at - 1].is_ascii_digit() && text.get(at + 1).is_some_and(char::is_ascii_digit)
}

/// How well a name matches the requested one, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// The same except for case.
    Literal,
    /// The same except for accents and punctuation.
    Folded,
    /// The same except for blanks too: `HM` for `H&M`.
    Squashed,
    /// One of the names that the name consists of: `M` for `M / 38 / 10`.
    Part,
    /// The same words except for singular or plural.
    Inflected,
    /// The name begins with these words.
    Prefix,
    /// The name begins with these letters.
    PartOfWord,
    /// Every word occurs in the name.
    Words,
}

impl Rank {
    /// Whether it is the name itself. Everything else is only like it.
    pub(crate) fn is_exact(self) -> bool {
        self <= Self::Part
    }
}

/// A name prepared for comparison.
#[derive(Clone, Debug)]
pub(crate) struct Folded {
    literal: String,
    text: String,
    /// The text as [`squash`] returns it.
    squashed: String,
}

impl Folded {
    pub(crate) fn new(text: &str) -> Self {
        let folded = fold(text);
        Self {
            literal: text.trim().to_lowercase(),
            squashed: squash(&folded),
            text: folded,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn squashed(&self) -> &str {
        &self.squashed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the names in a text that may consist of several: `XS / 34`, `38 (M)`.
    pub(crate) fn parts(&self) -> Vec<Self> {
        let parts = self.literal.split(['/', '(', ')']).map(Self::new);
        parts.filter(|part| !part.is_empty()).collect()
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ')
    }

    /// Returns how well this name matches `given`; `None` if it does not.
    pub(crate) fn answers(&self, given: &Self) -> Option<Rank> {
        if given.is_empty() || self.is_empty() {
            return None;
        }
        if self.literal == given.literal {
            return Some(Rank::Literal);
        }
        if self.text == given.text {
            return Some(Rank::Folded);
        }
        if self.squashed == given.squashed {
            return Some(Rank::Squashed);
        }
        let mut rest = self.words();
        if given
            .words()
            .all(|word| rest.next().is_some_and(|own| same_word(own, word)))
        {
            return Some(if rest.next().is_none() {
                Rank::Inflected
            } else {
                Rank::Prefix
            });
        }
        if self.text.starts_with(&given.text) {
            return Some(Rank::PartOfWord);
        }
        let all = given
            .words()
            .all(|word| self.words().any(|own| same_word(own, word)));
        all.then_some(Rank::Words)
    }
}

/// Returns a folded text without blanks, except between digits: `3-6` is not `36`.
pub(crate) fn squash(folded: &str) -> String {
    let mut squashed = String::with_capacity(folded.len());
    let mut rest = folded.chars().peekable();
    while let Some(c) = rest.next() {
        let parts_digits = squashed.ends_with(|before: char| before.is_ascii_digit())
            && rest.peek().is_some_and(char::is_ascii_digit);
        if c != ' ' || parts_digits {
            squashed.push(c);
        }
    }
    squashed
}

/// Whether two folded words differ at most in the ending of a plural. With any other ending it is another word: `Nikee`,
/// `Jeanss`.
fn same_word(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short == long {
        return true;
    }
    if short.len() < 3 || short.ends_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    match long.strip_prefix(short) {
        Some("s") => !short.ends_with(['s', 'x', 'z']),
        Some("x") => short.ends_with('u'),
        Some("es") => ["s", "x", "z", "ch", "sh"].iter().any(|end| short.ends_with(end)),
        Some(_) => false,
        None => short.strip_suffix('y').and_then(|stem| long.strip_prefix(stem)) == Some("ies"),
    }
}

/// Returns the edit distance: how many letters must be changed, added or removed.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(name: &str, given: &str) -> Option<Rank> {
        Folded::new(name).answers(&Folded::new(given))
    }

    #[test]
    fn folding_drops_case_accents_punctuation_but_keeps_decimals() {
        for (text, folded) in [
            ("  Très BON état ", "tres bon etat"),
            ("Sweats & pulls", "sweats pulls"),
            ("Levi's®", "levi s"),
            ("38,5", "38.5"),
            ("38.5 EU", "38.5 eu"),
            ("Cœur, æther", "coeur aether"),
            ("Größe", "grosse"),
            ("ΜΑΎΡΟΣ smeđa", "μαυροσ smeda"),
            ("μαύρος", "μαυροσ"),
            ("…", ""),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn literal_match_ranks_before_word_match() {
        for (name, given, expected) in [
            ("Bon état", "bon état", Some(Rank::Literal)),
            ("Bon état", "bon etat", Some(Rank::Folded)),
            ("H&M", "hm", Some(Rank::Squashed)),
            ("Levi's", "levis", Some(Rank::Squashed)),
            ("Hommes", "homme", Some(Rank::Inflected)),
            ("Accessories", "accessory", Some(Rank::Inflected)),
            ("Manteaux", "manteau", Some(Rank::Inflected)),
            ("Dresses", "dress", Some(Rank::Inflected)),
            ("Noir", "noire", None),
            ("Nike", "nikee", None),
            ("Jeans", "jeanss", None),
            ("Lila", "lilas", Some(Rank::Inflected)),
            ("3-6 mois", "36 mois", None),
            ("3-6 mois", "3-6mois", Some(Rank::Squashed)),
            ("Bon état", "bon", Some(Rank::Prefix)),
            ("Sweats à capuche", "sweat", Some(Rank::Prefix)),
            ("Adidas", "adi", Some(Rank::PartOfWord)),
            ("Très bon état", "bon", Some(Rank::Words)),
            ("Très bon état", "neuf", None),
            ("M", "", None),
            ("M", "S", None),
            ("10", "1", Some(Rank::PartOfWord)),
        ] {
            assert_eq!(rank(name, given), expected, "{name} for {given}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [
            ("nike", "nike", 0),
            ("nkie", "nike", 2),
            ("adidas", "adida", 1),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }
}
