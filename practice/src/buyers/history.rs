//! The history that a seller starts with: three to five conversations of the previous days.

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::{Plan, phrase, say};
use crate::inbox::{EntryContent, Shows};
use crate::store::State;

const HOUR_MS: i64 = 3_600_000;

/// Creates conversations for a seller who has none yet. Returns whether there are some now.
pub fn begin(state: &mut State, chance: &mut StdRng, seller_id: u64, items: &[u64], now: i64) -> bool {
    let wanted = chance.random_range(3..=5);
    let mut made = 0;
    // A conversation about the picked item may already exist. In that case, another item is tried.
    for _ in 0..wanted * 4 {
        if made == wanted {
            break;
        }
        // The oldest comes first, so that ids grow with time. The last one still waits for an answer.
        let time = now - (wanted - made) * 20 * HOUR_MS + chance.random_range(0..HOUR_MS);
        let waits = made + 1 == wanted;
        made += i64::from(one(state, chance, seller_id, items, time, waits).is_some());
    }
    made > 0
}

fn one(
    state: &mut State,
    chance: &mut StdRng,
    seller_id: u64,
    items: &[u64],
    time: i64,
    waits: bool,
) -> Option<()> {
    let plan = if waits || chance.random_range(0..2) == 0 {
        Plan::Ask
    } else {
        Plan::Haggle
    };
    let id = super::begin(state, chance, seller_id, items, plan, time)?;
    if waits {
        return Some(());
    }
    let asked = state.conversations.get(&id)?.asked_price();
    let occasion = if let Some((request_id, _)) = asked {
        state.answer_price(id, request_id, false, time + HOUR_MS)?;
        "reject"
    } else {
        "answer"
    };
    let conversation = state.conversations.get(&id)?;
    let body = phrase(state, chance, conversation, seller_id, occasion)?;
    let content = EntryContent::Message {
        member_id: seller_id,
        body,
        photo_ids: Vec::new(),
        is_hidden: false,
    };
    state.add_entry(id, content, Shows::at_once(time + HOUR_MS))?;
    let farewell = if asked.is_some() { "think" } else { "thanks" };
    say(state, chance, id, farewell, time + 2 * HOUR_MS)?;
    let conversation = state.conversations.get_mut(&id)?;
    conversation.read_by_seller = true;
    conversation.read_by_buyer = true;
    if let Some(mood) = &mut conversation.mood {
        mood.silent = true;
    }
    Some(())
}
