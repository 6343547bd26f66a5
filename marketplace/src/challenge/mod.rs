//! Detects that the site asks for a person: a captcha, a second factor, a login page, a refusal. It only reports this.
//! No code here or elsewhere answers such a check.
//!
//! The signs are data (`data/signs.toml`, which also says how each is compared). A new sign is a rule in that file. A
//! new kind of challenge is a value of [`Kind`] and a row of the table in `policy`. Sellers' own words must never cause
//! a verdict. Words therefore count only as whole titles, as whole lines, or as whole phrases on pages that are too
//! short to be anything but a notice.

mod policy;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use policy::{AccountAction, ChallengePolicy, JobAction};
use rules::{File, Part, View};

/// The kind of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A page, or a frame in it, asks for proof that a person is present.
    CaptchaInPage,
    /// A call was answered with the address of such a page.
    CaptchaOnCall,
    /// The check in front of the site blocks the page.
    Cloudflare,
    /// The site asks for a code from another device.
    SecondFactor,
    /// The account must be verified: phone, e-mail or identity.
    AccountVerification,
    /// The session has ended.
    LoginLost,
    /// The session has ended, and the page keeps trying to renew it.
    SessionRefreshLoop,
    /// Too many requests.
    RateLimited,
    /// The site has restricted what the account may do.
    Restricted,
    /// The page reports an error, as the page of an item that is gone does.
    BrokenPage,
    /// A refusal without a known reason.
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

    /// Returns the name in the database, the API and the data file.
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

/// The known properties of a page, or of the answer to a call. Unknown ones keep their default.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    /// The address of the page or answer after redirects.
    pub url: String,
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub content_type: Option<String>,
    /// Addresses of the visible frames on the page; hidden frames do not count.
    pub frames: Vec<String>,
    /// Those of [`Detector::element_selectors`] that find a visible element.
    pub elements: Vec<String>,
    pub title: String,
    /// The page's visible text, or the answer's body.
    pub text: String,
    /// Texts of members that the page repeats, such as an item's title and description. They never count as signs.
    pub member_texts: Vec<String>,
    /// Whether this is the answer to a call that expects JSON.
    pub expected_json: bool,
    /// The `code` of a JSON answer.
    pub json_code: Option<i64>,
    /// What a well-formed answer lacks although a person's browser always receives it.
    pub emptied: Vec<String>,
}

/// A detected challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub kind: Kind,
    /// What happened, and what the person should do.
    pub message: String,
    /// The sign that matched, such as `frame "captcha-delivery.com" (confidence A)`.
    pub sign: String,
    /// Whether only a person can resolve the challenge.
    pub requires_action: bool,
    /// How long the site asks to wait, in seconds, if it gives a time.
    pub retry_after_seconds: Option<u64>,
}

/// Why a signs file cannot be used.
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

/// The rules that detect challenges.
#[derive(Clone, Debug)]
pub struct Detector(File);

static EMBEDDED: LazyLock<Detector> = LazyLock::new(|| {
    Detector::parse(include_str!("../../data/signs.toml")).expect("the embedded file is read by a test")
});

impl Detector {
    /// Returns the built-in rules.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Parses rules from a file with the structure of `data/signs.toml`. They replace the built-in ones.
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

    /// Returns the CSS selectors for [`Signs::elements`].
    pub fn element_selectors(&self) -> impl Iterator<Item = &str> {
        self.0
            .sign
            .iter()
            .filter(|rule| rule.part == Part::Element)
            .flat_map(|rule| rule.texts())
    }

    /// Returns the verdict of the first rule that matches; `None` if no rule does.
    pub fn detect(&self, signs: &Signs) -> Option<Verdict> {
        let view = View::of(signs, self.0.short_page_chars);
        self.0
            .sign
            .iter()
            .find_map(|rule| Some(verdict(rule.kind, rule.holds(&view)?, signs)))
    }
}

/// Returns the verdict of the built-in rules.
pub fn detect(signs: &Signs) -> Option<Verdict> {
    EMBEDDED.detect(signs)
}

fn verdict(kind: Kind, sign: String, signs: &Signs) -> Verdict {
    let retry_after_seconds = header(signs, "retry-after").and_then(|value| value.trim().parse().ok());
    let ChallengePolicy { happened, ask, .. } = kind.policy();
    let wait = match (kind, retry_after_seconds) {
        (Kind::RateLimited, Some(seconds)) => format!(" It asks to wait {seconds} seconds."),
        _ => String::new(),
    };
    Verdict {
        kind,
        message: format!("{happened}{wait} {ask}"),
        sign,
        requires_action: kind.requires_action(),
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
