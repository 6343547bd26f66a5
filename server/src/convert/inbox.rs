//! Threads, messages and replies.

use vintedbot_domain::inbox::{
    Attachment, AttachmentState, Author, Content, Counts, Draft, InboxCounts, Item, Message, Person,
    PersonPage, Removal, RemovalState, Reply, ReplyState, Thread,
};
use vintedbot_marketplace::{Money, Side, Transaction};
use vintedbot_proto::v1;

use super::{saturating_i32, saturating_u64, timestamp};
use crate::errors;

pub fn person(source: Person) -> v1::Person {
    v1::Person {
        id: source.id,
        site: source.site,
        member_id: source.member_id,
        login: source.login,
        is_system: source.is_system,
    }
}

/// Converts a person with threads and offers.
pub fn person_page(source: PersonPage) -> v1::GetPersonResponse {
    v1::GetPersonResponse {
        person: Some(person(source.person)),
        threads: source.threads.into_iter().map(thread).collect(),
        offers: source.offers.into_iter().filter_map(offer).collect(),
    }
}

fn offer(source: Message) -> Option<v1::get_person_response::Offer> {
    let message = message(source);
    let Some(v1::message::Content::OfferRequest(offer)) = message.content else {
        return None;
    };
    Some(v1::get_person_response::Offer {
        thread_id: message.thread_id,
        message_id: message.id,
        offer: Some(offer),
        time: message.time,
    })
}

pub fn counts(source: InboxCounts) -> v1::GetInboxCountsResponse {
    use v1::get_inbox_counts_response as r;
    let count = |counts: Counts| r::Counts {
        threads: saturating_i32(counts.threads),
        unread_threads: saturating_i32(counts.unread_threads),
        unread_messages: saturating_i32(counts.unread_messages),
        waiting_for_me: saturating_i32(counts.waiting_for_me),
        with_offer: saturating_i32(counts.with_offer),
    };
    let accounts = source
        .accounts
        .into_iter()
        .map(|(account_id, counts)| r::AccountCounts {
            account_id,
            counts: Some(count(counts)),
        });
    let labels = source.labels.into_iter().map(|(label, counts)| r::LabelCounts {
        label,
        counts: Some(count(counts)),
    });
    v1::GetInboxCountsResponse {
        total: Some(count(source.total)),
        accounts: accounts.collect(),
        labels: labels.collect(),
        archived: saturating_i32(source.archived),
        snoozed: saturating_i32(source.snoozed),
    }
}

pub fn thread(source: Thread) -> v1::Thread {
    let has_draft = !source.draft.text.is_empty() || source.draft.version > 0;
    v1::Thread {
        person: Some(person(source.person)),
        item: source.item.map(item),
        transaction: source.transaction.map(transaction),
        snippet: source.snippet,
        last_message_time: Some(timestamp(source.last_message_time)),
        unread_count: saturating_i32(source.unread_count),
        unread: source.unread,
        waiting_for_me: source.waiting_for_me,
        has_offer: source.has_offer,
        archived: source.archived,
        snooze_time: source.snooze_until.map(timestamp),
        labels: source.labels,
        note: source.note,
        draft: has_draft.then(|| draft(source.draft)),
        reply_allowed: source.reply_allowed,
        read_by_person: source.read_by_person,
        message_count: saturating_i32(source.message_count),
        create_time: Some(timestamp(source.create_time)),
        update_time: Some(timestamp(source.update_time)),
        sequence: saturating_u64(source.sequence),
        removal: source.removal.map(removal),
        id: source.id,
        account_id: source.account_id,
        remote_id: source.remote_id,
    }
}

fn removal(source: Removal) -> v1::thread::Removal {
    use v1::thread::removal::State;
    let state = match source.state {
        RemovalState::Queued => State::Queued,
        RemovalState::Removing => State::Removing,
        RemovalState::Unconfirmed => State::Unconfirmed,
        RemovalState::Removed => State::Removed,
        RemovalState::Failed => State::Failed,
    };
    v1::thread::Removal {
        state: state.into(),
        reason: source.reason.map(errors::reason).unwrap_or_default().into(),
        reason_message: source.message,
        update_time: Some(timestamp(source.update_time)),
    }
}

pub fn draft(source: Draft) -> v1::thread::Draft {
    v1::thread::Draft {
        text: source.text,
        version: source.version,
        update_time: source.update_time.map(timestamp),
    }
}

fn item(source: Item) -> v1::thread::Item {
    v1::thread::Item {
        remote_item_ids: source.remote_item_ids,
        title: source.title,
        listing_id: source.listing_id.unwrap_or_default(),
        url: source.url.unwrap_or_default(),
        is_closed: source.is_closed,
    }
}

fn transaction(source: Transaction) -> v1::thread::Transaction {
    use v1::thread::transaction::Side as S;
    let side = match source.side {
        None => S::Unspecified,
        Some(Side::Seller) => S::Seller,
        Some(Side::Buyer) => S::Buyer,
    };
    v1::thread::Transaction {
        id: source.id,
        status: saturating_i32(source.status.unwrap_or_default()),
        side: side.into(),
        is_bundle: source.is_bundle,
        is_reserved: source.is_reserved,
        is_completed: source.is_completed,
        price: source.price.map(money),
    }
}

