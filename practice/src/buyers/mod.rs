//! Simulated buyers: they ask, haggle, buy, thank and fall silent, each in their own language.
//!
//! [`step`] lets one buyer do one thing. A buyer's [`Mood`] and the given random generator determine the action, so the
//! same seed on the same state gives the same action. The phrases are in `data/buyers.json`.

mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::api::photos;
use crate::inbox::deals::{ACCEPTED, PENDING};
use crate::inbox::{Conversation, EntryContent, Shows};
use crate::ontology::Locale;
use crate::site::Site;
use crate::store::{Member, State};
use crate::{Buyers, clock, session};

/// The number of conversations that may wait for one seller's answer before no new buyer writes to that seller.
const WAITING: usize = 8;

/// The lowest price that a buyer asks for, in minor units (as seen 2026, confidence A).
const LEAST_PRICE: i64 = 100;

/// The plan of a buyer and its progress.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Mood {
    plan: Plan,
    stage: u8,
    /// Whether the buyer will do nothing more.
    silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Plan {
    /// The buyer asks twice, then thanks.
    Ask,
    /// The buyer asks for 70 % of the price, then for 85 %, and buys if the seller accepts.
    Haggle,
    /// The buyer asks, and buys after an answer.
    Buy,
}

#[derive(Deserialize)]
struct Data {
    buyers: Vec<Person>,
    /// Phrases by language and occasion.
    phrases: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

#[derive(Deserialize)]
struct Person {
    login: String,
    language: Locale,
}

#[expect(
    clippy::expect_used,
    reason = "the file is part of the program and a test reads it"
)]
static DATA: LazyLock<Data> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../data/buyers.json")).expect("data/buyers.json is valid")
});

/// Returns a random generator with this seed.
pub fn chance(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Lets buyers act at their pace until `stop` is cancelled.
pub async fn live(site: Arc<Site>, buyers: Buyers, stop: CancellationToken) {
    let mut chance = chance(buyers.seed);
    let pause = || stop.run_until_cancelled(tokio::time::sleep(buyers.pace));
    while pause().await.is_some() {
        let mut state = site.lock();
        if step(&mut state, &mut chance, clock::now_ms()) {
            state.save();
        }
    }
}

/// Lets one buyer do one thing, if anything can be done. Returns whether a buyer acted.
pub fn step(state: &mut State, chance: &mut StdRng, now: i64) -> bool {
    let sellers = sellers(state, now);
    let stranger = |seller: &&u64| !state.conversations.values().any(|one| one.seller_id == **seller);
    if let Some(seller_id) = sellers.keys().find(stranger).copied() {
        return history::begin(state, chance, seller_id, &sellers[&seller_id], now);
    }
    let alive = state.conversations.values().filter(|one| is_alive(one));
    let (owing, waiting): (Vec<_>, Vec<_>) = alive.partition(|one| !one.read_by_buyer);
    let owing: Vec<_> = owing.iter().map(|one| one.id).collect();
    let nudging: Vec<_> = waiting
        .iter()
        .filter(|one| one.entries.len() == 1)
        .map(|one| one.id)
        .collect();
    let is_free = |seller: &u64| waiting.iter().filter(|one| one.seller_id == *seller).count() < WAITING;
    let free: Vec<_> = sellers.keys().copied().filter(is_free).collect();

    if let Some(id) = pick(chance, &owing) {
        return react(state, chance, *id, now).is_some();
    }
    if chance.random_range(0..4) == 0
        && let Some(id) = pick(chance, &nudging)
    {
        return say(state, chance, *id, "nudge", now).is_some();
    }
    let Some(seller_id) = pick(chance, &free) else {
        return false;
    };
    let plan = [Plan::Ask, Plan::Ask, Plan::Haggle, Plan::Haggle, Plan::Buy][chance.random_range(0..5)];
    begin(state, chance, *seller_id, &sellers[seller_id], plan, now).is_some()
}

fn is_alive(one: &Conversation) -> bool {
    one.mood.is_some_and(|mood| !mood.silent) && !one.deleted_by.contains(&one.buyer_id)
}

/// Returns the visible items for sale by seller.
fn sellers(state: &State, now: i64) -> BTreeMap<u64, Vec<u64>> {
    let owners: BTreeSet<_> = state.items.values().map(|item| item.member_id).collect();
    let for_sale = owners.into_iter().map(|id| {
        let open = state.wardrobe(id, false, now).into_iter();
        let open = open.filter(|item| !item.is_closed).map(|item| item.id);
        (id, open.collect::<Vec<_>>())
    });
    for_sale.filter(|(_, items)| !items.is_empty()).collect()
}

fn pick<'a, T>(chance: &mut StdRng, from: &'a [T]) -> Option<&'a T> {
    if from.is_empty() {
        return None;
    }
    from.get(chance.random_range(0..from.len()))
}

/// Returns a member who sells nothing here; usually one who speaks the seller's language.
fn somebody(state: &mut State, chance: &mut StdRng, seller_id: u64) -> Option<Member> {
    let language = state.members.get(&seller_id)?.language;
    let same = chance.random_range(0..10) < 6;
    let sells = |login: &str| {
        let member = state.member_by_login(login);
        member.is_some_and(|member| state.items.values().any(|item| item.member_id == member.id))
    };
    let people: Vec<_> = DATA
        .buyers
        .iter()
        .filter(|person| (!same || person.language == language) && !sells(&person.login))
        .collect();
    let person = pick(chance, &people)?;
    if let Some(known) = state.member_by_login(&person.login) {
        return Some(known.clone());
    }
    let mut member = session::new_member(state, &person.login);
    member.language = person.language;
    member.photo_id = photos::made_up(state, member.id).ok();
    state.members.insert(member.id, member.clone());
    Some(member)
}

