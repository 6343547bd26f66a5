//! Parses the entries of a conversation: `{entity_type, entity, created_at_ts, id}` (as seen 2026, confidence A).
//!
//! Every entry of an answer becomes an [`Entry`]. A known kind is parsed as far as its fields allow. Any other becomes
//! [`EntryContent::Unknown`]. To support a new kind, add an arm in [`known`].

use serde_json::{Value, json};
use vintedbot_marketplace::{Button, Entry, EntryContent, Money};

use crate::text;

/// The maximum stored size of an unknown entry, in bytes.
const LONGEST_UNKNOWN: usize = 64 * 1024;
/// How much of the beginning of a longer entry is stored, in bytes. As text within JSON, it may grow to twice that.
const BEGINNING: usize = LONGEST_UNKNOWN / 2 - 256;

pub(super) fn entry_in(json: &Value, currency: Option<&str>) -> Entry {
    let kind = json["entity_type"].as_str().unwrap_or_default();
    let entity = &json["entity"];
    let content = known(kind, entity, currency).unwrap_or_else(|| EntryContent::Unknown {
        entity_type: kind.to_owned(),
        json: as_it_came(json),
    });
    let own = |name: &str| text::id(&entity[name]);
    let beside = || text::id(&json["id"]);
    // The id of a request's message is beside the entity (as seen 2026-10, confidence A). An offer may have no id.
    let remote_id = match &content {
        EntryContent::OfferRequest { .. } => {
            beside().or_else(|| own("offer_request_id")).or_else(|| own("id"))
        }
        EntryContent::SellerOffer { .. } => own("offer_id")
            .or_else(|| own("offer_request_id"))
            .or_else(|| own("id"))
            .or_else(beside),
        _ => own("id"),
    };
    let times = [
        &json["created_at_ts"],
        &json["created_at"],
        &entity["created_at_ts"],
        &entity["created_at"],
    ];
    Entry {
        remote_id,
        member_id: text::id(&entity["user_id"]).or_else(|| text::id(&entity["user"]["id"])),
        time: times.into_iter().find_map(text::time),
        content,
        hidden: text::flag(&entity["is_hidden"]).unwrap_or(false),
    }
}

fn known(kind: &str, entity: &Value, currency: Option<&str>) -> Option<EntryContent> {
    if !entity.is_object() {
        return None;
    }
    let price = |name: &str| -> Option<Money> {
        let beside = entity["currency"]
            .as_str()
            .or_else(|| entity["currency_code"].as_str());
        text::money(&entity[name], beside.or(currency))
    };
    let current = || text::flag(&entity["current"]).unwrap_or(false);
    Some(match kind {
        "message" => EntryContent::Message {
            body: text::string(&entity["body"]),
            photo_urls: photo_urls(entity),
        },
        "offer_request_message" => EntryContent::OfferRequest {
            offer_id: text::id(&entity["offer_request_id"]),
            transaction_id: text::id(&entity["transaction_id"]),
            price: price("price"),
            original_price: price("original_price"),
            status: text::number(&entity["status"]),
            current: current(),
        },
        "offer_message" => EntryContent::SellerOffer {
            price: price("price"),
            original_price: price("original_price"),
            current: current(),
        },
        "status_message" => EntryContent::Status {
            title: text::string(&entity["title"]),
            subtitle: text::string(&entity["subtitle"]),
        },
        "action_message" => EntryContent::Action {
            title: text::string(&entity["title"]),
            subtitle: text::string(&entity["subtitle"]),
            buttons: text::list(&entity["actions"]).iter().filter_map(button).collect(),
        },
        _ => return None,
    })
}

fn button(json: &Value) -> Option<Button> {
    json.is_object().then(|| Button {
        action: text::string(&json["action"]),
        title: text::string(&json["title"]),
        primary: text::flag(&json["primary"]).unwrap_or(false),
    })
}

