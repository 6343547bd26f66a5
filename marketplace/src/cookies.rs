//! The site's cookies as data, and what a person brings from their own browser: a `Cookie` header, or an export as JSON.
//!
//! Every reader here tolerates what it does not know, and no error repeats a value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::Cookies;
use crate::markets::Market;

/// The most that may be brought at once, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// More cookies than any site sets.
const MOST_COOKIES: usize = 1_000;

static EMBEDDED: LazyLock<Rules> = LazyLock::new(|| {
    Rules::parse(include_str!("../data/cookies.toml")).expect("the embedded file is read by a test")
});

/// Which cookies mean what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Without all of these nobody is logged in.
    pub needed: Vec<String>,
    /// Set in every browser that has been on the site.
    pub usual: Vec<String>,
    /// Given by a bot check to one browser alone.
    bot_check: Vec<String>,
    /// The member's token for calls.
    pub access: String,
    /// What renews it.
    pub refresh: String,
    /// What calls repeat as `X-Anon-Id`.
    pub anonymous_id: String,
}

/// What a person brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// `name=value; name=value`, with or without `Cookie:` before it.
    Header(&'a str),
    /// An array of objects with `name`, `value` and `domain`, or an object with such an array as `cookies`.
    Export(&'a str),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// All that are needed, and the others of the site.
    pub cookies: Cookies,
    /// Names of those that were left out, in order.
    pub dropped: Vec<String>,
    /// Names of those that are usually there and were not given.
    pub missing_usual: Vec<String>,
}

/// Why nothing can be made of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{bytes} bytes are too many: a session has at most {MAX_BYTES}")]
    TooLarge { bytes: usize },
    #[error("{0}")]
    Malformed(String),
    #[error("cookies without which there is no session are missing: {}", .missing.join(", "))]
    Missing {
        missing: Vec<String>,
        dropped: Vec<String>,
    },
    #[error("the session's cookies are of {}", .domains.join(", "))]
    OtherMarket { domains: Vec<String> },
}

struct Cookie {
    name: String,
    value: Zeroizing<String>,
    /// Absent: it was not told.
    domain: Option<String>,
    path: String,
}

impl Rules {
    /// The rules that are built in.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Rules of an operator's own.
    ///
    /// # Errors
    /// The file is not of this shape.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Whether a bot check gives this cookie to one browser alone.
    pub fn is_of_bot_check(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.bot_check.iter().any(|rule| match rule.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *rule,
        })
    }

    /// Whether these are a whole session's.
    pub fn are_whole(&self, cookies: &Cookies) -> bool {
        self.needed
            .iter()
            .all(|name| cookies.get(name).is_some_and(|value| !value.is_empty()))
    }

    /// Takes what belongs to the market's site, and leaves out what a bot check gave to the other browser. Of repeated
    /// names the last one that is not empty counts: an anonymous visit first sets an empty token (as seen 2026,
    /// confidence A). Which of two values one cookie has is not guessed.
    ///
    /// # Errors
    /// It is too large, is malformed, gives a cookie two values, is of another market, or is no whole session.
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
            return Err(Error::Malformed(format!("{} cookies are too many", given.len())));
        }
        self.refuse_two_values(&given)?;
        let mut kept: BTreeMap<String, String> = BTreeMap::new();
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
            } else if !cookie.value.is_empty() || !kept.contains_key(&cookie.name) {
                check(&cookie)?;
                kept.insert(cookie.name.clone(), cookie.value.as_str().to_owned());
            }
        }
        // Names that were given twice, once for this site and once for another, are not missing here.
        dropped.retain(|name| !kept.contains_key(name));
        let cookies = Cookies(kept);
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
    /// Exports tell cookies of one name apart by where they are sent; a header does not.
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
            Error::Malformed("a part without \"=\"; it must read name=value; name=value".to_owned())
        })?;
        cookies.push(Cookie {
            name: name.trim().to_owned(),
            value: Zeroizing::new(value.trim().to_owned()),
            domain: None,
            path: "/".to_owned(),
        });
    }
    if cookies.is_empty() {
        return Err(Error::Malformed("there is no cookie in it".to_owned()));
    }
    Ok(cookies)
}

fn export(text: &str) -> Result<Vec<Cookie>, Error> {
    // serde_json's own message would repeat what it read.
    let json: Value = serde_json::from_str(text).map_err(|error| {
        Error::Malformed(format!(
            "it is no JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    let list = json
        .as_array()
        .or_else(|| json["cookies"].as_array())
        .ok_or_else(|| {
            Error::Malformed(
                "it must be an array of cookies, or an object with such an array as \"cookies\"".to_owned(),
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
        return Err(Error::Malformed("there is no cookie in it".to_owned()));
    }
    Ok(cookies)
}

/// A domain as exports write it: with a dot before it, with a scheme, with a port.
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
            "it holds a control character; copy the header's value as one line".to_owned(),
        ));
    }
    Ok(())
}

/// Whether it can stand in a header without ending it, or the cookie.
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
        "cookie {:?} has characters that no cookie can have",
        shown(&cookie.name)
    )))
}

/// A name as errors repeat it.
fn shown(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(64).collect()
}

#[cfg(test)]
mod tests;
