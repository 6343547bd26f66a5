//! Decides from a complete reading of a conversation whether a reply in doubt was sent.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use vintedbot_marketplace::{Conversation, Entry, EntryContent};

use super::attempt::Work;
use super::normalised;
use crate::clock::Millis;
use crate::inbox::MessageKind;
use crate::publishing::{EffectKind, EffectState};
use crate::store::entities::{effects, messages};
use crate::{Context, Result};

/// The note of an effect that the first of two required readings does not show.
pub const NOTHING_ONCE: &str = "no effect observed in the first reading after the settling window";

/// The result of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The reply is on the site as this message.
    Sent { remote_id: String },
    /// The site may still show the reply later.
    NotYet,
    /// A complete reading does not show the reply. A second reading decides.
    NothingOnce,
    /// Two readings do not show the reply.
    NotSent,
    /// The account has another new message that differs from the reply.
    Differs,
    /// The site does not show what it showed before, so that absence proves nothing.
    Incomplete,
}

/// Returns the ids of all messages in a reading, including the counterparty's. A later reading that lacks one of them
/// is not complete.
pub fn message_ids(conversation: &Conversation) -> Vec<String> {
    let entries = conversation.entries.iter();
    let messages = entries.filter(|entry| matches!(entry.content, EntryContent::Message { .. }));
    messages.filter_map(|entry| entry.remote_id.clone()).collect()
}

/// Returns whether absence proves anything in a reading. The reading must show everything that the reading before the
/// send showed, and no entry that may be an unidentified message. An emptied answer, or one of another shape, proves
/// nothing.
fn is_complete(known: &[String], conversation: &Conversation) -> bool {
    let shown = message_ids(conversation);
    let mut entries = conversation.entries.iter();
    let is_identified = |entry: &Entry| match &entry.content {
        EntryContent::Message { .. } => entry.remote_id.is_some(),
        // If no message is known for comparison, an unknown entry may be a message of another type.
        EntryContent::Unknown { .. } => !known.is_empty(),
        _ => true,
    };
    !conversation.entries.is_empty()
        && known.iter().all(|id| shown.contains(id))
        && entries.all(is_identified)
}

/// Returns the message ids that replies of the account already have on the reply's site. Ids of another site do not
/// apply.
pub async fn claimed(context: &Context, work: &Work) -> Result<HashSet<String>> {
    let ids: Vec<String> = effects::Entity::find()
        .select_only()
        .column(effects::Column::RemoteId)
        .filter(effects::Column::AccountId.eq(work.account_id.as_str()))
        .filter(effects::Column::Site.eq(work.account_context.site.as_str()))
        .filter(effects::Column::Kind.eq(EffectKind::Reply))
        .filter(effects::Column::RemoteId.is_not_null())
        .into_tuple()
        .all(context.store.reader())
        .await?;
    Ok(ids.into_iter().collect())
}

/// Returns whether messages of the conversation are stored already.
pub async fn has_messages(context: &Context, work: &Work) -> Result<bool> {
    let found = messages::Entity::find()
        .filter(messages::Column::ThreadId.eq(work.thread_id.as_str()))
        .filter(messages::Column::Kind.eq(MessageKind::Message))
        .filter(messages::Column::RemoteId.is_not_null())
        .one(context.store.reader())
        .await?;
    Ok(found.is_some())
}

/// Decides from a complete reading. Presence counts at once. Absence counts only after the settling window and in two
/// readings.
pub fn decide(
    effect: &effects::Model,
    work: &Work,
    claimed: &HashSet<String>,
    conversation: &Conversation,
    now: Millis,
) -> Decision {
    if crate::failpoints::disables("reconcile") {
        return Decision::NotSent;
    }
    let known: Vec<String> = serde_json::from_str(&effect.known_remote_ids).unwrap_or_default();
    let new: Vec<_> = own(conversation, work.member_id.as_deref())
        .filter(|(id, _, _)| !known.iter().any(|one| one == id) && !claimed.contains(*id))
        .collect();
    let text = normalised(&work.text);
    let equal = new
        .iter()
        .find(|(_, body, photos)| normalised(body) == text && *photos == work.photo_sha256s.len());
    if let Some((id, _, _)) = equal {
        return Decision::Sent {
            remote_id: (*id).to_owned(),
        };
    }
    let settled = effect.state == EffectState::Unconfirmed && now >= effect.settle_until;
    if !settled {
        Decision::NotYet
    } else if !new.is_empty() {
        Decision::Differs
    } else if !is_complete(&known, conversation) {
        Decision::Incomplete
    } else if effect.note.as_deref() == Some(NOTHING_ONCE) {
        Decision::NotSent
    } else {
        Decision::NothingOnce
    }
}

