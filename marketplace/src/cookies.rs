//! The site's cookies as data, and the import of a person's cookies from a `Cookie` header or a JSON export.
//!
//! Every parser here ignores what it does not know, and no error repeats a value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
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

/// The cookies that a person imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// `name=value; name=value`, with or without `Cookie:` before it.
    Header(&'a str),
    /// An array of objects with `name`, `value` and `domain`, or an object with such an array as `cookies`.
    Export(&'a str),
}

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// All needed cookies, and the site's other cookies.
    pub cookies: Cookies,
    /// Names of the dropped cookies, in order.
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

struct Cookie {
    name: String,
    value: Zeroizing<String>,
    /// Absent if the import does not name it.
    domain: Option<String>,
    path: String,
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

    /// Takes the cookies of the market's site, and drops those that a bot check issued to the other browser. Of
    /// repeated names, the last value that is not empty counts, because an anonymous visit first sets an empty token
    /// (as seen 2026, confidence A). A cookie with two different values is refused.
    ///
    /// # Errors
    /// The import is too large, is malformed, gives a cookie two values, belongs to another market, or is not a
    /// complete session.
    pub fn take(&self, source: &Source<'_>, market: &Market) -> Result<Brought, Error> {
        let (Source::Header(text) | Source::Export(text)) = source;
        if text.len() > MAX_BYTES {
            return Err(Error::TooLarge { bytes: text.len() });
        }
        let given = match source {
            Source::Header(text) => header(text)?,
            Source::Export(text) => export(text)?,
        };
        if given.len() > MOST_COOKIES {
            return Err(Error::Malformed(format!(
                "the import has {} cookies, which is too many",
                given.len()
            )));
        }
        self.refuse_two_values(&given)?;
        let mut taken: BTreeMap<String, String> = BTreeMap::new();
        let (mut dropped, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
        for cookie in given {
            let domain = cookie.domain.as_deref().unwrap_or_default();
            if !domain.is_empty() && !belongs(domain, market) {
                if self.needed.contains(&cookie.name) && other_market(domain, market) {
                    elsewhere.insert(domain.to_owned());
                }
                dropped.insert(cookie.name);
            } else if self.is_of_bot_check(&cookie.name) {
                dropped.insert(cookie.name);
            } else if !cookie.value.is_empty() || !taken.contains_key(&cookie.name) {
                check(&cookie)?;
                taken.insert(cookie.name.clone(), cookie.value.as_str().to_owned());
            }
        }
        // A name that was given both for this site and for another one is not missing here.
        dropped.retain(|name| !taken.contains_key(name));
        let cookies = Cookies(taken);
        let dropped: Vec<String> = dropped.into_iter().collect();
        let absent = |names: &[String]| -> Vec<String> {
            let absent = names
                .iter()
                .filter(|name| cookies.get(name).is_none_or(str::is_empty));
            absent.cloned().collect()
        };
        let missing = absent(&self.needed);
        if !missing.is_empty() {
            return Err(if elsewhere.is_empty() {
                Error::Missing { missing, dropped }
            } else {
                Error::OtherMarket {
                    domains: elsewhere.into_iter().collect(),
                }
            });
        }
        Ok(Brought {
            missing_usual: absent(&self.usual),
            cookies,
            dropped,
        })
    }
}

impl Rules {
    /// Refuses a cookie with two values. Exports distinguish cookies of one name by domain and path; a header does not.
    fn refuse_two_values(&self, given: &[Cookie]) -> Result<(), Error> {
        let mut values: BTreeMap<_, &str> = BTreeMap::new();
        let telling = |cookie: &&Cookie| !cookie.value.is_empty() && !self.is_of_bot_check(&cookie.name);
        for cookie in given.iter().filter(telling) {
            let key = (&cookie.name, &cookie.domain, &cookie.path);
            let before = values.insert(key, &cookie.value);
            if before.is_some_and(|before| before != cookie.value.as_str()) {
                return Err(Error::Malformed(format!(
                    "cookie {:?} is given twice, with different values",
                    shown(&cookie.name)
                )));
            }
        }
        Ok(())
    }
}

fn header(text: &str) -> Result<Vec<Cookie>, Error> {
    let text = text.trim();
    refuse_control_characters(text)?;
    let is_named = text
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("cookie:"));
    let pairs = if is_named { &text[7..] } else { text };
    let mut cookies = Vec::new();
    for pair in pairs.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Error::Malformed("a part has no \"=\"; the format is name=value; name=value".to_owned())
        })?;
        cookies.push(Cookie {
            name: name.trim().to_owned(),
            value: Zeroizing::new(value.trim().to_owned()),
            domain: None,
            path: "/".to_owned(),
        });
    }
    if cookies.is_empty() {
        return Err(Error::Malformed("the import contains no cookie".to_owned()));
    }
    Ok(cookies)
}

