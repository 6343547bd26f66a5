//! Price requests, offers and sales. Status numbers as seen 2026 (confidence A and B).

use serde::{Deserialize, Serialize};

use super::{Conversation, EntryContent, Shows};
use crate::items::Item;
use crate::store::State;

/// The statuses of a transaction.
pub const OPEN: u64 = 1;
pub const PAID: u64 = 210;
pub const COMPLETED: u64 = 450;
pub const CANCELLED: u64 = 430;
/// This status and those above: closed without a sale.
pub const CLOSED: u64 = 500;

/// The statuses of a price request.
pub const PENDING: u64 = 10;
pub const ACCEPTED: u64 = 20;
pub const REJECTED: u64 = 30;
pub const WITHDRAWN: u64 = 40;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transaction {
    pub id: u64,
    pub status: u64,
    /// The ids of the items; a bundle has several.
    pub item_ids: Vec<u64>,
    pub item_title: String,
    pub photo_id: Option<u64>,
    /// The price that the buyer would currently pay for the items, in minor units.
    pub price: i64,
    /// The last price request or offer.
    pub offer_id: Option<u64>,
}

impl Transaction {
    /// Returns whether the transaction has been paid and not cancelled.
    pub fn is_sold(&self) -> bool {
        (PAID..CLOSED).contains(&self.status) && self.status != CANCELLED
    }
}

impl Conversation {
    fn open_deal(&self) -> Option<&Transaction> {
        self.transaction.as_ref().filter(|one| one.status == OPEN)
    }

    /// Returns the seller's last offer if it is still valid.
    pub fn named_price(&self) -> Option<i64> {
        self.entries.iter().rev().find_map(|entry| match entry.content {
            EntryContent::Offer {
                price, current: true, ..
            } => Some(price),
            _ => None,
        })
    }

    /// Returns the id and price of the buyer's last request if the seller has not answered it.
    pub fn asked_price(&self) -> Option<(u64, i64)> {
        self.entries.iter().rev().find_map(|entry| match entry.content {
            EntryContent::OfferRequest {
                price,
                status: PENDING,
                current: true,
                ..
            } => Some((entry.id, price)),
            _ => None,
        })
    }

    /// Invalidates the earlier prices of one side. Those of the other side stay current (as seen 2026, confidence A).
    /// If the buyer asks again, their earlier requests are withdrawn.
    fn supersede(&mut self, by_seller: bool) {
        for entry in &mut self.entries {
            match &mut entry.content {
                EntryContent::OfferRequest { status, current, .. } if !by_seller => {
                    *current = false;
                    if *status == PENDING {
                        *status = WITHDRAWN;
                    }
                }
                EntryContent::Offer { current, .. } if by_seller => *current = false,
                _ => {}
            }
        }
    }
}

impl State {
    /// Returns the conversation of a transaction.
    pub fn deal(&self, transaction_id: u64) -> Option<&Conversation> {
        let of = |one: &&Conversation| {
            one.transaction
                .as_ref()
                .is_some_and(|deal| deal.id == transaction_id)
        };
        self.conversations.values().find(of)
    }

    /// Adds a price request of the buyer or an offer of the seller. Returns `None` if nothing is for sale any more.
    pub fn put_price(
        &mut self,
        conversation_id: u64,
        by_seller: bool,
        price: i64,
        shows: Shows,
    ) -> Option<u64> {
        let conversation = self.conversations.get_mut(&conversation_id)?;
        let items = conversation.open_deal()?.item_ids.clone();
        conversation.supersede(by_seller);
        let prices = items
            .iter()
            .filter_map(|id| self.items.get(id))
            .filter_map(|item| item.price);
        let original_price = prices.sum();
        let content = if by_seller {
            EntryContent::Offer {
                price,
                original_price,
                current: true,
            }
        } else {
            EntryContent::OfferRequest {
                price,
                original_price,
                status: PENDING,
                current: true,
            }
        };
        let id = self.add_entry(conversation_id, content, shows)?;
        let transaction = self
            .conversations
            .get_mut(&conversation_id)?
            .transaction
            .as_mut()?;
        transaction.offer_id = Some(id);
        Some(id)
    }

    /// Answers a price request of the buyer. Returns `None` if the request is not pending.
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
        let EntryContent::OfferRequest { price, status, .. } = &mut entry.content else {
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

    /// Accepts the seller's offer for the buyer. Returns `None` without a valid offer.
    pub fn take_price(&mut self, conversation_id: u64, now: i64) -> Option<()> {
        let conversation = self.conversations.get_mut(&conversation_id)?;
        conversation.open_deal()?;
        let price = conversation.named_price()?;
        conversation.touch_time = now;
        conversation.transaction.as_mut()?.price = price;
        Some(())
    }

    /// Pays for the items: they are sold, and the seller is asked to ship. Returns `None` if nothing is for sale any
    /// more.
    pub fn buy(&mut self, conversation_id: u64, now: i64) -> Option<()> {
        let conversation = self.conversations.get_mut(&conversation_id)?;
        let ids = conversation.open_deal()?.item_ids.clone();
        let for_sale = |id| self.items.get(id).is_some_and(|item| !item.is_closed);
        if !ids.iter().all(for_sale) {
            return None;
        }
        conversation.supersede(false);
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
        let content = EntryContent::Status {
            title: "sold".to_owned(),
            subtitle: "sold_why".to_owned(),
        };
        self.add_entry(conversation_id, content, Shows::at_once(now))?;
        let content = EntryContent::Action {
            title: "ship".to_owned(),
            subtitle: "ship_why".to_owned(),
            buttons: vec![("get_shipping_label".to_owned(), "ship_label".to_owned())],
        };
        self.add_entry(conversation_id, content, Shows::at_once(now))?;
        Some(())
    }
}

fn before(item: &mut Item) -> Option<&mut Item> {
    item.before.as_deref_mut()
}