/// Returns the account's own messages, oldest first: id, text, number of photos.
fn own<'a>(
    conversation: &'a Conversation,
    member_id: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, &'a str, usize)> {
    let entries = conversation.entries.iter();
    entries.filter_map(move |entry| match &entry.content {
        EntryContent::Message { body, photo_urls } if conversation.may_be_own(entry, member_id) => {
            Some((entry.remote_id.as_deref()?, body.as_str(), photo_urls.len()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use vintedbot_marketplace::{AccountContext, Counterparty, Language};

    use super::*;

    const NOW: Millis = 10_000;

    fn work() -> Work {
        Work {
            reply_id: "reply".to_owned(),
            workspace_id: "workspace".to_owned(),
            account_id: "account".to_owned(),
            thread_id: "thread".to_owned(),
            conversation_id: "9".to_owned(),
            member_id: Some("1".to_owned()),
            text: "Oui, toujours là !".to_owned(),
            photo_sha256s: Vec::new(),
            content_hash: String::new(),
            manual: false,
            account_context: AccountContext {
                account_id: "account".to_owned(),
                site: "practice".to_owned(),
                language: Language::Fr,
                practice_login: "seller".to_owned(),
                lock: None,
            },
        }
    }

    fn effect(settle_until: Millis, note: Option<&str>) -> effects::Model {
        effects::Model {
            id: "effect".to_owned(),
            workspace_id: "workspace".to_owned(),
            account_id: "account".to_owned(),
            site: "practice".to_owned(),
            subject_id: "reply".to_owned(),
            kind: EffectKind::Reply,
            state: EffectState::Unconfirmed,
            claim_epoch: 1,
            form_session_id: String::new(),
            intent_time: 0,
            not_after: 1,
            reconcile_after: 2,
            settle_until,
            known_remote_ids: "[\"50\"]".to_owned(),
            target_remote_id: Some("9".to_owned()),
            target_photo_ids: "[]".to_owned(),
            remote_id: None,
            note: note.map(str::to_owned),
            decide_time: None,
            watch_until: None,
            remote_snapshot: None,
        }
    }

    fn conversation(messages: &[(&str, &str, &str)]) -> Conversation {
        let entry = |(id, author, body): &(&str, &str, &str)| Entry {
            remote_id: Some((*id).to_owned()),
            member_id: Some((*author).to_owned()),
            time: None,
            content: EntryContent::Message {
                body: (*body).to_owned(),
                photo_urls: Vec::new(),
            },
            hidden: false,
        };
        Conversation {
            id: "9".to_owned(),
            person: Some(Counterparty {
                member_id: "2".to_owned(),
                login: "camille".to_owned(),
                is_system: false,
            }),
            subtitle: String::new(),
            unread: false,
            reply_allowed: true,
            read_by_account: true,
            read_by_person: false,
            transaction: None,
            entries: messages.iter().map(entry).collect(),
        }
    }

    fn decided(messages: &[(&str, &str, &str)], settle_until: Millis, note: Option<&str>) -> Decision {
        let claimed = HashSet::from(["60".to_owned()]);
        let effect = effect(settle_until, note);
        decide(&effect, &work(), &claimed, &conversation(messages), NOW)
    }

    fn sent(remote_id: &str) -> Decision {
        Decision::Sent {
            remote_id: remote_id.to_owned(),
        }
    }

    #[test]
    fn earliest_new_message_with_equal_text_matches() {
        let text = "Oui, toujours là !";
        assert_eq!(
            decided(&[("70", "1", text), ("71", "1", text)], NOW + 1, None),
            sent("70")
        );
        let spaced = "Oui,\u{a0}toujours  là\u{202f}!\r\n";
        assert_eq!(decided(&[("70", "1", spaced)], NOW + 1, None), sent("70"));
        let decomposed = "\u{feff}Oui,\ttoujours la\u{300} !";
        assert_eq!(decided(&[("70", "1", decomposed)], NOW + 1, None), sent("70"));
    }

    #[test]
    fn old_foreign_and_claimed_messages_do_not_match() {
        let text = "Oui, toujours là !";
        for id in ["50", "60"] {
            assert_eq!(
                decided(&[(id, "1", text)], NOW + 1, None),
                Decision::NotYet,
                "{id}"
            );
        }
        assert_eq!(decided(&[("70", "2", text)], NOW + 1, None), Decision::NotYet);
        // A member who is not the counterparty may be the account, even if another member id is stored for the account.
        assert_eq!(decided(&[("70", "77", text)], NOW + 1, None), sent("70"));
    }

    #[test]
    fn absence_counts_after_settling_in_two_readings() {
        let before = [("50", "1", "Bonjour")];
        assert_eq!(decided(&before, NOW + 1, None), Decision::NotYet);
        assert_eq!(decided(&before, NOW + 1, Some(NOTHING_ONCE)), Decision::NotYet);
        assert_eq!(decided(&before, NOW, None), Decision::NothingOnce);
        assert_eq!(decided(&before, NOW, Some(NOTHING_ONCE)), Decision::NotSent);
    }

    #[test]
    fn emptied_reading_proves_nothing() {
        for emptied in [vec![], vec![("51", "2", "Bonjour")]] {
            assert_eq!(decided(&emptied, NOW, Some(NOTHING_ONCE)), Decision::Incomplete);
            assert_eq!(decided(&emptied, NOW + 1, None), Decision::NotYet);
        }
        let mut nameless = conversation(&[("50", "1", "Bonjour"), ("", "1", "Salut")]);
        nameless.entries[1].remote_id = None;
        let effect = effect(NOW, Some(NOTHING_ONCE));
        let decision = decide(&effect, &work(), &HashSet::new(), &nameless, NOW);
        assert_eq!(decision, Decision::Incomplete);
    }

    #[test]
    fn other_text_of_ours_asks_the_person() {
        for text in ["Non, vendu", "Oui, toujours la ?", "👍"] {
            let other = [("70", "1", text)];
            assert_eq!(decided(&other, NOW + 1, None), Decision::NotYet, "{text}");
            assert_eq!(
                decided(&other, NOW, Some(NOTHING_ONCE)),
                Decision::Differs,
                "{text}"
            );
        }
    }
}
