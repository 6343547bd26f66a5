//! Offers in conversations: which of them wait for the account's answer, and under which key they are stored.

use vintedbot_domain::accounts::Account;
use vintedbot_domain::events::Kind;
use vintedbot_marketplace::{Conversation, Entry, EntryContent, Money, Side, Transaction};

use super::inbox_sync::{
    BUYER, conversation, count, entry, kinds_since, message_entry, store, stored_messages, thread, world,
};
use super::support::World;

const ME: &str = "100";
const DEAL: &str = "55";

fn price() -> Option<Money> {
    Some(Money {
        minor_units: 1_500,
        currency: "EUR".to_owned(),
    })
}

/// Returns a buyer's request in a transaction.
fn request(author: &str, id: Option<&str>, deal: Option<&str>, status: i64, current: bool) -> Entry {
    let content = EntryContent::OfferRequest {
        offer_id: None,
        transaction_id: deal.map(str::to_owned),
        price: price(),
        original_price: price(),
        status: Some(status),
        current,
    };
    entry(Some(author), 1_000, id, content)
}

fn seller_offer(author: &str, id: Option<&str>, current: bool) -> Entry {
    let content = EntryContent::SellerOffer {
        price: price(),
        original_price: price(),
        current,
    };
    entry(Some(author), 2_000, id, content)
}

fn pending() -> Entry {
    request(BUYER, Some("7"), Some(DEAL), 10, true)
}

fn deal(status: Option<i64>) -> Transaction {
    Transaction {
        id: DEAL.to_owned(),
        status,
        side: Some(Side::Seller),
        item_ids: vec!["70".to_owned()],
        ..Transaction::default()
    }
}

fn with(deal: Option<Transaction>, entries: Vec<Entry>) -> Conversation {
    Conversation {
        transaction: deal,
        ..conversation(false, entries)
    }
}

async fn has_offer(world: &World, account: &Account, read: &Conversation) -> bool {
    store(world, account, None, read).await;
    thread(world).await.has_offer
}

#[tokio::test]
async fn request_waits_only_while_its_deal_is_open() {
    for (state, expected) in [
        (None, true),
        (Some(deal(None)), true),
        (Some(deal(Some(1))), true),
        (Some(deal(Some(210))), false),
        (Some(deal(Some(430))), false),
        (Some(deal(Some(450))), false),
        (Some(deal(Some(520))), false),
        (
            Some(Transaction {
                is_completed: true,
                ..deal(Some(1))
            }),
            false,
        ),
        (
            Some(Transaction {
                item_is_closed: true,
                ..deal(Some(1))
            }),
            false,
        ),
        // The request belongs to an earlier transaction of the same conversation.
        (
            Some(Transaction {
                id: "56".to_owned(),
                ..deal(Some(1))
            }),
            false,
        ),
    ] {
        let (world, account) = world().await;
        let read = with(state.clone(), vec![pending()]);
        assert_eq!(has_offer(&world, &account, &read).await, expected, "{state:?}");
    }
}

#[tokio::test]
async fn closed_item_ends_a_pending_request() {
    let (world, account) = world().await;
    let open = with(Some(deal(Some(1))), vec![pending()]);
    assert!(has_offer(&world, &account, &open).await);
    let before = count(&world).await;
    let mut closed = open.clone();
    closed.transaction = Some(Transaction {
        item_is_closed: true,
        ..deal(Some(1))
    });
    assert!(!has_offer(&world, &account, &closed).await);
    assert_eq!(kinds_since(&world, before).await, [Kind::ThreadUpdated]);
}

#[tokio::test]
async fn offer_of_the_counterparty_waits_on_either_side() {
    for (name, entries, expected) in [
        ("a request to the seller", vec![pending()], true),
        (
            "an offer to the buyer",
            vec![seller_offer(BUYER, Some("8"), true)],
            true,
        ),
        (
            "an older offer",
            vec![seller_offer(BUYER, Some("8"), false)],
            false,
        ),
        (
            "the account's own offer",
            vec![seller_offer(ME, Some("8"), true)],
            false,
        ),
        (
            "the account's own request",
            vec![request(ME, Some("7"), Some(DEAL), 10, true)],
            false,
        ),
        (
            "both sides",
            vec![pending(), seller_offer(ME, Some("8"), true)],
            true,
        ),
        (
            "a rejected request",
            vec![request(BUYER, Some("7"), Some(DEAL), 30, true)],
            false,
        ),
        (
            "a request without a transaction",
            vec![request(BUYER, Some("7"), None, 10, true)],
            true,
        ),
    ] {
        let (world, account) = world().await;
        let read = with(Some(deal(Some(1))), entries.clone());
        assert_eq!(has_offer(&world, &account, &read).await, expected, "{name}");
        let (world, account) = self::world().await;
        let read = with(Some(deal(Some(450))), entries);
        assert!(!has_offer(&world, &account, &read).await, "{name} after the sale");
    }
}

#[tokio::test]
async fn author_that_is_stated_later_is_stored() {
    let (world, account) = world().await;
    let known = with(Some(deal(Some(1))), vec![pending()]);
    let mut unknown = known.clone();
    unknown.entries[0].member_id = None;
    for (read, expected) in [(&unknown, false), (&known, true), (&unknown, true)] {
        assert_eq!(has_offer(&world, &account, read).await, expected);
    }
    assert_eq!(stored_messages(&world).await.len(), 1);
}

#[tokio::test]
async fn offer_with_another_id_stays_one_message() {
    let (world, account) = world().await;
    let old = with(
        Some(deal(Some(1))),
        vec![
            message_entry(BUYER, 500, "1", "Hello"),
            pending(),
            seller_offer(ME, None, true),
        ],
    );
    store(&world, &account, None, &old).await;
    let before = (stored_messages(&world).await, count(&world).await);
    // The same offers under the ids that later versions read, and a new request of the same second.
    let mut new = old.clone();
    new.entries[1] = request(BUYER, Some("2007"), Some(DEAL), 10, true);
    new.entries[2] = seller_offer(ME, Some("2008"), true);
    let stored = store(&world, &account, None, &new).await;
    assert_eq!(stored.new_messages, 0);
    assert_eq!((stored_messages(&world).await, count(&world).await), before);
    new.entries
        .push(request(BUYER, Some("2009"), Some(DEAL), 10, true));
    let stored = store(&world, &account, None, &new).await;
    assert_eq!(stored.new_messages, 1);
    let stored = store(&world, &account, None, &new).await;
    assert_eq!(stored.new_messages, 0);
    assert_eq!(stored_messages(&world).await.len(), 4);
}