fn money(source: Money) -> v1::Money {
    v1::Money {
        minor_units: source.minor_units,
        currency_code: source.currency,
    }
}

pub fn message(source: Message) -> v1::Message {
    let author = match source.author {
        Author::Account => v1::message::Author::Account,
        Author::Person => v1::message::Author::Person,
        Author::Site => v1::message::Author::Site,
    };
    v1::Message {
        author: author.into(),
        text: source.text,
        content: source
            .content
            .map(|of| content(source.remote_id.clone().unwrap_or_default(), of)),
        attachments: source.attachments.into_iter().map(attachment).collect(),
        time: Some(timestamp(source.time)),
        read: source.read,
        hidden: source.hidden,
        reply_id: source.reply_id.unwrap_or_default(),
        position: source.position,
        sequence: saturating_u64(source.sequence),
        id: source.id,
        thread_id: source.thread_id,
        account_id: source.account_id,
        remote_id: source.remote_id.unwrap_or_default(),
    }
}

fn content(remote_id: String, source: Content) -> v1::message::Content {
    use v1::message::Content as C;
    match source {
        Content::OfferRequest {
            offer_id,
            transaction_id,
            price,
            original_price,
            status,
            current,
        } => C::OfferRequest(v1::message::OfferRequest {
            remote_id: offer_id.unwrap_or(remote_id),
            transaction_id: transaction_id.unwrap_or_default(),
            price: price.map(money),
            original_price: original_price.map(money),
            state: offer_state(status).into(),
            status: saturating_i32(status.unwrap_or_default()),
            current,
        }),
        Content::SellerOffer {
            price,
            original_price,
            current,
        } => C::SellerOffer(v1::message::SellerOffer {
            remote_id,
            price: price.map(money),
            original_price: original_price.map(money),
            current,
        }),
        Content::Status { title, subtitle } => C::Status(v1::message::Status { title, subtitle }),
        Content::Action {
            title,
            subtitle,
            buttons,
        } => C::Action(v1::message::Action {
            title,
            subtitle,
            buttons: buttons
                .into_iter()
                .map(|button| v1::message::action::Button {
                    action: button.action,
                    title: button.title,
                    primary: button.primary,
                })
                .collect(),
        }),
        Content::Unknown { entity_type, json } => C::Unknown(v1::message::Unknown { entity_type, json }),
    }
}

/// The site's numbers of an offer's state (as seen 2026, confidence A).
fn offer_state(status: Option<i64>) -> v1::message::offer_request::State {
    use v1::message::offer_request::State as S;
    match status {
        Some(10) => S::Pending,
        Some(20) => S::Accepted,
        Some(30) => S::Rejected,
        Some(40) => S::Cancelled,
        _ => S::Unspecified,
    }
}

fn attachment(source: Attachment) -> v1::message::Attachment {
    use v1::message::attachment::State as S;
    let state = match source.state {
        AttachmentState::Pending => S::Pending,
        AttachmentState::Stored => S::Stored,
        AttachmentState::Failed => S::Failed,
    };
    v1::message::Attachment {
        state: state.into(),
        photo_id: source.photo_id.unwrap_or_default(),
        message: source.message,
    }
}

/// Converts a reply, without its confirmation.
pub fn reply(source: Reply) -> v1::Reply {
    v1::Reply {
        state: reply_state(source.state).into(),
        text: source.text,
        photo_ids: source.photo_ids,
        content_hash: source.content_hash,
        send_time: source.send_time.map(timestamp),
        requires_action: source.requires_action,
        reason: source.reason.map(errors::reason).unwrap_or_default().into(),
        reason_message: source.message,
        attempts: saturating_i32(source.attempts),
        message_id: source.message_id.unwrap_or_default(),
        confirmation: None,
        create_time: Some(timestamp(source.create_time)),
        update_time: Some(timestamp(source.update_time)),
        end_time: source.end_time.map(timestamp),
        sequence: saturating_u64(source.sequence),
        id: source.id,
        thread_id: source.thread_id,
        account_id: source.account_id,
    }
}

pub fn reply_state(state: ReplyState) -> v1::reply::State {
    use v1::reply::State as S;
    match state {
        ReplyState::AwaitingConfirmation => S::AwaitingConfirmation,
        ReplyState::Queued => S::Queued,
        ReplyState::Sending => S::Sending,
        ReplyState::Sent => S::Sent,
        ReplyState::Unconfirmed => S::Unconfirmed,
        ReplyState::Failed => S::Failed,
        ReplyState::Blocked => S::Blocked,
        ReplyState::Cancelled => S::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_has_its_own_id_or_that_of_its_message() {
        for (offer_id, expected) in [(Some("8"), "8"), (None, "700103")] {
            let source = Content::OfferRequest {
                offer_id: offer_id.map(str::to_owned),
                transaction_id: None,
                price: None,
                original_price: None,
                status: Some(10),
                current: true,
            };
            let v1::message::Content::OfferRequest(offer) = content("700103".to_owned(), source) else {
                panic!("an offer");
            };
            assert_eq!(offer.remote_id, expected);
        }
    }
}
