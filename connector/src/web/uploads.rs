//! Uploads photos to the site. They are not shown until an item or a message names them.

use reqwest::Method;
use vintedbot_marketplace::{Error, PhotoFile};

use super::{Call, Payload, WebSession, code_in, good, refusal, violations};
use crate::{signs, text};

/// The codes for a photo that the site does not accept (as seen 2026, confidence A).
const PHOTO_REFUSED: [i64; 3] = [50, 51, 52];

/// A photo on the site.
pub(crate) struct Uploaded {
    pub(crate) id: String,
    /// The id by which a message names the photo: from the site's answer, else the id that was sent.
    pub(crate) temp_uuid: String,
}

impl WebSession {
    /// Uploads a photo. Repeating it is harmless, because a photo that nothing names is never shown.
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
        let Some((id, answered_uuid)) = photo else {
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
            temp_uuid: answered_uuid.unwrap_or_else(|| temp_uuid.to_owned()),
        })
    }
}
