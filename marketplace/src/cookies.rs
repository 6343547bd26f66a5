//! The site's cookies as data, and the import of a person's cookies in one of the formats that browsers and tools
//! export.
//!
//! Every parser here ignores what it does not know, and no error repeats a value.

mod curl;
mod formats;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Cookies;
use crate::markets::Market;

/// The maximum size of an import, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The maximum number of cookies in an import, more than any site sets.
const MOST_COOKIES: usize = 1_000;

static EMBEDDED: LazyLock<Rules> = LazyLock::new(|| {
    Rules::parse(include_str!("../data/cookies.toml")).expect("the embedded file is read by a test")
});

/// The meaning of the site's cookies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Without all of these, the member is not logged in.
    pub needed: Vec<String>,
    /// Set in every browser that has visited the site.
    pub usual: Vec<String>,
    /// Issued by a bot check to one browser.
    bot_check: Vec<String>,
    /// The member's token for calls.
    pub access: String,
    /// The token that renews it.
    pub refresh: String,
    /// The value that calls repeat as `X-Anon-Id`.
    pub anonymous_id: String,
}

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// All needed cookies, and the site's other cookies.
    pub cookies: Cookies,
    /// Names of the dropped cookies, in order: `(nameless)` for those without a name, and the part itself for a short
    /// part of a header without "=".
    pub dropped: Vec<String>,
    /// Names of the usual cookies that are missing.
    pub missing_usual: Vec<String>,
}

/// Why an import is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the import has {bytes} bytes, at most {MAX_BYTES} are allowed")]
    TooLarge { bytes: usize },
    #[error("{0}")]
    Malformed(String),
    #[error("cookies that a session needs are missing: {}", .missing.join(", "))]
    Missing {
        missing: Vec<String>,
        dropped: Vec<String>,
    },
    #[error("the session's cookies belong to {}", .domains.join(", "))]
    OtherMarket { domains: Vec<String> },
}

/// A cookie as it was given.
struct Cookie {
    /// Empty for a nameless cookie.
    name: String,
    /// Absent if the cookie is a name alone, or its value is not text.
    value: Option<Zeroizing<String>>,
    /// Absent if the import does not name it.
    domain: Option<String>,
    path: String,
}

/// Name, domain and path, by which exports distinguish cookies. A header has only names.
type Identity<'a> = (&'a str, Option<&'a str>, &'a str);

impl Cookie {
    fn value(&self) -> &str {
        self.value.as_ref().map_or("", |value| value.as_str())
    }

    fn identity(&self) -> Identity<'_> {
        (&self.name, self.domain.as_deref(), &self.path)
    }

    fn has_sound_name(&self) -> bool {
        !self.name.is_empty()
            && self
                .name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b";=,\"".contains(&byte))
    }

    /// Returns why a header cannot contain the cookie: it could end the header or the cookie itself.
    fn flaw(&self) -> Option<&'static str> {
        if self.value.is_none() {
            return Some("has no value");
        }
        let is_value = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b';';
        let is_sound = self.has_sound_name() && self.value().bytes().all(is_value);
        (!is_sound).then_some("contains characters that a cookie cannot contain")
    }
}

