//! Answering in a conversation: `POST /conversations/{id}/replies` (as seen 2026, confidence A and B).

use serde_json::{Value, json};
use uuid::Uuid;
use vintedbot_marketplace::{Error, OutgoingReply, Permit, WriteError};

use super::inbox::conversation_path;
use super::{Call, WebSession, code_in, good, violations};
use crate::signs::Reply;
use crate::text;

/// Codes with which the site refuses a text, each in our words (as seen 2026, confidence A).
const REFUSALS: [(i64, &str); 3] = [
    (99, "the site does not take this text"),
    (134, "the site takes this text for harassment"),
    (136, "the site takes this text for sharing an e-mail address"),
];

impl WebSession {
    /// Sends a reply, once. Answers with the message's id, if the site says it.
    pub(crate) async fn send_reply(
        &self,
        permit: &dyn Permit,
        reply: &OutgoingReply,
    ) -> Result<Option<String>, WriteError> {
        let path = conversation_path(&reply.conversation_id).map_err(WriteError::NotSent)?;
        let path = format!("{path}/replies");
        let mut uuids = Vec::with_capacity(reply.photos.len());
        for photo in &reply.photos {
            // One of its own each: a reply names its photos by nothing else.
            let uuid = named_by(&reply.reply_id, uuids.len());
            let uploaded = self.upload(&uuid, photo).await.map_err(WriteError::NotSent)?;
            uuids.push(uploaded.temp_uuid);
        }
        let body = json!({
            "reply": {
                "body": reply.text,
                "photo_temp_uuids": if uuids.is_empty() { Value::Null } else { json!(uuids) },
                // Whether to share personal data is for the person to decide, who is told of the refusal.
                "is_personal_data_sharing_check_skipped": false,
            }
        });
        let signed_in = self.signed_in().await.map_err(WriteError::NotSent)?;
        // Asked for now, so that nothing stands between the permit and the request.
        signed_in.csrf_token(self).await.map_err(WriteError::NotSent)?;
        if !permit.still_valid() {
            return Err(WriteError::NotSent(Error::Unavailable(
                "the time in which it might be sent was over".to_owned(),
            )));
        }
        let call = Call::post(&path, body);
        let answer = self.once(&signed_in, &call).await?;
        if let Some(refusal) = refused(&answer) {
            return Err(WriteError::Refused(refusal));
        }
        if answer.status == 401 {
            // Who is not logged in has said nothing; the next attempt renews the session first.
            return Err(WriteError::NotSent(Error::SessionBusy));
        }
        answer.judge(&self.detector, true).map_err(WriteError::Unknown)?;
        let json = good(&answer).map_err(WriteError::Unknown)?;
        Ok(message_id(&json))
    }
}

/// The photo at the same place of the same reply is the same upload, however often that is tried.
fn named_by(reply_id: &str, at: usize) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{reply_id}/{at}").as_bytes()).to_string()
}

/// The site's refusal of a text, in our words and its own.
fn refused(answer: &Reply) -> Option<Error> {
    // With a fault of its own the site says nothing about what it did.
    let code = code_in(answer).filter(|_| answer.status < 500)?;
    let (_, ours) = REFUSALS.iter().find(|(known, _)| *known == code)?;
    let json = answer.json.as_ref()?;
    let told = violations(json).into_iter().map(|(field, text)| {
        let field = if field.is_empty() {
            "reply".to_owned()
        } else {
            field
        };
        let text = if text.is_empty() {
            (*ours).to_owned()
        } else {
            format!("{ours}: {text}")
        };
        (field, text)
    });
    Some(Error::Refused {
        violations: told.collect(),
        evidence: Box::new(answer.evidence()),
    })
}

/// How an answer names the new message is not recorded; an id is taken from where one is likely to stand (confidence C).
fn message_id(answer: &Value) -> Option<String> {
    let message = &answer["message"];
    let places = [
        message,
        &message["entity"],
        &answer["reply"],
        &answer["reply"]["entity"],
    ];
    places.into_iter().find_map(|place| text::id(&place["id"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_messages_id_is_found_where_it_may_stand() {
        for (answer, expected) in [
            (json!({"message": {"id": 7}}), Some("7")),
            (json!({"message": {"entity": {"id": "8"}}}), Some("8")),
            (json!({"reply": {"id": 9}}), Some("9")),
            (json!({"code": 0}), None),
            (json!({"message": "ok"}), None),
        ] {
            assert_eq!(message_id(&answer).as_deref(), expected, "{answer}");
        }
    }
}
