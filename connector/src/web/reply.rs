//! Answering in a conversation: `POST /conversations/{id}/replies` (as seen 2026, confidence A and B).

use serde_json::{Value, json};
use uuid::Uuid;
use vintedbot_marketplace::{Error, Evidence, OutgoingReply, Permit, WriteError};

use super::inbox::{conversation_path, without_texts};
use super::{Call, WebSession, code_in, good, violations};
use crate::signs::Reply;
use crate::text;

/// Codes with which the site refuses a text, each in our words (as seen 2026, confidence A).
const REFUSALS: [(i64, &str); 3] = [
    (99, "the site does not take this text"),
    (134, "the site takes this text for harassment"),
    (136, "the site takes this text for sharing an e-mail address"),
];

/// Codes that can only mean that nothing was taken, where the status says that the fault is in the request. Any other code,
/// one that nobody knows among them, may stand for something that went wrong on the way: whether the site took the reply
/// is looked up then. Challenges have codes of their own.
const NOT_TAKEN: [(i64, &str); 8] = [
    (20, "the site takes no message while a transaction is in progress"),
    (50, "the site does not take a photo of it"),
    (51, "a photo of it is too big for the site"),
    (52, "the site asks for more photos"),
    (103, "the site does not take the request in this form"),
    (104, "the site does not know the thread, or a photo, any more"),
    (113, "the site does not offer replies here"),
    (116, "the site does not offer this way to reply any more"),
];

/// Statuses of a fault that may be on the way as well: what waits too long, or is in the way of something else.
const DOUBTFUL: [u16; 4] = [408, 409, 423, 425];
/// As much as is kept of what the site says about a text, which it may repeat.
const LONGEST_TOLD: usize = 300;

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
            let uploaded = self.upload(&uuid, photo).await.map_err(not_uploaded)?;
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
        if let Some(refusal) = refused(&answer, &REFUSALS).filter(|_| answer.status < 500) {
            return Err(WriteError::Refused(refusal));
        }
        if answer.status == 401 {
            // Who is not logged in has said nothing; the next attempt renews the session first.
            return Err(WriteError::NotSent(Error::SessionBusy));
        }
        answer.judge(&self.detector, true).map_err(WriteError::Unknown)?;
        let is_its_fault = (400..500).contains(&answer.status) && !DOUBTFUL.contains(&answer.status);
        if let Some(refusal) = refused(&answer, &NOT_TAKEN).filter(|_| is_its_fault) {
            return Err(WriteError::Refused(refusal));
        }
        let json = good(&answer).map_err(WriteError::Unknown)?;
        Ok(message_id(&json))
    }
}

/// The photo at the same place of the same reply is the same upload, however often that is tried.
fn named_by(reply_id: &str, at: usize) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{reply_id}/{at}").as_bytes()).to_string()
}

/// A photo that the site does not take is its answer; nothing that names it was sent either way.
fn not_uploaded(error: Error) -> WriteError {
    match error {
        refused @ Error::Refused { .. } => WriteError::Refused(refused),
        other => WriteError::NotSent(other),
    }
}

/// The site's refusal, if its code is one of these, in our words and its own. With a fault of its own (status 500 and more)
/// the site says nothing about what it did, whatever the code.
fn refused(answer: &Reply, codes: &[(i64, &str)]) -> Option<Error> {
    let code = code_in(answer)?;
    let (_, ours) = codes.iter().find(|(known, _)| *known == code)?;
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
            format!("{ours}: {}", &text[..text.floor_char_boundary(LONGEST_TOLD)])
        };
        (field, text)
    });
    Some(Error::Refused {
        violations: told.collect(),
        // Evidence is kept and shown, and an answer may repeat what the member wrote.
        evidence: Box::new(Evidence {
            page_text: without_texts(json).to_string(),
            ..answer.evidence()
        }),
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

    fn answer(status: u16, json: Value) -> Reply {
        Reply {
            status,
            url: "https://site.example/api/v2/conversations/1/replies"
                .parse()
                .expect("an address"),
            content_type: "application/json".to_owned(),
            headers: Vec::new(),
            text: json.to_string(),
            json: Some(json),
        }
    }

    #[test]
    fn a_refusal_holds_no_more_of_the_members_words_than_the_site_says_about_them() {
        let text = "my address is 7, rue X. ".repeat(40);
        let json = json!({"code": 136, "message": text, "payload": {"body": text}});
        let Some(Error::Refused { violations, evidence }) = refused(&answer(400, json), &REFUSALS) else {
            panic!("a refusal");
        };
        assert!(!evidence.page_text.contains("address"), "{}", evidence.page_text);
        assert!(evidence.page_text.contains("136"));
        let [(_, told)] = violations.as_slice() else {
            panic!("{violations:?}");
        };
        assert!(told.len() < 2 * LONGEST_TOLD, "{told}");
    }

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
