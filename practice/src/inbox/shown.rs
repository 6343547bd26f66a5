//! Inbox and conversations as the site's JSON shows them to one of the two members (as seen 2026, confidence A).

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::{Value, json};

use super::deals::{ACCEPTED, COMPLETED, PENDING, REJECTED, Transaction};
use super::{Conversation, Entry, EntryContent, words};
use crate::items::{decimal, money};
use crate::ontology::{Locale, text};
use crate::store::State;

/// The time zone of the market; all times are written in it.
static ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
    TimeZoneDatabase::bundled()
        .get("Europe/Paris")
        .unwrap_or(TimeZone::UTC)
});

const HOUR_MS: i64 = 3_600_000;

/// The difference between the id of a request's message and the id of the request. They are different numbers on the
/// real site too, and only the second one is in the entity (as seen 2026-10, confidence A).
const REQUEST_MESSAGE: u64 = 2_000_000;

/// The viewer, the time and the format of a reading.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub member_id: u64,
    pub locale: Locale,
    pub base_url: &'a str,
    pub now: i64,
    /// Whether times have milliseconds.
    pub millis: bool,
}

impl Look<'_> {
    /// Formats a time as the site does: local time with its offset, normally without milliseconds.
    fn time(&self, ms: i64) -> String {
        let time = Timestamp::from_millisecond(ms).unwrap_or_default();
        let format = if self.millis {
            "%Y-%m-%dT%H:%M:%S%.3f%:z"
        } else {
            "%Y-%m-%dT%H:%M:%S%:z"
        };
        time.to_zoned_datetime(ZONE.clone()).strftime(format).to_string()
    }
}

impl State {
    /// Returns a row of the inbox. The row names no item.
    pub fn inbox_row_json(&self, one: &Conversation, update_time: i64, look: &Look<'_>) -> Value {
        let transaction = one.transaction.as_ref();
        let items = transaction.map_or(&[][..], |deal| &deal.item_ids);
        let photos = items
            .iter()
            .filter_map(|id| self.items.get(id)?.photo_ids.first())
            .filter_map(|id| self.photos.get(id));
        let photos: Vec<_> = photos
            .map(|photo| self.photo_json(photo, 1, look.base_url))
            .collect();
        let opposite_id = one.opposite(look.member_id);
        let opposite = self.members.get(&opposite_id).map(|member| {
            json!({
                "id": member.id,
                "login": member.login,
                "photo": self.photo_of(member.photo_id, look.base_url),
                "badge": null,
            })
        });
        json!({
            "id": one.id,
            "item_count": items.len(),
            "is_deletion_restricted": transaction.is_some_and(Transaction::is_sold),
            "description": one.description(look.locale, look.now),
            "unread": !one.read_by(look.member_id),
            "updated_at": look.time(update_time),
            "opposite_user": opposite,
            "item_photos": photos,
        })
    }

    /// Returns a whole conversation.
    pub fn conversation_json(&self, one: &Conversation, look: &Look<'_>) -> Value {
        let read = one.read_by(look.member_id);
        let entries = one.readable(look.now);
        let opposite_id = one.opposite(look.member_id);
        let transaction = one.transaction.as_ref();
        json!({
            "id": one.id,
            "read_by_current_user": read,
            "read_by_opposite_user": one.read_by(opposite_id),
            "localization": "none",
            "translated": false,
            "allow_reply": one.reply_allowed,
            "is_suspicious": false,
            "is_deletion_restricted": transaction.is_some_and(Transaction::is_sold),
            "subtitle": one.subtitle(look.locale),
            "description": null,
            "unread": !read,
            "messages": entries.map(|entry| self.entry_json(one, entry, look)).collect::<Vec<_>>(),
            "suggested_messages": [],
            "transaction": transaction.map(|deal| self.transaction_json(one, deal, look)),
            "opposite_user": self.opposite_json(opposite_id, look),
            "education": null,
            "moderated_items": null,
            "user_has_support_role": false,
            "safety_education": false,
            "conversation_url": format!("{}/inbox/{}", look.base_url, one.id),
        })
    }