/// Returns the photo URLs of a message, each once, in the largest version. Older answers have a single `photo` (as seen
/// 2026, confidence A). It counts only if there is no list, because it may repeat a photo of the list under another
/// address.
fn photo_urls(entity: &Value) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for photos in [&entity["photos"], &entity["photo"]] {
        let photos = match photos {
            Value::Array(photos) => photos.as_slice(),
            one => std::slice::from_ref(one),
        };
        if !urls.is_empty() {
            break;
        }
        for photo in photos {
            let named = [photo, &photo["full_size_url"], &photo["url"]];
            let url = named
                .into_iter()
                .find_map(|url| url.as_str().filter(|url| !url.is_empty()));
            if let Some(url) = url.filter(|url| !urls.iter().any(|known| known == url)) {
                urls.push(url.to_owned());
            }
        }
    }
    urls
}

/// Returns an entry as JSON. An entry that is too long becomes an object with its length and its beginning as text.
fn as_it_came(json: &Value) -> String {
    let text = json.to_string();
    if text.len() <= LONGEST_UNKNOWN {
        return text;
    }
    let beginning = &text[..text.floor_char_boundary(BEGINNING)];
    json!({ "cut": true, "bytes": text.len(), "beginning": beginning }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Vec<Entry> {
        let json: Value =
            serde_json::from_str(include_str!("../../tests/shapes/conversation.json")).expect("a fixture");
        let messages = json["conversation"]["messages"].as_array().expect("a list");
        messages
            .iter()
            .map(|entry| entry_in(entry, Some("EUR")))
            .collect()
    }

    #[test]
    fn unknown_entry_is_stored_as_valid_json_of_any_length() {
        for (filler, is_cut) in [("x".repeat(100), false), ("\"é\n".repeat(30_000), true)] {
            let entry = json!({"entity_type": "poll", "entity": {"id": 5, "question": filler}});
            let EntryContent::Unknown { json: stored, .. } = entry_in(&entry, None).content else {
                panic!("an unknown kind");
            };
            assert!(stored.len() <= LONGEST_UNKNOWN, "{}", stored.len());
            let read: Value = serde_json::from_str(&stored).expect("JSON");
            if is_cut {
                assert_eq!(
                    (&read["cut"], &read["bytes"]),
                    (&json!(true), &json!(entry.to_string().len()))
                );
                let beginning = read["beginning"].as_str().expect("a text");
                assert!(beginning.len() > 30_000 && entry.to_string().starts_with(beginning));
            } else {
                assert_eq!(read, entry);
            }
        }
    }

    fn euros(minor_units: i64) -> Option<Money> {
        Some(Money {
            minor_units,
            currency: "EUR".to_owned(),
        })
    }

    #[test]
    fn every_known_kind_is_parsed() {
        let entries = shape();
        let parsed: Vec<_> = entries
            .iter()
            .map(|entry| (entry.remote_id.as_deref(), entry.member_id.as_deref(), entry.time))
            .collect();
        assert_eq!(
            parsed,
            [
                (Some("700101"), Some("31007"), Some(1_772_600_400_000)),
                (Some("700102"), Some("20001"), Some(1_772_604_000_000)),
                (Some("700103"), Some("31007"), Some(1_772_607_600_000)),
                (Some("90012"), Some("20001"), Some(1_772_611_200_000)),
                (None, None, Some(1_772_614_800_000)),
                (None, None, Some(1_772_618_400_000)),
                (None, None, Some(1_772_623_800_000)),
            ]
        );
        let contents: Vec<_> = entries.into_iter().map(|entry| entry.content).collect();
        assert_eq!(
            contents[..6],
            [
                EntryContent::Message {
                    body: "Hello, is it still there?".to_owned(),
                    photo_urls: Vec::new(),
                },
                EntryContent::Message {
                    body: "It is. Here is the label.".to_owned(),
                    photo_urls: vec!["https://images2.vinted.net/tc/00_label/full.jpg?s=aa".to_owned()],
                },
                EntryContent::OfferRequest {
                    offer_id: Some("90011".to_owned()),
                    transaction_id: Some("55021".to_owned()),
                    price: euros(1_500),
                    original_price: euros(1_800),
                    status: Some(10),
                    current: true,
                },
                EntryContent::SellerOffer {
                    price: euros(1_650),
                    original_price: euros(1_800),
                    current: false,
                },
                EntryContent::Status {
                    title: "Paid".to_owned(),
                    subtitle: "Five days are left to post it".to_owned(),
                },
                EntryContent::Action {
                    title: "Post it".to_owned(),
                    subtitle: "The label is ready".to_owned(),
                    buttons: vec![Button {
                        action: "get_shipping_label".to_owned(),
                        title: "Get the label".to_owned(),
                        primary: true,
                    }],
                },
            ]
        );
        let EntryContent::Unknown { entity_type, json } = &contents[6] else {
            panic!("{:?}", contents[6]);
        };
        assert_eq!(entity_type, "donation_message");
        let stored: Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(stored["entity"]["charity"], "A cause");
    }

    #[test]
    fn id_beside_the_entity_counts_for_requests() {
        for (entry, expected) in [
            (
                json!({"entity_type": "offer_request_message", "id": 5, "entity": {"offer_request_id": 6, "id": 7}}),
                Some("5"),
            ),
            (
                json!({"entity_type": "offer_request_message", "entity": {"offer_request_id": 6, "id": 7}}),
                Some("6"),
            ),
            (
                json!({"entity_type": "offer_request_message", "id": null, "entity": {"id": 7}}),
                Some("7"),
            ),
            (
                json!({"entity_type": "offer_message", "id": 5, "entity": {"offer_id": 6}}),
                Some("6"),
            ),
            (
                json!({"entity_type": "offer_message", "id": 5, "entity": {}}),
                Some("5"),
            ),
            (json!({"entity_type": "offer_message", "entity": {}}), None),
            (
                json!({"entity_type": "message", "id": 5, "entity": {"id": 7}}),
                Some("7"),
            ),
            (
                json!({"entity_type": "status_message", "id": 5, "entity": {}}),
                None,
            ),
        ] {
            assert_eq!(entry_in(&entry, None).remote_id.as_deref(), expected, "{entry}");
        }
    }

    #[test]
    fn known_kind_without_entity_is_stored_raw() {
        for entity in [json!(null), json!("text"), json!([1])] {
            let came = json!({"entity_type": "message", "entity": entity});
            let entry = entry_in(&came, None);
            let expected = EntryContent::Unknown {
                entity_type: "message".to_owned(),
                json: came.to_string(),
            };
            assert_eq!(entry.content, expected);
        }
    }

    #[test]
    fn prices_and_photos_are_parsed_in_all_shapes() {
        let offer = json!({
            "entity_type": "offer_request_message",
            "entity": {"offer_request_id": "8", "price": "12,50 €", "original_price": 20, "status": "30", "current": 1},
        });
        let expected = EntryContent::OfferRequest {
            offer_id: Some("8".to_owned()),
            transaction_id: None,
            price: euros(1_250),
            original_price: euros(2_000),
            status: Some(30),
            current: true,
        };
        assert_eq!(entry_in(&offer, Some("EUR")).content, expected);

        let message = json!({
            "entity_type": "message",
            "entity": {"id": "5", "body": null, "photo": {"url": "https://a/1"}, "is_hidden": true, "photos": [
                {"url": "https://a/1", "full_size_url": "https://a/full"}, "https://a/2", {"url": "https://a/1"}, null, 7,
            ]},
        });
        let entry = entry_in(&message, None);
        let expected = EntryContent::Message {
            body: String::new(),
            photo_urls: ["https://a/full", "https://a/2", "https://a/1"]
                .map(str::to_owned)
                .to_vec(),
        };
        assert_eq!((entry.content, entry.hidden), (expected, true));
    }
}
