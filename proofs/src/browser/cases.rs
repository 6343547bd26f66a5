//! The values of each dimension, and cases that cover every pair of them.

use std::collections::BTreeSet;
use std::fmt;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use vintedbot_marketplace::Language;

const GENERATIONS: [&str; 4] = ["2023", "2026-05", "2026-07", "2026-09"];
const LANGUAGES: [Language; 3] = [Language::Fr, Language::En, Language::De];
const KINDS: [&str; 12] = [
    "captcha_in_page",
    "bot_check_on_call",
    "cloudflare",
    "second_factor",
    "account_verification",
    "login_lost",
    "session_refresh",
    "rate_limit",
    "restriction",
    "broken_page",
    "unknown_block",
    "emptied_json",
];
/// The variants of the page around the form.
const SURROUNDINGS: [&str; 4] = ["plain", "overlaid", "suggesting", "restless"];
/// The requests that a challenge can answer, in the order in which they are made.
const PAGES: [&str; 2] = ["form", "edit_form"];
const CALLS: [&str; 10] = [
    "categories",
    "photo",
    "suggestions",
    "attributes",
    "colors",
    "package_sizes",
    "brands",
    "save_draft",
    "item",
    "publish",
];
/// The fields after which a captcha can cover the form.
const FIELDS: [&str; 12] = [
    "photos",
    "title",
    "description",
    "category",
    "brand",
    "size",
    "condition",
    "colors",
    "materials",
    "price",
    "package_size",
    "submit",
];
/// The number of random candidates. The candidate that covers most pairs is used.
const CANDIDATES: usize = 12;
/// Each case with a multiple of this number has no challenge, so that every small sample contains some.
const CALM_EVERY: usize = 4;

/// The point at which a challenge appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChallengePoint {
    /// In the answer to this page request.
    Page(&'static str),
    /// In the answer to this call.
    Call(&'static str),
    /// Over the form, after this field.
    Over(&'static str),
}

impl ChallengePoint {
    /// Returns the point's name in the site's script.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Page(name) | Self::Call(name) | Self::Over(name) => name,
        }
    }
}

/// One run through the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub generation: &'static str,
    pub language: Language,
    pub surroundings: &'static str,
    /// The challenge and its point; none in calm cases.
    pub challenge: Option<(&'static str, ChallengePoint)>,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            generation,
            language,
            surroundings,
            challenge,
        } = self;
        write!(formatter, "{generation} {} {surroundings}", language.code())?;
        match challenge {
            Some((kind, place)) => write!(formatter, ", {kind} at {place:?}"),
            None => formatter.write_str(", calm"),
        }
    }
}

impl Case {
    /// Returns the appearance of the pages for the practice site.
    #[must_use]
    pub fn pages(&self) -> Value {
        let is = |surroundings: &str| self.surroundings == surroundings;
        json!({
            "markup": self.generation,
            "cookie_banner": is("overlaid"),
            "country_dialog": is("overlaid"),
            "ai_category": is("suggesting"),
            "brand_suggestions": is("suggesting"),
            "package_suggestion": is("suggesting"),
            "recreate_photo_input": is("restless"),
            "sell_link_only": is("restless"),
            "lands_on": if is("restless") { "item" } else { "member" },
        })
    }

    /// Returns the rule that makes the challenge appear.
    #[must_use]
    pub fn rule(&self) -> Option<Value> {
        let (kind, place) = self.challenge?;
        Some(match place {
            ChallengePoint::Page(on) | ChallengePoint::Call(on) => {
                json!({ "on": on, "do": { "challenge": kind } })
            }
            ChallengePoint::Over(field) => json!({ "on": "form", "do": { "overlay_at": field } }),
        })
    }

    /// Returns the case's values, each with the name of its dimension.
    fn values(&self) -> Vec<String> {
        let mut values = vec![
            format!("generation {}", self.generation),
            format!("language {}", self.language.code()),
            format!("surroundings {}", self.surroundings),
        ];
        match self.challenge {
            Some((kind, place)) => values.extend([format!("kind {kind}"), format!("place {place:?}")]),
            None => values.push("calm".to_owned()),
        }
        values
    }

    fn pairs(&self) -> BTreeSet<(String, String)> {
        let values = self.values();
        let mut pairs = BTreeSet::new();
        for (at, one) in values.iter().enumerate() {
            for other in &values[at + 1..] {
                pairs.insert((one.clone(), other.clone()));
            }
        }
        pairs
    }
}

