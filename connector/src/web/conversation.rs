//! Reads one conversation: `GET /conversations/{id}` (as seen 2026, confidence A). Reading it does not mark it as read.

use serde_json::Value;
use vintedbot_marketplace::markets::Market;
use vintedbot_marketplace::{Conversation, Entry, EntryContent, Error, Side, Transaction};

use super::entries::entry_in;
use super::inbox::{Flaw, conversation_path, person};
use super::{Call, WebSession};
use crate::text;

impl WebSession {
    /// Returns a conversation with all its entries; `None` if the site reports that it does not exist.
    pub(crate) async fn conversation(&self, id: &str) -> Result<Option<Conversation>, Error> {
        let path = conversation_path(id)?;
        let Some(json) = self.json_if_there(&Call::get(&path)).await? else {
            return Ok(None);
        };
        let currency = Market::find(&self.account_context.site).map(|market| market.currency.as_str());
        let signed_in = self.signed_in().await?;
        let read = conversation_in(&json, id, currency, Some(&signed_in.member.id));
        read.map(Some).map_err(|flaw| self.flawed(flaw, &path, &json))
    }
}

/// Parses the conversation of an answer. Prices without a currency are in `currency`. `account_id` is the account's
/// member id.
pub(super) fn conversation_in(
    json: &Value,
    asked_id: &str,
    currency: Option<&str>,
    account_id: Option<&str>,
) -> Result<Conversation, Flaw> {
    let json = &json["conversation"];
    let messages = match &json["messages"] {
        Value::Array(messages) => messages,
        Value::Null => return Err(Flaw::Emptied("conversation.messages")),
        _ => return Err(Flaw::Strange("messages is not a list")),
    };
    if text::id(&json["id"]).is_some_and(|id| id != asked_id) {
        return Err(Flaw::Strange("the answer is about another conversation"));
    }
    let person = person(&json["opposite_user"]);
    let transaction = transaction(
        &json["transaction"],
        person.as_ref().map(|it| &*it.member_id),
        account_id,
        currency,
    );
    let mut entries: Vec<Entry> = messages.iter().map(|entry| entry_in(entry, currency)).collect();
    for entry in &mut entries {
        if entry.member_id.is_none() {
            entry.member_id = text::id(&json["transaction"][author_of(&entry.content)]);
        }
    }
    // The order is not documented. If the times show that the newest entry comes first, the order is reversed.
    let mut times = entries.iter().filter_map(|entry| entry.time);
    if let (Some(first), Some(last)) = (times.next(), times.next_back())
        && first > last
    {
        entries.reverse();
    }
    let unread = text::flag(&json["unread"]);
    let read = text::flag(&json["read_by_current_user"]);
    Ok(Conversation {
        id: asked_id.to_owned(),
        person,
        subtitle: text::name(&json["subtitle"]),
        unread: unread.or(read.map(|read| !read)).unwrap_or(false),
        // If the answer does not say, the site decides when a reply is sent.
        reply_allowed: text::flag(&json["allow_reply"]).unwrap_or(true),
        read_by_account: read.or(unread.map(|unread| !unread)).unwrap_or(false),
        read_by_person: text::flag(&json["read_by_opposite_user"]).unwrap_or(false),
        transaction,
        entries,
    })
}

/// Returns the transaction's field with the author of an entry whose kind decides that; empty for other kinds.
fn author_of(content: &EntryContent) -> &'static str {
    match content {
        EntryContent::OfferRequest { .. } => "buyer_id",
        EntryContent::SellerOffer { .. } => "seller_id",
        _ => "",
    }
}

