//! Shows answers and pages to the challenge detector.

use serde_json::Value;
use url::Url;
use vintedbot_marketplace::challenge::{Detector, Signs};
use vintedbot_marketplace::{Error, Evidence};

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

    /// The answer itself, unless it shows that the site wants a person.
    pub(crate) fn judge(&self, detector: &Detector, expected_json: bool) -> Result<(), Error> {
        let signs = Signs {
            url: self.url.to_string(),
            status: Some(self.status),
            headers: self.headers.clone(),
            content_type: Some(self.content_type.clone()),
            text: self.text.clone(),
            expected_json,
            json_code: self.json.as_ref().and_then(|json| json["code"].as_i64()),
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

/// An answer that is well formed and empty where it never is: what a site gives to those whom it takes for a robot (as
/// seen 2026, confidence A).
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
        // An operator's own signs may not have it: it is no answer all the same.
        None => Error::Shape(what),
    }
}
