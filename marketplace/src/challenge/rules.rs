//! The rules of the data file, and how each is compared.

use serde::Deserialize;
use url::Url;

use super::{Kind, Signs, header};
use crate::fold::fold;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Host,
    Path,
    Query,
    Header,
    Frame,
    Element,
    Title,
    Code,
    Target,
    Body,
    Text,
    Line,
    Status,
    Html,
    Emptied,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Pattern {
    Number(i64),
    Text(String),
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Confidence {
    A,
    B,
    C,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub kind: Kind,
    #[serde(rename = "place")]
    pub part: Part,
    #[serde(default)]
    any: Vec<Pattern>,
    #[serde(default)]
    unless: Vec<String>,
    #[serde(default)]
    status: Vec<u16>,
    calls: Option<bool>,
    confidence: Confidence,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub short_page_chars: usize,
    pub sign: Vec<Rule>,
}

/// The signs, with the values that several rules use prepared once.
pub(super) struct View<'a> {
    signs: &'a Signs,
    url: Option<Url>,
    is_json: bool,
    /// Folded; empty if the answer is JSON, whose texts are members' own.
    title: String,
    /// The folded lines of the visible text; none if the answer is JSON.
    lines: Vec<String>,
    /// All lines joined; present on a short page only.
    short_text: Option<String>,
    member_texts: Vec<String>,
    /// The `url` in a JSON answer that is a refusal.
    target: Option<Url>,
}

impl<'a> View<'a> {
    pub fn of(signs: &'a Signs, short_page_chars: usize) -> Self {
        let is_json = signs
            .content_type
            .as_deref()
            .is_some_and(|t| t.to_ascii_lowercase().contains("json"))
            || signs.text.trim_start().starts_with(['{', '[']);
        let lines: Vec<_> = if is_json {
            Vec::new()
        } else {
            signs.text.lines().map(fold).filter(|l| !l.is_empty()).collect()
        };
        let is_short = !is_json && signs.text.chars().count() <= short_page_chars;
        let refused = signs.status.is_some_and(|status| status >= 400);
        Self {
            signs,
            url: Url::parse(&signs.url).ok(),
            is_json,
            title: if is_json {
                String::new()
            } else {
                fold(&signs.title)
            },
            short_text: is_short.then(|| lines.join(" ")),
            lines,
            member_texts: signs.member_texts.iter().map(|text| fold(text)).collect(),
            target: if is_json && refused {
                json_target(&signs.text)
            } else {
                None
            },
        }
    }

    fn is_member_text(&self, phrase: &str) -> bool {
        self.member_texts.iter().any(|text| text == phrase)
    }

    /// Whether a short page contains the phrase outside of members' own texts.
    fn says(&self, phrase: &str) -> bool {
        let Some(text) = &self.short_text else {
            return false;
        };
        let mut text = format!(" {text} ");
        for own in self
            .member_texts
            .iter()
            .filter(|own| holds_phrase(&format!(" {own} "), phrase))
        {
            text = text.replace(&format!(" {own} "), " | ");
        }
        holds_phrase(&text, phrase)
    }

    fn is_page_for_json(&self) -> bool {
        let is_page = self
            .signs
            .content_type
            .as_deref()
            .is_some_and(|t| t.to_ascii_lowercase().contains("html"))
            || self.signs.text.trim_start().starts_with('<');
        self.signs.expected_json
            && is_page
            && self
                .signs
                .status
                .is_none_or(|status| (200..300).contains(&status))
    }
}

fn json_target(body: &str) -> Option<Url> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    Url::parse(body.get("url")?.as_str()?).ok()
}

fn holds_phrase(text: &str, phrase: &str) -> bool {
    !phrase.is_empty() && text.contains(&format!(" {phrase} "))
}

fn is_host(url: Option<&Url>, host: &str) -> bool {
    let own = url.and_then(Url::host_str).unwrap_or_default();
    own == host || own.strip_suffix(host).is_some_and(|rest| rest.ends_with('.'))
}