fn transaction(
    json: &Value,
    person_id: Option<&str>,
    account_id: Option<&str>,
    currency: Option<&str>,
) -> Option<Transaction> {
    let fields = json.as_object().filter(|fields| !fields.is_empty())?;
    let flag = |name: &str| fields.get(name).and_then(text::flag).unwrap_or(false);
    let is = |name: &str, member_id: Option<&str>| {
        let id = text::id(&json[name]);
        id.is_some() && id.as_deref() == member_id
    };
    let side = match json["current_user_side"].as_str() {
        Some("seller") => Some(Side::Seller),
        Some("buyer") => Some(Side::Buyer),
        _ if is("seller_id", account_id) || is("buyer_id", person_id) => Some(Side::Seller),
        _ if is("buyer_id", account_id) || is("seller_id", person_id) => Some(Side::Buyer),
        _ => None,
    };
    let mut item_ids: Vec<String> = text::list(&json["item_ids"])
        .iter()
        .filter_map(text::id)
        .collect();
    if item_ids.is_empty() {
        item_ids.extend(text::id(&json["item_id"]));
    }
    Some(Transaction {
        id: text::id(&json["id"]).unwrap_or_default(),
        status: text::number(&json["status"]),
        side,
        is_bundle: text::flag(&json["is_bundle"]).unwrap_or(item_ids.len() > 1),
        is_reserved: flag("is_reserved"),
        is_completed: flag("is_completed"),
        item_ids,
        item_title: text::name(&json["item_title"]),
        item_url: json["item_url"]
            .as_str()
            .filter(|url| !url.is_empty())
            .map(str::to_owned),
        item_is_closed: flag("item_is_closed"),
        price: text::money(&json["offer_price"], json["currency"].as_str().or(currency)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vintedbot_marketplace::Money;

    use super::*;

    fn shape() -> Value {
        serde_json::from_str(include_str!("../../tests/shapes/conversation.json")).expect("a fixture")
    }

    fn read(json: &Value) -> Conversation {
        conversation_in(json, "880011", Some("EUR"), None).expect("a conversation")
    }

    #[test]
    fn conversation_has_counterparty_and_item() {
        let conversation = read(&shape());
        let person = conversation.person.expect("a person");
        assert_eq!(
            (&*person.member_id, &*person.login, person.is_system),
            ("31007", "lena_k", false)
        );
        assert_eq!(conversation.subtitle, "Wool jumper, grey");
        assert!(conversation.unread && conversation.reply_allowed && conversation.read_by_person);
        assert!(!conversation.read_by_account);
        assert_eq!(
            conversation.transaction,
            Some(Transaction {
                id: "55021".to_owned(),
                status: Some(1),
                side: Some(Side::Seller),
                item_ids: vec!["420001".to_owned()],
                item_title: "Wool jumper, grey".to_owned(),
                item_url: Some("https://www.vinted.fr/items/420001-wool-jumper".to_owned()),
                price: Some(Money {
                    minor_units: 1_800,
                    currency: "EUR".to_owned(),
                }),
                ..Transaction::default()
            })
        );
        assert_eq!(conversation.entries.len(), 7);
    }

    #[test]
    fn bundle_has_several_items_and_older_answer_has_none() {
        let mut json = shape();
        json["conversation"]["transaction"]["item_id"] = Value::Null;
        json["conversation"]["transaction"]["item_ids"] = json!([420001, "420002"]);
        json["conversation"]["transaction"]["is_bundle"] = Value::Null;
        let transaction = read(&json).transaction.expect("a transaction");
        assert!(transaction.is_bundle);
        assert_eq!(transaction.item_ids, ["420001", "420002"]);
        json["conversation"]["transaction"]["item_ids"] = Value::Null;
        let transaction = read(&json).transaction.expect("a transaction");
        assert!(transaction.item_ids.is_empty() && !transaction.is_bundle);
    }

    #[test]
    fn missing_side_is_derived_from_the_members() {
        let mut json = shape();
        json["conversation"]["transaction"]["current_user_side"] = Value::Null;
        let transaction = read(&json).transaction.expect("a transaction");
        assert_eq!(transaction.side, Some(Side::Seller));
        json["conversation"]["opposite_user"] = Value::Null;
        for (account_id, side) in [
            (Some("20001"), Some(Side::Seller)),
            (Some("31007"), Some(Side::Buyer)),
            (Some("7"), None),
            (None, None),
        ] {
            let read = conversation_in(&json, "880011", Some("EUR"), account_id).expect("a conversation");
            assert_eq!(
                read.transaction.expect("a transaction").side,
                side,
                "{account_id:?}"
            );
        }
    }

    #[test]
    fn offer_without_author_is_of_the_buyer_or_the_seller() {
        let mut json = shape();
        let messages = json["conversation"]["messages"].as_array_mut().expect("a list");
        for message in messages {
            message["entity"]["user_id"] = Value::Null;
        }
        let authors: Vec<_> = read(&json)
            .entries
            .into_iter()
            .map(|entry| entry.member_id)
            .collect();
        let expected = [None, None, Some("31007"), Some("20001"), None, None, None];
        assert_eq!(authors, expected.map(|id| id.map(str::to_owned)));
    }

    #[test]
    fn entries_are_sorted_oldest_first() {
        let mut json = shape();
        let right = read(&json).entries;
        let messages = json["conversation"]["messages"].as_array_mut().expect("a list");
        messages.reverse();
        assert_eq!(read(&json).entries, right);
    }

    #[test]
    fn missing_data_is_an_error_not_an_empty_conversation() {
        for answer in [
            json!({}),
            json!({"code": 0}),
            json!({"conversation": null}),
            json!({"conversation": {}}),
            json!({"conversation": {"id": 880011, "messages": null}}),
        ] {
            let read = conversation_in(&answer, "880011", None, None);
            assert!(matches!(read, Err(Flaw::Emptied(_))), "{answer}");
        }
        for answer in [
            json!({"conversation": {"messages": {}}}),
            json!({"conversation": {"id": 7, "messages": []}}),
        ] {
            let read = conversation_in(&answer, "880011", None, None);
            assert!(matches!(read, Err(Flaw::Strange(_))), "{answer}");
        }
        let least = conversation_in(&json!({"conversation": {"messages": [{}]}}), "880011", None, None);
        let least = least.expect("a conversation");
        assert!(least.reply_allowed && least.person.is_none() && least.transaction.is_none());
        assert!(matches!(least.entries[0].content, EntryContent::Unknown { .. }));
    }
}
