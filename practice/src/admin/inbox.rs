//! Conversations and buyers, as controlled from the buyer's side.
//!
//! | call                              | what it does                                                              |
//! | --------------------------------- | ------------------------------------------------------------------------- |
//! | `GET conversations?member_id=N`   | every conversation of a member in full, including invisible entries       |
//! | `POST conversations {...}`        | opens a conversation with a member, with a first message if it has a text |
//! | `POST conversations/many {...}`   | opens `count` conversations with `messages` entries each                  |
//! | `POST conversations/{id} {do}`    | performs an action in the conversation: see [`Act`]                       |
//! | `POST buyers {steps}`             | lets the scripted buyers act, even if their timer is off                  |
//!
//! None of these calls leaves a record: records cover only what clients send to the site.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::photos;
use crate::inbox::shown::Look;
use crate::inbox::{Conversation, EntryContent, Shows};
use crate::ontology::Locale;
use crate::site::Site;
use crate::{buyers, clock, session, store};

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/_practice/conversations", get(list).post(open))
        .route("/_practice/conversations/many", post(open_many))
        .route("/_practice/conversations/{id}", post(act))
        .route("/_practice/buyers", post(step))
}

#[derive(Deserialize)]
struct Whose {
    member_id: u64,
}

async fn list(State(site): State<Arc<Site>>, Query(whose): Query<Whose>) -> Json<Value> {
    let state = site.lock();
    let of = |one: &&Conversation| one.seller_id == whose.member_id || one.buyer_id == whose.member_id;
    let look = Look {
        member_id: whose.member_id,
        locale: Locale::En,
        base_url: &site.base_url,
        now: i64::MAX,
        millis: true,
    };
    let row = |one: &Conversation| {
        let mut row = json!(one);
        let entries = one
            .entries
            .iter()
            .map(|entry| state.entry_json(one, entry, &look));
        row["messages"] = entries.collect();
        row
    };
    Json(state.conversations.values().filter(of).map(row).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    /// The seller.
    member_id: u64,
    /// The buyer's login. The member is created if the login is new.
    buyer: Option<String>,
    /// The items of the conversation. Several items are a bundle; without items, the conversation has no transaction.
    #[serde(default)]
    item_ids: Vec<u64>,
    /// The first message. Absent leaves the conversation without a message.
    text: Option<String>,
    /// The number of generated photos in the message.
    #[serde(default)]
    photos: u8,
    /// The time of the message, in UTC milliseconds. Absent is now.
    time: Option<i64>,
    /// Whether the site itself is the author. No member can reply to such a conversation.
    #[serde(default)]
    system: bool,
}

/// Opens a conversation. Returns its id and the ids of its transaction, buyer and message.
async fn open(
    State(site): State<Arc<Site>>,
    Json(opening): Json<Opening>,
) -> Result<Json<Value>, StatusCode> {
    let mut state = site.lock();
    if !state.members.contains_key(&opening.member_id) {
        return Err(StatusCode::NOT_FOUND);
    }
    let login = opening.buyer.unwrap_or_else(|| "camille_practice".to_owned());
    let mut buyer = session::member_named(&mut state, &login);
    buyer.is_system |= opening.system;
    state.members.insert(buyer.id, buyer.clone());
    let time = opening.time.unwrap_or_else(clock::now_ms);
    let id = state
        .open_conversation(opening.member_id, buyer.id, &opening.item_ids, time)
        .ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    if let Some(one) = state.conversations.get_mut(&id) {
        one.reply_allowed = !opening.system;
    }
    let message_id = if opening.text.is_some() || opening.photos > 0 {
        let content = message(
            &mut state,
            buyer.id,
            opening.text.unwrap_or_default(),
            opening.photos,
        )?;
        state.add_entry(id, content, Shows::at_once(time))
    } else {
        None
    };
    state.save();
    let one = state.conversations.get(&id);
    let transaction_id = one.and_then(|one| one.transaction.as_ref().map(|deal| deal.id));
    Ok(Json(json!({
        "id": id,
        "buyer_id": buyer.id,
        "transaction_id": transaction_id,
        "message_id": message_id,
    })))
}

fn message(
    state: &mut store::State,
    member_id: u64,
    body: String,
    photos: u8,
) -> Result<EntryContent, StatusCode> {
    let made = (0..photos).map(|_| photos::made_up(state, member_id));
    let photo_ids = made.collect::<Result<Vec<_>, _>>();
    Ok(EntryContent::Message {
        member_id,
        body,
        photo_ids: photo_ids.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?,
        is_hidden: false,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    /// The seller.
    member_id: u64,
    count: u64,
    /// The number of messages in each conversation; buyer and seller alternate.
    messages: u64,
    /// The item of all these conversations. Absent leaves them without a transaction.
    item_id: Option<u64>,
}

/// Opens many conversations with as many buyers, one minute apart, the last one now. Returns their ids.
async fn open_many(State(site): State<Arc<Site>>, Json(many): Json<Many>) -> Result<Json<Value>, StatusCode> {
    let mut state = site.lock();
    if !state.members.contains_key(&many.member_id) {
        return Err(StatusCode::NOT_FOUND);
    }
    let now = clock::now_ms();
    let item_ids: Vec<_> = many.item_id.into_iter().collect();
    let mut ids = Vec::new();
    for n in 0..many.count {
        let buyer = session::new_member(
            &mut state,
            &format!("buyer_{n}_{}", clock::hex(&clock::random::<4>())),
        );
        let time = now - i64::try_from(many.count - 1 - n).unwrap_or(0) * 60_000;
        let id = state
            .open_conversation(many.member_id, buyer.id, &item_ids, time)
            .ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
        for m in 0..many.messages {
            let member_id = if m % 2 == 0 { buyer.id } else { many.member_id };
            let content = EntryContent::Message {
                member_id,
                body: format!("Message {} of conversation {}", m + 1, n + 1),
                photo_ids: Vec::new(),
                is_hidden: false,
            };
            let earlier = i64::try_from(many.messages - 1 - m).unwrap_or(0) * 1_000;
            state.add_entry(id, content, Shows::at_once(time - earlier));
        }
        ids.push(id);
    }
    state.save();
    Ok(Json(json!({"ids": ids})))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    #[default]
    Buyer,
    /// The seller, from another device.
    Seller,
}

/// An action in a conversation.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Act {
    /// Buyer or seller writes a message.
    Write {
        #[serde(default)]
        text: String,
        #[serde(default)]
        photos: u8,
        #[serde(default)]
        from: Side,
        /// The delay after which the message is visible, in milliseconds.
        #[serde(default)]
        late_ms: i64,
    },
    /// The buyer asks for a price, or the seller offers one, in minor units.
    Offer {
        price: i64,
        #[serde(default)]
        from: Side,
    },
    /// The buyer accepts the seller's last offer.
    Accept,
    /// The buyer pays.
    Buy,
    /// The site changes the status of the transaction. The prices stay unchanged.
    Deal { status: u64 },
    /// The author of a message withdraws its text.
    Hide { message_id: u64 },
    /// Buyer or seller reads the conversation.
    Read {
        #[serde(default)]
        by: Side,
    },
    /// The site adds a status entry.
    Status { title: String, subtitle: String },
    /// The site adds an entry of any kind.
    Entry { entity_type: String, entity: Value },
    /// Allows or forbids replies.
    Allow { reply: bool },
}

/// Performs an action. Returns the id of the new entry, if there is one. Fails with 409 if the action is impossible.
async fn act(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    Json(act): Json<Act>,
) -> Result<Json<Value>, StatusCode> {
    let mut state = site.lock();
    let one = state.conversations.get(&id).ok_or(StatusCode::NOT_FOUND)?;
    let (seller_id, buyer_id) = (one.seller_id, one.buyer_id);
    let side = |side| if side == Side::Buyer { buyer_id } else { seller_id };
    let now = clock::now_ms();
    let entry_id = match act {
        Act::Write {
            text,
            photos,
            from,
            late_ms,
        } => {
            let content = message(&mut state, side(from), text, photos)?;
            let shows = Shows {
                time: now,
                list_time: Some(now + late_ms),
                read_time: now + late_ms,
            };
            state.add_entry(id, content, shows)
        }
        Act::Offer { price, from } => {
            let named = state.put_price(id, from == Side::Seller, price, Shows::at_once(now));
            Some(named.ok_or(StatusCode::CONFLICT)?)
        }
        Act::Accept => {
            state.take_price(id, now).ok_or(StatusCode::CONFLICT)?;
            None
        }
        Act::Buy => {
            state.buy(id, now).ok_or(StatusCode::CONFLICT)?;
            None
        }
        Act::Deal { status } => {
            let one = state.conversations.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
            one.transaction.as_mut().ok_or(StatusCode::CONFLICT)?.status = status;
            one.touch_time = now;
            None
        }
        Act::Status { title, subtitle } => {
            state.add_entry(id, EntryContent::Status { title, subtitle }, Shows::at_once(now))
        }
        Act::Entry { entity_type, entity } => state.add_entry(
            id,
            EntryContent::Other { entity_type, entity },
            Shows::at_once(now),
        ),
        Act::Hide { message_id } => {
            hide(&mut state, id, message_id, now).ok_or(StatusCode::NOT_FOUND)?;
            None
        }
        Act::Read { by } => {
            if let Some(one) = state.conversations.get_mut(&id) {
                one.set_read(side(by), true);
            }
            None
        }
        Act::Allow { reply } => {
            if let Some(one) = state.conversations.get_mut(&id) {
                one.reply_allowed = reply;
            }
            None
        }
    };
    state.save();
    Ok(Json(json!({"id": entry_id})))
}

fn hide(state: &mut store::State, id: u64, message_id: u64, now: i64) -> Option<()> {
    let one = state.conversations.get_mut(&id)?;
    let entry = one.entries.iter_mut().find(|entry| entry.id == message_id)?;
    let EntryContent::Message { is_hidden, .. } = &mut entry.content else {
        return None;
    };
    *is_hidden = true;
    one.touch_time = now;
    Some(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Steps {
    steps: u32,
    /// The seed of the random choices.
    #[serde(default)]
    seed: u64,
}

/// Lets the scripted buyers act `steps` times. Returns how often a buyer did something.
async fn step(State(site): State<Arc<Site>>, Json(Steps { steps, seed }): Json<Steps>) -> Json<Value> {
    let mut state = site.lock();
    let mut chance = buyers::chance(seed);
    let acted = (0..steps).filter(|_| buyers::step(&mut state, &mut chance, clock::now_ms()));
    let acted = acted.count();
    state.save();
    Json(json!({"acted": acted}))
}