impl Rules {
    /// Returns the built-in rules.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Parses rules of an operator.
    ///
    /// # Errors
    /// The file does not have this structure.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Whether a bot check issues this cookie to one browser.
    pub fn is_of_bot_check(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.bot_check.iter().any(|rule| match rule.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *rule,
        })
    }

    /// Whether these cookies are those of a complete session.
    pub fn are_whole(&self, cookies: &Cookies) -> bool {
        self.needed
            .iter()
            .all(|name| cookies.get(name).is_some_and(|value| !value.is_empty()))
    }

    /// Takes the cookies of the market's site from a text in any of the formats; the text itself shows which one it is.
    /// Drops cookies that a bot check issued to the other browser, and cookies that a session does not need and that
    /// are malformed or have two values. Of repeated names, the last value that is not empty counts, because an
    /// anonymous visit first sets an empty token (as seen 2026, confidence A).
    ///
    /// # Errors
    /// The import is too large, has another format, has a needed cookie that is malformed or has two values, belongs to
    /// another market, or is not a complete session.
    pub fn take(&self, text: &str, market: &Market) -> Result<Brought, Error> {
        if text.len() > MAX_BYTES {
            return Err(Error::TooLarge { bytes: text.len() });
        }
        let given = formats::read(text, market)?;
        if given.len() > MOST_COOKIES {
            return Err(Error::Malformed(format!(
                "the import has {} cookies, which is too many",
                given.len()
            )));
        }
        let contradictory = self.contradictory(&given)?;
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        let (mut dropped, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
        // A part of a header that has no "=" may be a value, so only the response shows it, and no error.
        let mut bare = BTreeSet::new();
        for cookie in &given {
            let is_needed = self.needed.contains(&cookie.name);
            let domain = cookie.domain.as_deref().unwrap_or_default();
            if !domain.is_empty() && !belongs(domain, market) {
                if is_needed && other_market(domain, market) {
                    elsewhere.insert(domain.to_owned());
                }
                dropped.insert(shown(&cookie.name));
            } else if self.is_of_bot_check(&cookie.name) || contradictory.contains(&cookie.identity()) {
                dropped.insert(shown(&cookie.name));
            } else if let Some(flaw) = cookie.flaw() {
                if is_needed {
                    return Err(Error::Malformed(format!("cookie {:?} {flaw}", cookie.name)));
                }
                if cookie.value.is_none() {
                    bare.insert(shown(&cookie.name));
                } else {
                    dropped.insert(shown(&cookie.name));
                }
            } else if !cookie.value().is_empty() || !taken.contains_key(&cookie.name) {
                taken.insert(cookie.name.clone(), cookie.value().to_owned());
            }
        }
        if !given
            .iter()
            .any(|cookie| cookie.value.is_some() && cookie.has_sound_name())
        {
            return Err(formats::unreadable("the import contains no cookie"));
        }
        // A name that was given both for this site and for another one is not missing here.
        dropped.retain(|name| !taken.contains_key(name));
        let cookies = Cookies(taken);
        let absent = |names: &[String]| -> Vec<String> {
            let absent = names
                .iter()
                .filter(|name| cookies.get(name).is_none_or(str::is_empty));
            absent.cloned().collect()
        };
        let missing = absent(&self.needed);
        if !missing.is_empty() {
            return Err(if elsewhere.is_empty() {
                Error::Missing {
                    missing,
                    dropped: dropped.into_iter().collect(),
                }
            } else {
                Error::OtherMarket {
                    domains: elsewhere.into_iter().collect(),
                }
            });
        }
        dropped.append(&mut bare);
        Ok(Brought {
            missing_usual: absent(&self.usual),
            cookies,
            dropped: dropped.into_iter().collect(),
        })
    }

    /// Returns the cookies with two different values. Such a needed cookie is refused, because either value may be the
    /// session's.
    fn contradictory<'a>(&self, given: &'a [Cookie]) -> Result<BTreeSet<Identity<'a>>, Error> {
        let mut values: BTreeMap<Identity<'a>, &'a str> = BTreeMap::new();
        let mut contradictory = BTreeSet::new();
        for cookie in given.iter().filter(|cookie| !cookie.value().is_empty()) {
            let before = values.insert(cookie.identity(), cookie.value());
            if before.is_none_or(|before| before == cookie.value()) {
                continue;
            }
            if self.needed.contains(&cookie.name) {
                return Err(Error::Malformed(format!(
                    "cookie {:?} is given twice, with different values",
                    cookie.name
                )));
            }
            contradictory.insert(cookie.identity());
        }
        Ok(contradictory)
    }
}

/// Normalises a domain of an export, which may have a leading dot, a scheme or a port.
fn normal(domain: &str) -> String {
    let domain = domain.trim().to_ascii_lowercase();
    let domain = domain.split_once("://").map_or(domain.as_str(), |(_, rest)| rest);
    let domain = domain.trim_start_matches('.');
    let host = domain.split('/').next().unwrap_or_default();
    let without_port = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    without_port.map_or(host, |(host, _)| host).to_owned()
}

/// Whether a browser would send a cookie of that domain to the market's web host.
fn belongs(domain: &str, market: &Market) -> bool {
    match market.web_host() {
        Some(host) => domain == host || domain == market.site,
        None => domain == "localhost" || domain == "[::1]" || domain.starts_with("127."),
    }
}

fn other_market(domain: &str, market: &Market) -> bool {
    Market::all()
        .iter()
        .any(|other| other.site != market.site && !other.is_practice() && is_under(domain, &other.site))
}

fn is_under(domain: &str, site: &str) -> bool {
    domain == site || domain.ends_with(&format!(".{site}"))
}

/// Returns a name in the form in which responses and errors show it.
fn shown(name: &str) -> String {
    match name {
        "" => "(nameless)".to_owned(),
        name => name.chars().filter(|char| !char.is_control()).take(64).collect(),
    }
}

#[cfg(test)]
mod tests;
