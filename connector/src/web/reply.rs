//! Sends replies in a conversation: `POST /conversations/{id}/replies` (as seen 2026, confidence A and B).

use serde_json::{Value, json};
use uuid::Uuid;
use vintedbot_marketplace::{Error, Evidence, OutgoingReply, Permit, WriteError};

use super::inbox::{conversation_path, without_texts};
use super::{Call, WebSession, code_in, good, violations};
use crate::signs::Reply;
use crate::text;

/// Codes with which the site refuses a text, each with our description (as seen 2026, confidence A).
const REFUSALS: [(i64, &str); 3] = [
    (99, "the site does not accept this text"),
    (134, "the site treats this text as harassment"),
    (136, "the site treats this text as sharing an e-mail address"),
];

/// Codes that prove that the site did not take the reply, if the status says that the fault is in the request. Any
/// other code, known or not, may stand for a failure on the way. Reconciliation then finds out whether the site took
/// the reply. Challenges have other codes.
const NOT_TAKEN: [(i64, &str); 8] = [
    (
        20,
        "the site accepts no message while a transaction is in progress",
    ),
    (50, "the site does not accept one of the photos"),
    (51, "one of the photos is too big for the site"),
    (52, "the site asks for more photos"),
    (103, "the site does not accept the request in this form"),
    (104, "the site does not know the thread or one of the photos"),
    (113, "the site does not allow replies here"),
    (116, "the site no longer offers this way to reply"),
];

/// Statuses that a failure on the way may have as well, such as a timeout or a conflict.
const DOUBTFUL: [u16; 4] = [408, 409, 423, 425];
/// The maximum length of the site's own message about a text, in bytes. The message may repeat the text.
const MESSAGE_MAX: usize = 300;

impl WebSession {
    /// Sends a reply once. Returns the message's id if the site's answer contains it.
    pub(crate) async fn send_reply(
        &self,
        permit: &dyn Permit,
        reply: &OutgoingReply,
    ) -> Result<Option<String>, WriteError> {
        let path = conversation_path(&reply.conversation_id).map_err(WriteError::NotSent)?;
        let path = format!("{path}/replies");
        let mut uuids = Vec::with_capacity(reply.photos.len());
        for photo in &reply.photos {
            // Each photo has its own id, because a reply names its photos by nothing else.
            let uuid = named_by(&reply.reply_id, uuids.len());
            let uploaded = self.upload(&uuid, photo).await.map_err(not_uploaded)?;
            uuids.push(uploaded.temp_uuid);
        }
        let body = json!({
            "reply": {
                "body": reply.text,
                "photo_temp_uuids": if uuids.is_empty() { Value::Null } else { json!(uuids) },
                // Only the person may decide to share personal data. The refusal is shown to the person.
                "is_personal_data_sharing_check_skipped": false,
            }
        });
        let signed_in = self.signed_in().await.map_err(WriteError::NotSent)?;
        // Fetched before the permit is checked, so that nothing comes between the check and the request.
        signed_in.csrf_token(self).await.map_err(WriteError::NotSent)?;
        if !permit.still_valid() {
            return Err(WriteError::NotSent(Error::Unavailable(
                "the intent expired before the reply was sent".to_owned(),
            )));
        }
        let call = Call::post(&path, body);
        let answer = self.once(&signed_in, &call).await?;
        if let Some(refusal) = refused(&answer, &REFUSALS).filter(|_| answer.status < 500) {
            return Err(WriteError::Refused(refusal));
        }
        if answer.status == 401 {
            // Without a login, the request had no effect. The next attempt renews the session first.
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

/// Returns the upload id of a photo. It is the same for every attempt at the same reply.
fn named_by(reply_id: &str, at: usize) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{reply_id}/{at}").as_bytes()).to_string()
}

/// Maps a failed photo upload. In every case, no request that names the photo was sent.
fn not_uploaded(error: Error) -> WriteError {
    match error {
        refused @ Error::Refused { .. } => WriteError::Refused(refused),
        other => WriteError::NotSent(other),
    }
}

/// Returns the site's refusal if its code is one of these, with our description and the site's message. Callers check
/// the status: with a server error (500 and above), no code shows whether the site took the reply.
fn refused(answer: &Reply, codes: &[(i64, &str)]) -> Option<Error> {
    let code = code_in(answer)?;
    let (_, ours) = codes.iter().find(|(known, _)| *known == code)?;
    let json = answer.json.as_ref()?;
    let messages = violations(json).into_iter().map(|(field, text)| {
        let field = if field.is_empty() {
            "reply".to_owned()
        } else {
            field
        };
        let text = if text.is_empty() {
            (*ours).to_owned()
        } else {
            format!("{ours}: {}", &text[..text.floor_char_boundary(MESSAGE_MAX)])
        };
        (field, text)
    });
    Some(Error::Refused {
        violations: messages.collect(),
        // Evidence is stored and shown, and an answer may repeat what the member wrote.
        evidence: Box::new(Evidence {
            page_text: without_texts(json).to_string(),
            ..answer.evidence()
        }),
    })
}

/// Returns the new message's id. How an answer names it is not recorded, so likely places are tried (confidence C).
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
        let [(_, messages)] = violations.as_slice() else {
            panic!("{violations:?}");
        };
        assert!(messages.len() < 2 * MESSAGE_MAX, "{messages}");
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