fn export(text: &str) -> Result<Vec<Cookie>, Error> {
    // serde_json's own message would repeat the input.
    let json: Value = serde_json::from_str(text).map_err(|error| {
        Error::Malformed(format!(
            "the import is not JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    let list = json
        .as_array()
        .or_else(|| json["cookies"].as_array())
        .ok_or_else(|| {
            Error::Malformed(
                "the import must be an array of cookies, or an object with such an array as \"cookies\""
                    .to_owned(),
            )
        })?;
    let mut cookies = Vec::new();
    for (at, each) in list.iter().enumerate() {
        let text = |key: &str| each[key].as_str().map(str::to_owned);
        let (Some(name), Some(value)) = (text("name"), text("value")) else {
            return Err(Error::Malformed(format!("cookie {at} has no name or no value")));
        };
        let domain = text("domain").or_else(|| text("host"));
        cookies.push(Cookie {
            name,
            value: Zeroizing::new(value),
            domain: domain.map(|domain| normal(&domain)),
            path: text("path").unwrap_or_else(|| "/".to_owned()),
        });
    }
    if cookies.is_empty() {
        return Err(Error::Malformed("the import contains no cookie".to_owned()));
    }
    Ok(cookies)
}

/// Normalises a domain of an export, which may have a leading dot, a scheme or a port.
fn normal(domain: &str) -> String {
    let domain = domain.trim().to_ascii_lowercase();
    let domain = domain.split_once("://").map_or(domain.as_str(), |(_, rest)| rest);
    let domain = domain.trim_start_matches('.');
    let host = domain.split('/').next().unwrap_or_default();
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        _ => host.to_owned(),
    }
}

/// Whether a browser would send a cookie of that domain to the market's web host.
fn belongs(domain: &str, market: &Market) -> bool {
    match market.web_host() {
        Some(host) => domain == host || domain == market.site,
        None => domain == "localhost" || domain == "[::1]" || domain.starts_with("127."),
    }
}

fn other_market(domain: &str, market: &Market) -> bool {
    Market::all().iter().any(|other| {
        other.site != market.site
            && !other.is_practice()
            && (domain == other.site || domain.ends_with(&format!(".{}", other.site)))
    })
}

fn refuse_control_characters(text: &str) -> Result<(), Error> {
    if text.chars().any(char::is_control) {
        return Err(Error::Malformed(
            "the import contains a control character; copy the header's value as one line".to_owned(),
        ));
    }
    Ok(())
}

/// Checks that the cookie in a header cannot end the header or the cookie itself.
fn check(cookie: &Cookie) -> Result<(), Error> {
    let is_name = !cookie.name.is_empty()
        && cookie
            .name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b";=,\"".contains(&byte));
    let is_value = cookie
        .value
        .bytes()
        .all(|byte| (byte.is_ascii_graphic() || byte == b' ') && byte != b';');
    if is_name && is_value {
        return Ok(());
    }
    Err(Error::Malformed(format!(
        "cookie {:?} contains characters that a cookie cannot contain",
        shown(&cookie.name)
    )))
}

/// Returns a name in the form in which errors show it.
fn shown(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(64).collect()
}

#[cfg(test)]
mod tests;
