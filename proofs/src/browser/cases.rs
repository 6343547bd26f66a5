//! What can meet what, and cases in which every pair of it does.

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
/// What a member sees besides the form itself.
const SURROUNDINGS: [&str; 4] = ["plain", "overlaid", "suggesting", "restless"];
/// Requests that a challenge can be the answer to, in the order in which they are made.
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
/// Fields after which the captcha of a page can come over the form.
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
/// Of so many candidates the one is taken that covers most.
const CANDIDATES: usize = 12;
/// Each so manieth case has no challenge, so that a few of them are among any few cases.
const CALM_EVERY: usize = 4;

/// Where a challenge strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the answer to this request for a page.
    Page(&'static str),
    /// In the answer to this call.
    Call(&'static str),
    /// Over the form, after this field.
    Over(&'static str),
}

impl Place {
    /// The name that it has in the site's script.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Page(name) | Self::Call(name) | Self::Over(name) => name,
        }
    }
}

/// One way through the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub generation: &'static str,
    pub language: Language,
    pub surroundings: &'static str,
    /// Which challenge strikes, and where; none in calm cases.
    pub challenge: Option<(&'static str, Place)>,
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
    /// The pages as the practice site is told to make them.
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

    /// The rule by which the challenge strikes.
    #[must_use]
    pub fn rule(&self) -> Option<Value> {
        let (kind, place) = self.challenge?;
        Some(match place {
            Place::Page(on) | Place::Call(on) => json!({ "on": on, "do": { "challenge": kind } }),
            Place::Over(field) => json!({ "on": "form", "do": { "overlay_at": field } }),
        })
    }

    /// Its values, each beside what it is a value of.
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

/// Every challenge that can be: an emptied answer is no page, and what comes over a form is a captcha.
fn challenges() -> Vec<(&'static str, Place)> {
    let mut all = Vec::new();
    for kind in KINDS {
        if kind != "emptied_json" {
            all.extend(PAGES.map(|page| (kind, Place::Page(page))));
        }
        // A site that suggests nothing answers the same.
        let calls = CALLS
            .into_iter()
            .filter(|call| (kind, *call) != ("emptied_json", "suggestions"));
        all.extend(calls.map(|call| (kind, Place::Call(call))));
    }
    all.extend(FIELDS.map(|field| ("captcha_in_page", Place::Over(field))));
    all
}

/// Cases in which every pair of values that can meet does meet, calm ones among them; the same for the same seed.
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
    // Each challenge at each place once; then what is still to meet.
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

/// Cases in which a form goes on as if nothing were the matter, and only the answer to a call tells: where nothing tells a
/// challenge, these are published.
#[must_use]
pub fn unnoticed() -> Vec<Case> {
    let case = |(at, kind)| Case {
        generation: GENERATIONS[at % GENERATIONS.len()],
        language: LANGUAGES[at % LANGUAGES.len()],
        surroundings: "suggesting",
        challenge: Some((kind, Place::Call("suggestions"))),
    };
    let kinds = KINDS.into_iter().filter(|kind| *kind != "emptied_json");
    kinds.enumerate().map(case).collect()
}

fn all_with(challenge: Option<(&'static str, Place)>) -> Vec<Case> {
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
    fn every_pair_that_can_meet_meets_and_the_seed_decides_the_order() {
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