/// Returns all possible challenges: only calls can have an emptied answer, and only a captcha can cover a form.
fn challenges() -> Vec<(&'static str, ChallengePoint)> {
    let mut all = Vec::new();
    for kind in KINDS {
        if kind != "emptied_json" {
            all.extend(PAGES.map(|page| (kind, ChallengePoint::Page(page))));
        }
        // If the site suggests nothing, the answer is the same.
        let calls = CALLS
            .into_iter()
            .filter(|call| (kind, *call) != ("emptied_json", "suggestions"));
        all.extend(calls.map(|call| (kind, ChallengePoint::Call(call))));
    }
    all.extend(FIELDS.map(|field| ("captcha_in_page", ChallengePoint::Over(field))));
    all
}

/// Returns cases that cover every possible pair of values, including calm cases. The same seed gives the same cases.
#[must_use]
pub fn covering(seed: u64) -> Vec<Case> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut stormy: Vec<_> = challenges().into_iter().map(Some).collect();
    stormy.shuffle(&mut chance);
    let mut missing = BTreeSet::new();
    for challenge in stormy.iter().copied().chain([None]) {
        for case in all_with(challenge) {
            missing.extend(case.pairs());
        }
    }
    let mut cover = |challenge, missing: &mut BTreeSet<(String, String)>| {
        let candidates = (0..CANDIDATES).map(|_| Case {
            generation: GENERATIONS[chance.random_range(0..GENERATIONS.len())],
            language: LANGUAGES[chance.random_range(0..LANGUAGES.len())],
            surroundings: SURROUNDINGS[chance.random_range(0..SURROUNDINGS.len())],
            challenge,
        });
        let gain = |case: &Case| case.pairs().intersection(missing).count();
        let best = candidates.max_by_key(gain)?;
        (gain(&best) > 0).then(|| {
            missing.retain(|pair| !best.pairs().contains(pair));
            best
        })
    };
    // Adds each challenge at each point once, then the pairs that are not covered yet.
    let mut storms: Vec<Case> = stormy
        .iter()
        .filter_map(|challenge| cover(*challenge, &mut missing))
        .collect();
    let mut calm = Vec::new();
    while let Some(pair) = missing.first().cloned() {
        let with = |case: &Case| case.pairs().contains(&pair);
        let challenges = stormy.iter().copied().chain([None]);
        let Some(case) = challenges.flat_map(all_with).find(with) else {
            break;
        };
        missing.retain(|pair| !case.pairs().contains(pair));
        if case.challenge.is_some() {
            &mut storms
        } else {
            &mut calm
        }
        .push(case);
    }
    let mut cases = Vec::new();
    let mut calm = calm.into_iter();
    for (at, storm) in storms.into_iter().enumerate() {
        if at.is_multiple_of(CALM_EVERY - 1) {
            cases.extend(calm.next());
        }
        cases.push(storm);
    }
    cases.extend(calm);
    cases
}

/// Returns cases in which the form continues normally, and only the answer to a call reveals the challenge. Without the
/// detector, these cases are published.
#[must_use]
pub fn unnoticed() -> Vec<Case> {
    let case = |(at, kind)| Case {
        generation: GENERATIONS[at % GENERATIONS.len()],
        language: LANGUAGES[at % LANGUAGES.len()],
        surroundings: "suggesting",
        challenge: Some((kind, ChallengePoint::Call("suggestions"))),
    };
    let kinds = KINDS.into_iter().filter(|kind| *kind != "emptied_json");
    kinds.enumerate().map(case).collect()
}

fn all_with(challenge: Option<(&'static str, ChallengePoint)>) -> Vec<Case> {
    let mut all = Vec::new();
    for generation in GENERATIONS {
        for language in LANGUAGES {
            for surroundings in SURROUNDINGS {
                all.push(Case {
                    generation,
                    language,
                    surroundings,
                    challenge,
                });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_possible_pair_occurs_in_seed_order() {
        let cases = covering(1);
        let met: BTreeSet<_> = cases.iter().flat_map(Case::pairs).collect();
        let challenges = challenges().into_iter().map(Some).chain([None]);
        for case in challenges.flat_map(all_with) {
            for pair in case.pairs() {
                assert!(met.contains(&pair), "{pair:?}");
            }
        }
        assert!(cases.len() < 250, "{}", cases.len());
        assert_eq!(cases, covering(1));
        assert_ne!(cases, covering(2));
        let calm = cases.iter().take(12).filter(|case| case.challenge.is_none());
        assert!(calm.count() >= 3);
    }
}
