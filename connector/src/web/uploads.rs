//! Sending photos to the site, where nobody sees them before something names them.

use reqwest::Method;
use vintedbot_marketplace::{Error, PhotoFile};

use super::{Call, Payload, WebSession, code_in, good, refusal, violations};
use crate::{signs, text};

/// The codes of a photo that the site does not take (as seen 2026, confidence A).
const PHOTO_REFUSED: [i64; 3] = [50, 51, 52];

/// A photo that the site has.
pub(crate) struct Uploaded {
    pub(crate) id: String,
    /// By which a message names it: as the site answered, else as it was sent.
    pub(crate) temp_uuid: String,
}

impl WebSession {
    /// Uploads a photo. Doing it twice is harmless: one that nothing names is never shown.
    pub(crate) async fn upload(&self, temp_uuid: &str, photo: &PhotoFile) -> Result<Uploaded, Error> {
        let call = Call {
            method: Method::POST,
            path: "photos",
            query: Vec::new(),
            payload: Payload::Photo {
                upload_session_id: temp_uuid.to_owned(),
                content_type: photo.content_type.clone(),
                bytes: photo.bytes.clone(),
            },
        };
        let reply = self.reply(&call).await?;
        if let Some(json) = &reply.json
            && code_in(&reply).is_some_and(|code| PHOTO_REFUSED.contains(&code))
        {
            return Err(Error::Refused {
                violations: violations(json),
                evidence: Box::new(reply.evidence()),
            });
        }
        if let Some(refusal) = refusal(&reply).filter(|_| reply.status == 400) {
            return Err(refusal);
        }
        let answer = good(&reply)?;
        let photo = [&answer, &answer["photo"]]
            .into_iter()
            .find_map(|photo| Some((text::id(&photo["id"])?, text::id(&photo["temp_uuid"]))));
        let Some((id, told)) = photo else {
            let what = "an uploaded photo got no id".to_owned();
            return Err(signs::emptied(
                &self.detector,
                what,
                reply.url.to_string(),
                &answer,
            ));
        };
        Ok(Uploaded {
            id,
            temp_uuid: told.unwrap_or_else(|| temp_uuid.to_owned()),
        })
    }
}