/// Opens a conversation of a buyer with the first message.
fn begin(
    state: &mut State,
    chance: &mut StdRng,
    seller_id: u64,
    items: &[u64],
    plan: Plan,
    now: i64,
) -> Option<u64> {
    let buyer = somebody(state, chance, seller_id)?;
    let item_id = *pick(chance, items)?;
    let known = state.conversations.values().any(|one| {
        one.buyer_id == buyer.id
            && one
                .transaction
                .as_ref()
                .is_some_and(|deal| deal.item_ids.contains(&item_id))
    });
    if known {
        return None;
    }
    let id = state.open_conversation(seller_id, buyer.id, &[item_id], now)?;
    let mood = Mood {
        plan,
        stage: 0,
        silent: false,
    };
    state.conversations.get_mut(&id)?.mood = Some(mood);
    if plan == Plan::Haggle {
        ask_price(state, id, 70, now)?;
    } else {
        say(state, chance, id, "ask", now)?;
    }
    Some(id)
}

/// Writes the buyer's message for an occasion, sometimes with a photo.
fn say(state: &mut State, chance: &mut StdRng, id: u64, occasion: &str, now: i64) -> Option<u64> {
    let one = state.conversations.get(&id)?;
    let member_id = one.buyer_id;
    let body = phrase(state, chance, one, member_id, occasion)?;
    let with_photo = occasion == "ask" && chance.random_range(0..8) == 0;
    let photo = with_photo
        .then(|| photos::made_up(state, member_id).ok())
        .flatten();
    let content = EntryContent::Message {
        member_id,
        body,
        photo_ids: photo.into_iter().collect(),
        is_hidden: false,
    };
    state.add_entry(id, content, Shows::at_once(now))
}

/// Returns a phrase for an occasion, in the buyer's language.
fn phrase(
    state: &State,
    chance: &mut StdRng,
    one: &Conversation,
    member_id: u64,
    occasion: &str,
) -> Option<String> {
    let language = state.members.get(&member_id)?.language;
    let phrases = DATA.phrases.get(language.code())?.get(occasion)?;
    let phrase = pick(chance, phrases)?;
    Some(phrase.replace("{item}", &one.subtitle(language)))
}

/// Asks for a percentage of the item's price, rounded to half units of the currency.
fn ask_price(state: &mut State, id: u64, of_100: i64, now: i64) -> Option<u64> {
    let deal = state.conversations.get(&id)?.transaction.as_ref()?;
    let item = state.items.get(deal.item_ids.first()?)?;
    let price = (item.price? * of_100 / 100 / 50 * 50).max(LEAST_PRICE);
    state.put_price(id, false, price, Shows::at_once(now))
}

/// Lets a buyer read new entries and react to them.
fn react(state: &mut State, chance: &mut StdRng, id: u64, now: i64) -> Option<()> {
    let one = state.conversations.get_mut(&id)?;
    one.read_by_buyer = true;
    let mut mood = one.mood?;
    let asked = one.entries.iter().rev().find_map(|entry| match entry.content {
        EntryContent::OfferRequest { status, .. } => Some(status),
        _ => None,
    });
    let deal = one.transaction.as_ref()?;
    let is_mine = deal.is_sold();
    let is_gone = !is_mine
        && deal
            .item_ids
            .iter()
            .any(|id| state.items.get(id).is_none_or(|item| item.is_closed));
    let named = one.named_price();
    let stage = mood.stage;
    mood.stage += 1;
    if chance.random_range(0..6) == 0 {
        mood.silent = true;
    } else if is_gone {
        mood.silent = true;
        say(state, chance, id, "pity", now)?;
    } else if is_mine {
        mood.silent = true;
        say(state, chance, id, "thanks", now)?;
    } else if named.is_some() && chance.random_range(0..2) == 0 {
        state.take_price(id, now)?;
        pay(state, chance, id, now)?;
    } else if asked == Some(ACCEPTED) {
        pay(state, chance, id, now)?;
    } else {
        match (mood.plan, stage) {
            (Plan::Ask, 0) => drop(say(state, chance, id, "more", now)?),
            (Plan::Haggle, 0) => drop(ask_price(state, id, 85, now)?),
            (Plan::Buy, 0) => pay(state, chance, id, now)?,
            (Plan::Haggle, _) if asked == Some(PENDING) => mood.silent = true,
            (plan, _) => {
                mood.silent = true;
                let occasion = if plan == Plan::Ask { "thanks" } else { "think" };
                say(state, chance, id, occasion, now)?;
            }
        }
    }
    state.conversations.get_mut(&id)?.mood = Some(mood);
    Some(())
}

/// Pays and writes a message about it.
fn pay(state: &mut State, chance: &mut StdRng, id: u64, now: i64) -> Option<()> {
    state.buy(id, now)?;
    say(state, chance, id, "bought", now)?;
    state.conversations.get_mut(&id)?.read_by_buyer = true;
    Some(())
}