fn is_path(url: Option<&Url>, path: &str) -> bool {
    let rest = url.and_then(|url| url.path().strip_prefix(path));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Rule {
    /// Returns the fault of the rule itself, if it has one.
    pub fn fault(&self) -> Option<&'static str> {
        let numbers = matches!(self.part, Part::Code | Part::Status);
        if self.any.is_empty() != matches!(self.part, Part::Html | Part::Emptied) {
            return Some("`any` is required, except for `html` and `emptied`, which must not have it");
        }
        if self
            .any
            .iter()
            .any(|p| matches!(p, Pattern::Number(_)) != numbers)
        {
            return Some("`code` and `status` compare numbers, all others compare texts");
        }
        if self.part == Part::Body && self.status.is_empty() {
            return Some("`body` requires `status`, because ordinary answers may contain any text");
        }
        if matches!(self.part, Part::Title | Part::Text | Part::Line)
            && self.texts().any(|text| fold(text).is_empty())
        {
            return Some("a text without letters and digits never matches");
        }
        (!self.unless.is_empty() && self.part != Part::Frame).then_some("`unless` is allowed for frames only")
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.any.iter().filter_map(|pattern| match pattern {
            Pattern::Text(text) => Some(text.as_str()),
            Pattern::Number(_) => None,
        })
    }

    /// Returns the sign that matched, if the rule matches.
    pub fn holds(&self, view: &View<'_>) -> Option<String> {
        let signs = view.signs;
        if self.calls.is_some_and(|calls| calls != signs.expected_json) {
            return None;
        }
        if !self.status.is_empty() && !signs.status.is_some_and(|status| self.status.contains(&status)) {
            return None;
        }
        let found = match self.part {
            Part::Html => view.is_page_for_json().then(|| "page instead of JSON".to_owned()),
            Part::Emptied => signs
                .emptied
                .first()
                .map(|what| format!("emptied answer, {what}")),
            Part::Code => self.number(signs.json_code).map(|code| format!("code {code}")),
            Part::Status => self
                .number(signs.status.map(i64::from))
                .map(|status| format!("status {status}")),
            _ => self.texts().find_map(|text| self.text_holds(text, view)),
        };
        Some(format!("{} (confidence {:?})", found?, self.confidence))
    }

    fn number(&self, seen: Option<i64>) -> Option<i64> {
        seen.filter(|seen| {
            self.any
                .iter()
                .any(|pattern| matches!(pattern, Pattern::Number(n) if n == seen))
        })
    }

    fn text_holds(&self, text: &str, view: &View<'_>) -> Option<String> {
        let signs = view.signs;
        let url = view.url.as_ref();
        let holds = match self.part {
            Part::Host => is_host(url, text),
            Part::Target => is_host(view.target.as_ref(), text),
            Part::Path => is_path(url, text),
            Part::Query => url.is_some_and(|url| url.query_pairs().any(|(name, _)| name.starts_with(text))),
            Part::Header => match text.split_once(':') {
                Some((name, value)) => header(signs, name).is_some_and(|own| own.trim() == value.trim()),
                None => header(signs, text).is_some(),
            },
            Part::Frame => signs.frames.iter().any(|frame| {
                let frame = frame.to_ascii_lowercase();
                frame.contains(text) && !self.unless.iter().any(|not| frame.contains(not.as_str()))
            }),
            Part::Element => signs.elements.iter().any(|css| css == text),
            Part::Title => view.title == fold(text) && !view.is_member_text(&view.title),
            Part::Body => !view.is_json && signs.text.contains(text),
            Part::Text => view.says(&fold(text)),
            Part::Line => {
                let phrase = fold(text);
                view.lines.contains(&phrase) && !view.is_member_text(&phrase)
            }
            Part::Code | Part::Status | Part::Html | Part::Emptied => false,
        };
        let part = format!("{:?}", self.part).to_ascii_lowercase();
        holds.then(|| format!("{part} {text:?}"))
    }
}
