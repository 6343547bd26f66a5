//! Notices that the site wants a person: a captcha, a second factor, a login page, a refusal. It only ever says so;
//! nothing here or elsewhere answers such a check.
//!
//! The signs are data (`data/signs.toml`, which also says how each is compared); a new one is a rule there. A new kind
//! of challenge is a value of [`Kind`] and a row of the table in `consequence`. Sellers' own words must never make a verdict, so words count only
//! as whole titles, whole lines, or whole phrases on pages too short to be anything but a notice.

mod consequence;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use consequence::{AccountFollows, Consequence, JobFollows};
use rules::{File, Place, View};

/// What the site wants, or does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A page, or a frame in it, asks to prove that a person is there.
    CaptchaInPage,
    /// A call was answered with the address of such a page.
    CaptchaOnCall,
    /// The check in front of the site holds the page back.
    Cloudflare,
    /// A code from another device is asked for.
    SecondFactor,
    /// The account has to be verified: phone, e-mail, identity.
    AccountVerification,
    /// The session has ended.
    LoginLost,
    /// The session has ended, and the page tries to renew it for ever.
    SessionRefreshLoop,
    /// Too many requests.
    RateLimited,
    /// The site has restricted what the account may do.
    Restricted,
    /// The page says that it is broken, as it does for an item that is gone.
    BrokenPage,
    /// A refusal that nothing more is known about.
    UnknownBlock,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::CaptchaInPage,
        Self::CaptchaOnCall,
        Self::Cloudflare,
        Self::SecondFactor,
        Self::AccountVerification,
        Self::LoginLost,
        Self::SessionRefreshLoop,
        Self::RateLimited,
        Self::Restricted,
        Self::BrokenPage,
        Self::UnknownBlock,
    ];

    /// The name in the database, the API and the data file.
    pub fn name(self) -> &'static str {
        match self {
            Self::CaptchaInPage => "CAPTCHA_IN_PAGE",
            Self::CaptchaOnCall => "CAPTCHA_ON_CALL",
            Self::Cloudflare => "CLOUDFLARE",
            Self::SecondFactor => "SECOND_FACTOR",
            Self::AccountVerification => "ACCOUNT_VERIFICATION",
            Self::LoginLost => "LOGIN_LOST",
            Self::SessionRefreshLoop => "SESSION_REFRESH_LOOP",
            Self::RateLimited => "RATE_LIMITED",
            Self::Restricted => "RESTRICTED",
            Self::BrokenPage => "BROKEN_PAGE",
            Self::UnknownBlock => "UNKNOWN_BLOCK",
        }
    }
}

/// What can be seen of a page or of the answer to a call. What is not known stays at its default.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    /// The address that the page or answer came from in the end.
    pub url: String,
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub content_type: Option<String>,
    /// Addresses of the frames that are visible on the page; hidden ones mean nothing.
    pub frames: Vec<String>,
    /// Those of [`Detector::element_selectors`] that find a visible element.
    pub elements: Vec<String>,
    pub title: String,
    /// The page's visible text, or the answer's body.
    pub text: String,
    /// Texts of members that the page repeats, such as an item's title and description. They are never a sign.
    pub member_texts: Vec<String>,
    /// Whether this is the answer to a call that should have brought JSON.
    pub expected_json: bool,
    /// `code` of the JSON answer.
    pub json_code: Option<i64>,
    /// What a well-formed answer left empty that is never empty for a person's browser.
    pub emptied: Vec<String>,
}

/// The site wants a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub kind: Kind,
    /// What happened, and what the person should do, in plain words.
    pub message: String,
    /// What gave it away, such as `frame captcha-delivery.com`.
    pub sign: String,
    /// Whether only a person can get further.
    pub needs_manual: bool,
    /// How long the site asks to wait, in seconds, where it says so.
    pub retry_after_seconds: Option<u64>,
}

/// Why a file of signs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("signs: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("signs: rule {number} ({}): {reason}", .kind.name())]
    Rule {
        number: usize,
        kind: Kind,
        reason: &'static str,
    },
}

/// The rules by which a challenge is noticed.
#[derive(Clone, Debug)]
pub struct Detector(File);

static EMBEDDED: LazyLock<Detector> = LazyLock::new(|| {
    Detector::parse(include_str!("../../data/signs.toml")).expect("the embedded file is read by a test")
});

impl Detector {
    /// The rules that come with the program.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Rules from a file of the same shape as `data/signs.toml`, instead of the embedded ones.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let file: File = toml::from_str(text)?;
        for (at, rule) in file.sign.iter().enumerate() {
            if let Some(reason) = rule.fault() {
                return Err(ParseError::Rule {
                    number: at + 1,
                    kind: rule.kind,
                    reason,
                });
            }
        }
        Ok(Self(file))
    }

    /// The CSS selectors that [`Signs::elements`] is about.
    pub fn element_selectors(&self) -> impl Iterator<Item = &str> {
        self.0
            .sign
            .iter()
            .filter(|rule| rule.place == Place::Element)
            .flat_map(|rule| rule.texts())
    }

    /// The verdict of the first rule that holds; `None` when the site goes about its business.
    pub fn detect(&self, signs: &Signs) -> Option<Verdict> {
        let view = View::of(signs, self.0.short_page_chars);
        self.0
            .sign
            .iter()
            .find_map(|rule| Some(verdict(rule.kind, rule.holds(&view)?, signs)))
    }
}

/// The verdict of the rules that come with the program.
pub fn detect(signs: &Signs) -> Option<Verdict> {
    EMBEDDED.detect(signs)
}

fn verdict(kind: Kind, sign: String, signs: &Signs) -> Verdict {
    let retry_after_seconds = header(signs, "retry-after").and_then(|value| value.trim().parse().ok());
    let Consequence { happened, ask, .. } = kind.consequence();
    let wait = match (kind, retry_after_seconds) {
        (Kind::RateLimited, Some(seconds)) => format!(" It asks to wait {seconds} seconds."),
        _ => String::new(),
    };
    Verdict {
        kind,
        message: format!("{happened}{wait} {ask}"),
        sign,
        needs_manual: kind.needs_manual(),
        retry_after_seconds,
    }
}

fn header<'a>(signs: &'a Signs, name: &str) -> Option<&'a str> {
    signs
        .headers
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