    /// Returns an entry of a conversation with its kind and time.
    pub fn entry_json(&self, one: &Conversation, entry: &Entry, look: &Look<'_>) -> Value {
        let locale = look.locale;
        let transaction_id = one.transaction.as_ref().map(|deal| deal.id);
        let member_id = one.author(&entry.content);
        let mut group = None;
        let (kind, entity) = match &entry.content {
            EntryContent::Message {
                body,
                photo_ids,
                is_hidden,
                ..
            } => {
                let photos = photo_ids.iter().filter_map(|id| self.photos.get(id)).enumerate();
                let photos: Vec<_> = photos
                    .map(|(n, photo)| self.photo_json(photo, n + 1, look.base_url))
                    .collect();
                let entity = json!({
                    "id": entry.id,
                    "user_id": member_id,
                    "body": if *is_hidden { "" } else { body },
                    "photos": photos,
                    "sent_via_mobile": member_id == Some(one.buyer_id),
                    "reaction": null,
                    "is_hidden": is_hidden,
                });
                ("message", entity)
            }
            EntryContent::OfferRequest {
                price,
                original_price,
                status,
                current,
            } => {
                let title = match *status {
                    PENDING => "offer_pending",
                    ACCEPTED => "offer_accepted",
                    REJECTED => "offer_rejected",
                    _ => "offer_withdrawn",
                };
                let entity = json!({
                    "offer_request_id": entry.id,
                    "transaction_id": transaction_id,
                    "user_id": member_id,
                    "price": money(Some(*price)),
                    "original_price": money(Some(*original_price)),
                    "status": status,
                    "status_title": text(locale, title),
                    "current": current,
                    "title": text(locale, "offer_asked"),
                });
                ("offer_request_message", entity)
            }
            EntryContent::Offer {
                price,
                original_price,
                current,
            } => {
                let entity = json!({
                    "offer_request_id": entry.id,
                    "transaction_id": transaction_id,
                    "user_id": member_id,
                    "price": money(Some(*price)),
                    "original_price": money(Some(*original_price)),
                    "current": current,
                    "title": text(locale, "offer_named"),
                });
                ("offer_message", entity)
            }
            EntryContent::Status { title, subtitle } => {
                group = Some(1);
                let entity = json!({
                    "title": words(locale, title),
                    "subtitle": words(locale, subtitle),
                    "notification": null,
                    "email": null,
                    "push": false,
                });
                ("status_message", entity)
            }
            EntryContent::Action {
                title,
                subtitle,
                buttons,
            } => {
                let buttons = buttons.iter().enumerate().map(|(n, (action, title))| {
                    json!({"action": action, "title": words(locale, title), "primary": n == 0})
                });
                let entity = json!({
                    "title": words(locale, title),
                    "subtitle": words(locale, subtitle),
                    "template": {"style": "clear_box"},
                    "actions": buttons.collect::<Vec<_>>(),
                });
                ("action_message", entity)
            }
            EntryContent::Other { entity_type, entity } => (entity_type.as_str(), entity.clone()),
        };
        let mut shown = json!({
            "entity_type": kind,
            "entity": entity,
            "created_at_ts": look.time(entry.time),
            "created_time_ago": "",
        });
        if let Some(group) = group {
            shown["display_group"] = json!(group);
        }
        if let EntryContent::OfferRequest { .. } = &entry.content {
            shown["id"] = json!(entry.id + REQUEST_MESSAGE);
        }
        shown
    }

    fn transaction_json(&self, one: &Conversation, deal: &Transaction, look: &Look<'_>) -> Value {
        let is_bundle = deal.item_ids.len() > 1;
        let item_id = deal.item_ids.first().filter(|_| !is_bundle);
        // The buyer pays about 5 % plus 0.70 for protection (confidence C).
        let fee = deal.price / 20 + 70;
        let is_closed = |id| self.items.get(id).is_none_or(|item| item.is_closed);
        let sold_items = self.items.values().filter(|item| item.member_id == one.seller_id);
        json!({
            "id": deal.id,
            "status": deal.status,
            "offline_verification": false,
            "offer_id": deal.offer_id,
            "buyer_id": one.buyer_id,
            "seller_id": one.seller_id,
            "is_completed": deal.status == COMPLETED,
            "available_actions": ["use_payments", "feedback", "delete_thread"],
            "current_user_side": if one.seller_id == look.member_id { "seller" } else { "buyer" },
            "is_bundle": is_bundle,
            "is_reserved": deal.is_sold(),
            "is_package_size_selected": true,
            "is_business_seller": false,
            "item_count": deal.item_ids.len(),
            "item_id": item_id,
            "item_ids": deal.item_ids,
            "item_title": words(look.locale, &deal.item_title),
            "item_photo": self.photo_of(deal.photo_id, look.base_url),
            "item_url": item_id.map(|id| format!("{}/items/{id}", look.base_url)),
            "item_is_closed": deal.item_ids.iter().any(is_closed),
            "offer_price": money(Some(deal.price)),
            "service_fee": money(Some(fee)),
            "shipment_price": money(Some(300)),
            "total_without_shipment": money(Some(deal.price + fee)),
            "total_amount_without_tax": decimal(deal.price + fee),
            "closet_countdown_end_date": null,
            "seller_bundle_discount": null,
            "seller_item_count": sold_items.count(),
            "seller_city": "Exampleville",
            "show_ship_fast_badge_education": false,
            "shipment_id": deal.is_sold().then_some(deal.id + 1_000_000),
            "shipment_status": deal.is_sold().then_some(0),
            "package_size_code": "SMALL",
        })
    }

    fn opposite_json(&self, member_id: u64, look: &Look<'_>) -> Value {
        let Some(member) = self.members.get(&member_id) else {
            return Value::Null;
        };
        // The last visit is rounded to the hour, so that two readings of the same state are equal.
        json!({
            "id": member.id,
            "login": member.login,
            "photo": self.photo_of(member.photo_id, look.base_url),
            "last_logged_in_at": look.time(look.now / HOUR_MS * HOUR_MS),
            "is_system": member.is_system,
            "review_count": 3,
            "feedback_reputation": 1.0,
            "is_on_holiday": false,
            "is_moderator": false,
            "is_user_unblockable": member.is_system,
            "is_hated": false,
            "profile_url": format!("{}/member/{}", look.base_url, member.id),
            "location_description": null,
        })
    }

    fn photo_of(&self, id: Option<u64>, base_url: &str) -> Value {
        let photo = id.and_then(|id| self.photos.get(&id));
        photo.map_or(Value::Null, |photo| self.photo_json(photo, 1, base_url))
    }
}
