//! Reads the list of conversations (`GET /inbox`), and marks one as read (as seen 2026, confidence A and B) or removes
//! it.

use serde_json::Value;
use vintedbot_marketplace::{Counterparty, Error, InboxPage, InboxRow, Permit, WriteError};

use super::{Call, WebSession, code_in, good};
use crate::signs::{self, Reply};
use crate::text;

/// The page size that the site's own pages request (as seen 2026, confidence A).
const PER_PAGE: u64 = 20;
/// The maximum length of a conversation's id. Ids are numbers today; an id of another form must still fit into a path.
const LONGEST_ID: usize = 64;

/// Why an answer that is valid JSON cannot be used.
#[derive(Debug)]
pub(super) enum Flaw {
    /// It lacks a part that it always has. A bot check silently empties answers in this way.
    Emptied(&'static str),
    Strange(&'static str),
}

impl WebSession {
    /// Returns a page of the inbox, counted from 1.
    pub(crate) async fn inbox_page(&self, page: u32) -> Result<InboxPage, Error> {
        let call = Call::get("inbox").query("page", page).query("per_page", PER_PAGE);
        let json = self.json(&call).await?;
        page_in(&json, page).map_err(|flaw| self.flawed(flaw, call.path, &json))
    }

    /// Marks a conversation as read.
    pub(crate) async fn mark_read(&self, conversation_id: &str) -> Result<(), Error> {
        let path = format!("{}/mark_as_read", conversation_path(conversation_id)?);
        let reply = self.reply(&Call::put(&path)).await?;
        if is_gone(&reply) {
            return Err(Error::NotFound {
                remote_id: conversation_id.to_owned(),
            });
        }
        if is_silent(&reply) {
            return Ok(());
        }
        good(&reply).map(drop)
    }

    /// Removes a conversation from the account's inbox with one request: `DELETE /conversations/{id}` (as seen 2026,
    /// confidence B).
    pub(crate) async fn remove_conversation(
        &self,
        permit: &dyn Permit,
        conversation_id: &str,
    ) -> Result<(), WriteError> {
        let path = conversation_path(conversation_id).map_err(WriteError::NotSent)?;
        let signed_in = self.signed_in().await.map_err(WriteError::NotSent)?;
        // Fetched before the permit is checked, so that nothing comes between the check and the request.
        signed_in.csrf_token(self).await.map_err(WriteError::NotSent)?;
        if !permit.still_valid() {
            return Err(WriteError::NotSent(Error::Unavailable(
                "the intent expired before the conversation was removed".to_owned(),
            )));
        }
        let answer = self.once(&signed_in, &Call::delete(&path)).await?;
        if answer.status == 401 {
            // Without a login, the request had no effect. The next attempt renews the session first.
            return Err(WriteError::NotSent(Error::SessionBusy));
        }
        answer.judge(&self.detector, true).map_err(WriteError::Unknown)?;
        if is_gone(&answer) || is_silent(&answer) {
            return Ok(());
        }
        good(&answer).map(drop).map_err(WriteError::Unknown)
    }

    pub(super) fn flawed(&self, flaw: Flaw, path: &str, answer: &Value) -> Error {
        match flaw {
            Flaw::Strange(what) => Error::Shape(format!("{path}: {what}")),
            Flaw::Emptied(what) => {
                let url = self.base.join(&format!("/api/v2/{path}"));
                let url = url.map(String::from).unwrap_or_default();
                signs::emptied(&self.detector, what.to_owned(), url, &without_texts(answer))
            }
        }
    }
}

/// Whether the site reports that there is no such conversation.
fn is_gone(reply: &Reply) -> bool {
    reply.status == 404 || code_in(reply) == Some(super::NOT_FOUND)
}

/// Whether a successful answer is empty. The answers of these calls are not documented, so an empty one counts as
/// success.
fn is_silent(reply: &Reply) -> bool {
    (200..300).contains(&reply.status) && reply.text.trim().is_empty()
}

/// Returns the path of a conversation. Fails if the id is not valid in a path.
pub(super) fn conversation_path(id: &str) -> Result<String, Error> {
    if is_conversation_id(id) {
        Ok(format!("conversations/{id}"))
    } else {
        Err(Error::Shape(format!("{id:?} is not a conversation's id")))
    }
}

fn is_conversation_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(fits)
}

/// Parses a page of the inbox.
pub(super) fn page_in(json: &Value, page: u32) -> Result<InboxPage, Flaw> {
    let listed = match &json["conversations"] {
        Value::Array(listed) => listed,
        Value::Null => return Err(Flaw::Emptied("conversations")),
        _ => return Err(Flaw::Strange("conversations is not a list")),
    };
    let pagination = &json["pagination"];
    let pages = text::number(&pagination["total_pages"]);
    let total = text::number(&pagination["total_entries"]);
    let per_page = text::number(&pagination["per_page"]).filter(|count| *count > 0);
    let shown_before = |pages: i64| per_page.unwrap_or(PER_PAGE as i64).saturating_mul(pages);
    let page = i64::from(page);
    if listed.is_empty() {
        // Only the totals can confirm an empty page. Without them, an empty page proves nothing.
        let expects_more = match (total, pages) {
            (Some(total), _) => total > shown_before(page - 1),
            (None, Some(pages)) => page > 1 && page <= pages,
            (None, None) => true,
        };
        if expects_more {
            return Err(Flaw::Emptied("conversations"));
        }
    }
    let rows: Vec<InboxRow> = listed.iter().filter_map(row).collect();
    let has_more = match (pages, total) {
        (Some(pages), _) => Some(page < pages),
        (None, Some(total)) => Some(shown_before(page) < total),
        (None, None) => None,
    };
    Ok(InboxPage {
        unreadable: u32::try_from(listed.len() - rows.len()).unwrap_or(u32::MAX),
        rows,
        has_more,
        site_time: text::time(&pagination["time"]),
    })
}

fn row(json: &Value) -> Option<InboxRow> {
    Some(InboxRow {
        conversation_id: text::id(&json["id"]).filter(|id| is_conversation_id(id))?,
        update_time: text::time(&json["updated_at"]),
        description: text::string(&json["description"]),
        unread: text::flag(&json["unread"]).unwrap_or(false),
        person: person(&json["opposite_user"]),
    })
}

/// Parses the counterparty; `None` if the answer does not identify it.
pub(super) fn person(json: &Value) -> Option<Counterparty> {
    Some(Counterparty {
        member_id: text::id(&json["id"])?,
        login: text::name(&json["login"]),
        is_system: text::flag(&json["is_system"]).unwrap_or(false),
    })
}

/// Returns the structure of an answer without the texts of members.
pub(super) fn without_texts(json: &Value) -> Value {
    match json {
        Value::String(_) => Value::from("…"),
        Value::Array(entries) => entries.iter().map(without_texts).collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            Value::Object(
                fields
                    .map(|(name, value)| (name.clone(), without_texts(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(json: &Value, number: u32) -> InboxPage {
        page_in(json, number).expect("a page")
    }

    #[test]
    fn inbox_row_is_parsed_as_far_as_possible() {
        let json: Value =
            serde_json::from_str(include_str!("../../tests/shapes/inbox.json")).expect("a fixture");
        let read = page(&json, 1);
        assert_eq!((read.unreadable, read.has_more), (0, Some(true)));
        assert_eq!(read.site_time, Some(1_772_700_000_000));
        assert_eq!(
            read.rows[0],
            InboxRow {
                conversation_id: "880011".to_owned(),
                update_time: Some(1_772_623_800_000),
                description: "Would you take 15?".to_owned(),
                unread: true,
                person: Some(Counterparty {
                    member_id: "31007".to_owned(),
                    login: "lena_k".to_owned(),
                    is_system: false,
                }),
            }
        );
        assert_eq!(
            read.rows[1],
            InboxRow {
                conversation_id: "880012".to_owned(),
                update_time: Some(1_772_620_000_000),
                description: String::new(),
                unread: false,
                person: None,
            }
        );
    }

    #[test]
    fn rows_without_a_usable_id_are_counted() {
        let rows = json!([{"id": 1}, {"id": null}, {}, "row", {"id": "../2"}, {"id": "a-7"}]);
        let read = page(&json!({"conversations": rows}), 1);
        let ids: Vec<_> = read.rows.iter().map(|row| row.conversation_id.as_str()).collect();
        assert_eq!((ids, read.unreadable), (vec!["1", "a-7"], 4));
        assert_eq!((read.has_more, read.site_time), (None, None));
    }

    #[test]
    fn empty_page_counts_only_with_matching_totals() {
        let empty = |pagination: Value| json!({"conversations": [], "pagination": pagination, "code": 0});
        assert!(page(&empty(json!({"total_entries": 0})), 1).rows.is_empty());
        assert!(page(&empty(json!({"total_pages": 1})), 1).rows.is_empty());
        assert!(page(&empty(json!({"total_entries": "40"})), 3).rows.is_empty());
        for (answer, number) in [
            (empty(json!({"total_entries": 1})), 1),
            (empty(json!({"total_entries": 41, "per_page": 20})), 3),
            (empty(json!({"total_pages": 3})), 2),
            (empty(json!({})), 1),
            (empty(Value::Null), 2),
            (json!({}), 1),
            (json!({"conversations": null}), 1),
        ] {
            let read = page_in(&answer, number);
            assert!(matches!(read, Err(Flaw::Emptied(_))), "{answer}");
        }
        let other = page_in(&json!({"conversations": {}}), 1);
        assert!(matches!(other, Err(Flaw::Strange(_))));
    }

    #[test]
    fn evidence_of_an_emptied_answer_has_no_text() {
        let answer = json!({"conversation": {"description": "my address is", "ids": [1, "two"]}, "code": 0});
        assert_eq!(
            without_texts(&answer),
            json!({"conversation": {"description": "…", "ids": [1, "…"]}, "code": 0})
        );
    }
}
