//! Prices asked and named, and things sold. Status numbers as seen 2026 (confidence A and B).

use serde::{Deserialize, Serialize};

use super::{Conversation, Said, Shows};
use crate::items::Item;
use crate::store::State;

/// Statuses of a transaction.
pub const OPEN: u64 = 1;
pub const PAID: u64 = 210;
pub const COMPLETED: u64 = 450;
pub const CANCELLED: u64 = 430;

/// Statuses of what a buyer asks for.
pub const PENDING: u64 = 10;
pub const ACCEPTED: u64 = 20;
pub const REJECTED: u64 = 30;
pub const WITHDRAWN: u64 = 40;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transaction {
    pub id: u64,
    pub status: u64,
    /// Several in a bundle.
    pub item_ids: Vec<u64>,
    pub item_title: String,
    pub photo_id: Option<u64>,
    /// What the buyer would pay for the items as it stands. Minor units.
    pub price: i64,
    /// The last price asked for or named.
    pub offer_id: Option<u64>,
}

impl Transaction {
    /// Whether it has been paid and not been undone.
    pub fn is_sold(&self) -> bool {
        self.status >= PAID && self.status != CANCELLED
    }
}

impl Conversation {
    fn open_deal(&self) -> Option<&Transaction> {
        self.transaction.as_ref().filter(|one| one.status == OPEN)
    }

    /// The price that the seller named last and that still stands.
    pub fn named_price(&self) -> Option<i64> {
        self.entries.iter().rev().find_map(|entry| match entry.said {
            Said::Offer {
                price, current: true, ..
            } => Some(price),
            _ => None,
        })
    }

    /// What the buyer asked for last and the seller has not answered: its id and price.
    pub fn asked_price(&self) -> Option<(u64, i64)> {
        self.entries.iter().rev().find_map(|entry| match entry.said {
            Said::OfferRequest {
                price,
                status: PENDING,
                current: true,
                ..
            } => Some((entry.id, price)),
            _ => None,
        })
    }

    /// Prices of before no longer stand; the buyer's are withdrawn if they ask anew.
    fn supersede(&mut self, asked_anew: bool) {
        for entry in &mut self.entries {
            match &mut entry.said {
                Said::OfferRequest { status, current, .. } => {
                    *current = false;
                    if asked_anew && *status == PENDING {
                        *status = WITHDRAWN;
                    }
                }
                Said::Offer { current, .. } => *current = false,
                _ => {}
            }
        }
    }
}

impl State {
    /// The conversation of a transaction.
    pub fn deal(&self, transaction_id: u64) -> Option<&Conversation> {
        let of = |one: &&Conversation| {
            one.transaction
                .as_ref()
                .is_some_and(|deal| deal.id == transaction_id)
        };
        self.conversations.values().find(of)
    }

    /// The buyer asks for `price`, or the seller names it; `None` where nothing is for sale any more.
    pub fn put_price(
        &mut self,
        conversation_id: u64,
        by_seller: bool,
        price: i64,
        shows: Shows,
    ) -> Option<u64> {
        let conversation = self.conversations.get_mut(&conversation_id)?;
        let items = conversation.open_deal()?.item_ids.clone();
        conversation.supersede(!by_seller);
        let prices = items
            .iter()
            .filter_map(|id| self.items.get(id))
            .filter_map(|item| item.price);
        let original_price = prices.sum();
        let said = if by_seller {
            Said::Offer {
                price,
                original_price,
                current: true,
            }
        } else {
            Said::OfferRequest {
                price,
                original_price,
                status: PENDING,
                current: true,
            }
        };
        let id = self.say(conversation_id, said, shows)?;
        let transaction = self
            .conversations
            .get_mut(&conversation_id)?
            .transaction
            .as_mut()?;
        transaction.offer_id = Some(id);
        Some(id)
    }

    /// The seller answers what a buyer asks for; `None` where it is not pending.
    pub fn answer_price(
        &mut self,
        conversation_id: u64,
        request_id: u64,
        accept: bool,
        now: i64,
    ) -> Option<()> {
        let conversation = self.conversations.get_mut(&conversation_id)?;
        conversation.open_deal()?;
        let entry = conversation
            .entries
            .iter_mut()
            .find(|entry| entry.id == request_id)?;
        let Said::OfferRequest { price, status, .. } = &mut entry.said else {
            return None;
        };
        if *status != PENDING {
            return None;
        }
        *status = if accept { ACCEPTED } else { REJECTED };
        let price = *price;
        conversation.touch_time = now;
        conversation.read_by_buyer = false;
        if accept {
            conversation.transaction.as_mut()?.price = price;
        }
        Some(())
    }

    /// The buyer takes the price that the seller named; `None` where none stands.
    pub fn take_price(&mut self, conversation_id: u64, now: i64) -> Option<()> {
        let conversation = self.conversations.get_mut(&conversation_id)?;
        conversation.open_deal()?;
        let price = conversation.named_price()?;
        conversation.touch_time = now;
        conversation.transaction.as_mut()?.price = price;
        Some(())
    }

    /// The buyer pays: the items are gone, and the seller is told to ship. `None` where nothing is for sale any more.
    pub fn buy(&mut self, conversation_id: u64, now: i64) -> Option<()> {
        let conversation = self.conversations.get_mut(&conversation_id)?;
        let ids = conversation.open_deal()?.item_ids.clone();
        let for_sale = |id| self.items.get(id).is_some_and(|item| !item.is_closed);
        if !ids.iter().all(for_sale) {
            return None;
        }
        conversation.supersede(true);
        conversation.transaction.as_mut()?.status = PAID;
        for id in ids {
            let mut item = self.items.get_mut(&id);
            while let Some(version) = item {
                version.is_closed = true;
                version.is_reserved = true;
                item = before(version);
            }
        }
        let said = Said::Status {
            title: "sold".to_owned(),
            subtitle: "sold_why".to_owned(),
        };
        self.say(conversation_id, said, Shows::at_once(now))?;
        let said = Said::Action {
            title: "ship".to_owned(),
            subtitle: "ship_why".to_owned(),
            buttons: vec![("get_shipping_label".to_owned(), "ship_label".to_owned())],
        };
        self.say(conversation_id, said, Shows::at_once(now))?;
        Some(())
    }
}

fn before(item: &mut Item) -> Option<&mut Item> {
    item.before.as_deref_mut()
}
