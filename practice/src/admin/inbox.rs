//! Conversations and buyers, from the buyer's side.
//!
//! | call                              | what it does                                                              |
//! | --------------------------------- | ------------------------------------------------------------------------- |
//! | `GET conversations?member_id=N`   | every conversation of a member whole, whether or not it shows yet         |
//! | `POST conversations {...}`        | a buyer opens one with a member, with a first message if there is a text  |
//! | `POST conversations/many {...}`   | opens `count` of them with `messages` entries each                        |
//! | `POST conversations/{id} {do}`    | something happens in it: see [`Act`]                                      |
//! | `POST buyers {steps}`             | the scripted buyers act, whether or not they do so by themselves          |
//!
//! None of it leaves a record: records are of what the site was sent.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::photos;
use crate::inbox::shown::Look;
use crate::inbox::{Conversation, Said, Shows};
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
    /// The buyer's login; made if there is none yet.
    buyer: Option<String>,
    /// What it is about: several items are a bundle, none leaves the conversation without a transaction.
    #[serde(default)]
    item_ids: Vec<u64>,
    /// The first message; absent leaves it without one.
    text: Option<String>,
    /// How many photos the message has, made up.
    #[serde(default)]
    photos: u8,
    /// When that was, in UTC milliseconds; absent is now.
    time: Option<i64>,
    /// Whether it is the site itself that writes, to whom nobody can reply.
    #[serde(default)]
    system: bool,
}

/// Opens a conversation; answers with its id and the ids of what belongs to it.
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
        let said = message(
            &mut state,
            buyer.id,
            opening.text.unwrap_or_default(),
            opening.photos,
        )?;
        state.say(id, said, Shows::at_once(time))
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

fn message(state: &mut store::State, member_id: u64, body: String, photos: u8) -> Result<Said, StatusCode> {
    let made = (0..photos).map(|_| photos::made_up(state, member_id));
    let photo_ids = made.collect::<Result<Vec<_>, _>>();
    Ok(Said::Message {
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
    /// How many messages each has, by turns the buyer's and the seller's.
    messages: u64,
    /// An item that all are about; absent leaves them without a transaction.
    item_id: Option<u64>,
}

/// Opens many conversations with as many buyers, a minute apart and the last one now; answers with their ids.
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
            let said = Said::Message {
                member_id,
                body: format!("Message {} of conversation {}", m + 1, n + 1),
                photo_ids: Vec::new(),
                is_hidden: false,
            };
            let earlier = i64::try_from(many.messages - 1 - m).unwrap_or(0) * 1_000;
            state.say(id, said, Shows::at_once(time - earlier));
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
    /// From another device of theirs.
    Seller,
}

/// What happens in a conversation.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Act {
    /// Somebody writes.
    Write {
        #[serde(default)]
        text: String,
        #[serde(default)]
        photos: u8,
        #[serde(default)]
        from: Side,
        /// How much later than now it shows, in milliseconds.
        #[serde(default)]
        late_ms: i64,
    },
    /// The buyer asks for a price, in minor units.
    Offer { price: i64 },
    /// The buyer takes the price that the seller named last.
    Accept,
    /// The buyer pays.
    Buy,
    /// A message's writer takes its text back.
    Hide { message_id: u64 },
    /// Somebody reads it.
    Read {
        #[serde(default)]
        by: Side,
    },
    /// The site says something.
    Status { title: String, subtitle: String },
    /// An entry of a kind of the caller's making.
    Entry { entity_type: String, entity: Value },
    /// Whether there can be replies.
    Allow { reply: bool },
}

/// Lets something happen; answers with the id of the entry that came of it, if one did. 409: it cannot.
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
            let said = message(&mut state, side(from), text, photos)?;
            let shows = Shows {
                time: now,
                list_time: Some(now + late_ms),
                read_time: now + late_ms,
            };
            state.say(id, said, shows)
        }
        Act::Offer { price } => {
            let asked = state.put_price(id, false, price, Shows::at_once(now));
            Some(asked.ok_or(StatusCode::CONFLICT)?)
        }
        Act::Accept => {
            state.take_price(id, now).ok_or(StatusCode::CONFLICT)?;
            None
        }
        Act::Buy => {
            state.buy(id, now).ok_or(StatusCode::CONFLICT)?;
            None
        }
        Act::Status { title, subtitle } => {
            state.say(id, Said::Status { title, subtitle }, Shows::at_once(now))
        }
        Act::Entry { entity_type, entity } => {
            state.say(id, Said::Other { entity_type, entity }, Shows::at_once(now))
        }
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
    let Said::Message { is_hidden, .. } = &mut entry.said else {
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
    /// Where their chances begin.
    #[serde(default)]
    seed: u64,
}

/// Lets the scripted buyers act a number of times; answers with how often one did something.
async fn step(State(site): State<Arc<Site>>, Json(Steps { steps, seed }): Json<Steps>) -> Json<Value> {
    let mut state = site.lock();
    let mut chance = buyers::chance(seed);
    let acted = (0..steps).filter(|_| buyers::step(&mut state, &mut chance, clock::now_ms()));
    let acted = acted.count();
    state.save();
    Json(json!({"acted": acted}))
}
