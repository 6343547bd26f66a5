//! Prepares answers and pages for the challenge detector.

use serde_json::Value;
use url::Url;
use vintedbot_marketplace::challenge::{Detector, Signs};
use vintedbot_marketplace::{Error, Evidence};

use crate::text;

/// The answer to one plain request.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) url: Url,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) json: Option<Value>,
}

impl Reply {
    pub(crate) fn evidence(&self) -> Evidence {
        Evidence {
            url: self.url.to_string(),
            screenshot: None,
            page_text: self.text.clone(),
        }
    }

    /// Fails if the answer shows that the site asks for a person.
    pub(crate) fn judge(&self, detector: &Detector, expected_json: bool) -> Result<(), Error> {
        let signs = Signs {
            url: self.url.to_string(),
            status: Some(self.status),
            headers: self.headers.clone(),
            content_type: Some(self.content_type.clone()),
            text: self.text.clone(),
            expected_json,
            json_code: self.json.as_ref().and_then(text::code),
            ..Signs::default()
        };
        match detector.detect(&signs) {
            None => Ok(()),
            Some(verdict) => Err(Error::Challenge {
                verdict,
                evidence: Box::new(self.evidence()),
            }),
        }
    }
}

/// Returns the error for a well-formed answer that lacks content which it always has. A site gives such answers to
/// visitors that it takes for a robot (as seen 2026, confidence A).
pub(crate) fn emptied(detector: &Detector, what: String, url: String, answer: &Value) -> Error {
    let signs = Signs {
        url: url.clone(),
        expected_json: true,
        emptied: vec![what.clone()],
        ..Signs::default()
    };
    match detector.detect(&signs) {
        Some(verdict) => Error::Challenge {
            verdict,
            evidence: Box::new(Evidence {
                url,
                screenshot: None,
                page_text: answer.to_string(),
            }),
        },
        // An operator's own signs may lack this rule. The answer is still unusable.
        None => Error::Shape(what),
    }
}

/// Data that the form requires: the end of a call's path, and the list in its answer that is never empty.
const NEVER_EMPTY: [(&str, &str); 4] = [
    ("/item_upload/catalogs", "catalogs"),
    ("/item_upload/attributes", "attributes"),
    ("/item_upload/colors", "colors"),
    ("/package_sizes", "package_sizes"),
];

/// The path of photo uploads. Each photo gets an id.
const UPLOADS: &str = "/api/v2/photos";

/// Returns what a successful answer to a call of the form lacks; `None` if it is complete.
pub(crate) fn emptied_in(signs: &Signs) -> Option<&'static str> {
    let url = Url::parse(&signs.url).ok()?;
    let answer: Value = serde_json::from_str(&signs.text).ok().filter(Value::is_object)?;
    if signs.status != Some(200) || text::code(&answer).unwrap_or(0) != 0 {
        return None;
    }
    let path = url.path();
    if path.ends_with(UPLOADS) {
        let ids = [&answer["id"], &answer["photo"]["id"]];
        return ids.iter().all(|id| id.is_null()).then_some("photo");
    }
    let (_, list) = NEVER_EMPTY.iter().find(|(end, _)| path.ends_with(end))?;
    let is_emptied = answer[*list].as_array().is_none_or(Vec::is_empty);
    is_emptied.then_some(*list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_without_required_form_data_is_emptied() {
        for (path, text, is_emptied) in [
            ("/api/v2/item_upload/colors", r#"{"colors":[],"code":0}"#, true),
            (
                "/api/v2/item_upload/colors",
                r#"{"colors":[{"id":1}],"code":0}"#,
                false,
            ),
            ("/api/v2/item_upload/attributes", r#"{"code":0}"#, true),
            (
                "/api/v2/catalogs/5/package_sizes",
                r#"{"package_sizes":[]}"#,
                true,
            ),
            ("/api/v2/photos", r#"{"code":0}"#, true),
            ("/api/v2/photos", r#"{"id":7}"#, false),
            ("/api/v2/item_upload/brands", r#"{"brands":[],"code":0}"#, false),
            ("/api/v2/item_upload/colors", r#"{"colors":[],"code":99}"#, false),
        ] {
            let signs = Signs {
                url: format!("https://www.vinted.fr{path}"),
                status: Some(200),
                text: text.to_owned(),
                ..Signs::default()
            };
            assert_eq!(emptied_in(&signs).is_some(), is_emptied, "{path} {text}");
        }
    }
}
