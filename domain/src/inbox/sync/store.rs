//! Stores one conversation.

use std::collections::HashSet;

use futures::FutureExt;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use vintedbot_marketplace::{Conversation, Counterparty, InboxRow, Language, Transaction, text};

use super::changes::{self, Changes, Reading};
use super::entry::{self, Read, Sides, storable};
use super::merge;
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::inbox::{Author, Content, RemovalState, Thread, replies};
use crate::store::entities::{accounts, messages, people, remote_items, threads};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Result, listings, search};

/// An inbox row may still change within the second of its update time. It counts as final this long after that time, by
/// the site's clock.
const SETTLED_MS: Millis = 2_000;
/// The maximum delay between an entry's appearance in the inbox and its appearance in the conversation.
const SHOWN_LATE_MS: Millis = 15 * 60_000;
/// The resolution of the site's times.
const SECOND: Millis = 1_000;
/// The maximum length of a snippet, in characters.
const SNIPPET_MAX: usize = 200;
/// The site's status number of a pending offer (as seen 2026, confidence A).
const PENDING: i64 = 10;

/// The result of storing a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub thread_id: String,
    /// Whether the thread is new.
    pub is_new: bool,
    /// The number of new entries; 0 if the thread is new.
    pub new_messages: i64,
}

/// Stores a conversation that was read without an inbox row. Writes nothing if the account now works on another site.
pub async fn store(
    context: &Context,
    account_id: &str,
    site: &str,
    conversation: &Conversation,
) -> Result<()> {
    let (account_id, site) = (account_id.to_owned(), site.to_owned());
    let conversation = conversation.clone();
    context
        .store
        .write(move |tx| {
            let (account_id, site) = (account_id.clone(), site.clone());
            let conversation = conversation.clone();
            async move {
                let account = tx
                    .locked(accounts::Entity::find_by_id(&account_id))
                    .one(tx)
                    .await?;
                match account.filter(|row| row.delete_time.is_none() && row.site == site) {
                    Some(account) => store_in(tx, &account, None, None, &conversation).await.map(drop),
                    None => Ok(()),
                }
            }
            .boxed()
        })
        .await
}

/// Stores a conversation that was just read, with its events. `row` is the inbox row that led to the reading, if any,
/// and `site_time` the site's clock at that time. The caller has locked the account's row.
pub async fn store_in(
    tx: &Tx,
    account: &accounts::Model,
    row: Option<&InboxRow>,
    site_time: Option<Millis>,
    conversation: &Conversation,
) -> Result<Stored> {
    let remote_id = storable(row.map_or(&conversation.id, |row| &row.conversation_id));
    let found = find(tx, account, &remote_id).await?;
    let now = tx.now().await?;
    let reading_time = site_time.unwrap_or(now);
    let counterparty = conversation.person.as_ref();
    let counterparty = counterparty.or_else(|| row.and_then(|row| row.person.as_ref()));
    let (person, is_renamed) = person(tx, account, found.as_ref(), counterparty, now).await?;
    let mut reads = read_all(account, &person, conversation);
    let rows = match &found {
        Some(thread) => rows_of(tx, &thread.id).await?,
        None => Vec::new(),
    };
    merge::keep_offer_keys(&rows, &mut reads);

    let is_new = found.is_none();
    let before = match found {
        Some(thread) => thread,
        None => fresh(account, tx.id(), remote_id, &person.id, row, now),
    };
    let mut thread = before.clone();
    thread.person_id.clone_from(&person.id);
    let reading = Reading {
        read_by_person: conversation.read_by_person,
        time: reading_time,
        read_until: mark(&mut thread, is_unread(conversation, row), &rows, &reads, is_new),
    };
    let mut changes = changes::compare(tx, &thread, rows, &reads, &reading)?;
    changes.join_replies(tx, &account.site).await?;
    describe(tx, &mut thread, conversation, &changes).await?;
    if let Some(row) = row {
        let is_settled = is_settled(row, &reads, reading_time);
        thread.listed = is_settled.then(|| serde_json::to_string(row)).transpose()?;
    }

    if is_new {
        let row = thread.clone().into_active_model();
        threads::Entity::insert(row).exec_without_returning(tx).await?;
        changes.write(tx).await?;
        search::update::thread(tx, None, &thread).await?;
        search::update::messages(tx, &thread, &changes.found()).await?;
        search::update::person(tx, &thread.person_id).await?;
        let thread = Thread::of(thread.clone(), person);
        tx.emit(PendingEvent::changed(Kind::ThreadCreated, &thread)?);
    } else {
        changes.write(tx).await?;
        // Clients do not see a thread that is deleted here and stays so.
        let is_visible = thread.delete_time.is_none();
        if is_visible {
            changes.emit(tx)?;
        }
        let looks_changed = is_renamed || looks_changed(&before, &thread);
        if looks_changed {
            thread.update_time = now;
        }
        if thread != before {
            thread.clone().into_active_model().reset_all().update(tx).await?;
        }
        search::update::messages(tx, &thread, &changes.found()).await?;
        search::update::thread(tx, Some(&before), &thread).await?;
        if is_renamed || before.person_id != thread.person_id {
            search::update::person(tx, &thread.person_id).await?;
        }
        if looks_changed && is_visible {
            let thread = Thread::of(thread.clone(), person);
            tx.emit(PendingEvent::changed(Kind::ThreadUpdated, &thread)?);
        }
    }
    replies::watch::compare(tx, &thread, changes.all()).await?;
    Ok(Stored {
        thread_id: thread.id,
        is_new,
        new_messages: if is_new { 0 } else { changes.new_messages() },
    })
}

/// Returns whether a reading contains everything that its inbox row reports. Then the conversation is not read again
/// until the row changes.
fn is_settled(row: &InboxRow, reads: &[Read], site_time: Millis) -> bool {
    let Some(update_time) = row.update_time else {
        return true;
    };
    let newest = reads.iter().filter_map(|read| read.time).max();
    // The row may report an entry that the conversation does not show yet. It may also report something that is not an
    // entry and never appears.
    let is_shown = newest.is_none_or(|newest| newest + SECOND > update_time);
    let pause = if is_shown { SETTLED_MS } else { SHOWN_LATE_MS };
    site_time - update_time >= pause
}

/// Returns whether a client sees a difference. `listed` and `remote_unread` are internal.
fn looks_changed(before: &threads::Model, after: &threads::Model) -> bool {
    let after = threads::Model {
        listed: before.listed.clone(),
        remote_unread: before.remote_unread,
        ..after.clone()
    };
    after != *before
}

async fn find(tx: &Tx, account: &accounts::Model, remote_id: &str) -> Result<Option<threads::Model>> {
    let thread = threads::Entity::find()
        .filter(threads::Column::AccountId.eq(account.id.as_str()))
        .filter(threads::Column::Site.eq(account.site.as_str()))
        .filter(threads::Column::RemoteId.eq(remote_id));
    Ok(tx.locked(thread).one(tx).await?)
}

async fn rows_of(tx: &Tx, thread_id: &str) -> Result<Vec<messages::Model>> {
    Ok(messages::Entity::find()
        .filter(messages::Column::ThreadId.eq(thread_id))
        .order_by_asc(messages::Column::Position)
        .all(tx)
        .await?)
}

fn read_all(account: &accounts::Model, person: &people::Model, conversation: &Conversation) -> Vec<Read> {
    let other = Counterparty {
        member_id: person.member_id.clone(),
        login: person.login.clone(),
        is_system: person.is_system,
    };
    let sides = Sides {
        account: account.member_id.as_deref(),
        person: (!other.member_id.is_empty()).then_some(&other),
    };
    let language = Language::from_code(&account.language).unwrap_or(Language::En);
    entry::read_all(conversation, &sides, language)
}

/// Creates or updates the counterparty's row. If the site does not name the counterparty, a known thread keeps its
/// person. The flag in the result tells whether login or system flag changed.
async fn person(
    tx: &Tx,
    account: &accounts::Model,
    thread: Option<&threads::Model>,
    counterparty: Option<&Counterparty>,
    now: Millis,
) -> Result<(people::Model, bool)> {
    let counterparty = counterparty.filter(|person| !person.member_id.is_empty());
    if let (None, Some(thread)) = (counterparty, thread) {
        let row = people::Entity::find_by_id(&thread.person_id).one(tx).await?;
        let row = row.ok_or_else(|| Error::Internal(format!("thread {} has no person", thread.id)))?;
        return Ok((row, false));
    }
    let new = people::Model {
        id: tx.id(),
        workspace_id: account.workspace_id.clone(),
        site: account.site.clone(),
        member_id: counterparty
            .map(|person| storable(&person.member_id))
            .unwrap_or_default(),
        login: counterparty
            .map(|person| text::cleaned_name(&person.login))
            .unwrap_or_default(),
        is_system: counterparty.is_some_and(|person| person.is_system),
        create_time: now,
    };
    let key = [
        people::Column::WorkspaceId,
        people::Column::Site,
        people::Column::MemberId,
    ];
    // Another account of the workspace may insert the same person concurrently.
    people::Entity::insert(new.clone().into_active_model())
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    let row = people::Entity::find()
        .of_workspace(&new.workspace_id)
        .filter(people::Column::Site.eq(new.site.as_str()))
        .filter(people::Column::MemberId.eq(new.member_id.as_str()))
        .one(tx)
        .await?;
    let row = row.ok_or_else(|| Error::Internal(format!("person {} was not written", new.member_id)))?;
    let login = if new.login.is_empty() {
        &row.login
    } else {
        &new.login
    };
    if *login == row.login && new.is_system == row.is_system {
        return Ok((row, false));
    }
    let row = people::Model {
        login: login.clone(),
        is_system: new.is_system,
        ..row
    };
    row.clone().into_active_model().reset_all().update(tx).await?;
    Ok((row, true))
}

fn fresh(
    account: &accounts::Model,
    id: String,
    remote_id: String,
    person_id: &str,
    row: Option<&InboxRow>,
    now: Millis,
) -> threads::Model {
    threads::Model {
        id,
        workspace_id: account.workspace_id.clone(),
        account_id: account.id.clone(),
        site: account.site.clone(),
        remote_id,
        person_id: person_id.to_owned(),
        subject: String::new(),
        listing_id: None,
        transaction_state: None,
        snippet: String::new(),
        last_message_time: row.and_then(|row| row.update_time).unwrap_or(now),
        unread_count: 0,
        unread: false,
        remote_unread: false,
        waiting_for_me: false,
        has_offer: false,
        archived: false,
        snooze_until: None,
        labels: "[]".to_owned(),
        note: String::new(),
        draft_text: None,
        draft_version: 0,
        draft_time: None,
        reply_allowed: false,
        read_by_person: false,
        message_count: 0,
        listed: None,
        create_time: now,
        update_time: now,
        delete_time: None,
        sequence: 0,
        removal_state: None,
        removal_number: 0,
        removal_hash: None,
        removal_reason: None,
        removal_message: None,
        removal_time: None,
    }
}

/// Returns whether the account has not read the conversation on the site. The site states this in three fields, each of
/// which may be missing.
fn is_unread(conversation: &Conversation, row: Option<&InboxRow>) -> bool {
    (conversation.unread || row.is_some_and(|row| row.unread)) && !conversation.read_by_account
}

/// Updates the thread's unread state. A new message from the counterparty also ends archiving, a snooze and a local
/// deletion. Returns the index of the first entry that does not count as read; entries before it count as read although
/// the thread is unread.
fn mark(
    thread: &mut threads::Model,
    is_unread: bool,
    rows: &[messages::Model],
    reads: &[Read],
    is_new: bool,
) -> usize {
    let was_unread = thread.remote_unread;
    thread.remote_unread = is_unread;
    if is_new {
        // The account has read everything before its own last message.
        let answered = reads.iter().rposition(|read| read.author == Author::Account);
        let read_until = answered.map_or(0, |place| place + 1);
        thread.unread = thread.remote_unread;
        if thread.unread {
            thread.unread_count = from_person(&reads[read_until..]);
        }
        return read_until;
    }
    let known: HashSet<&str> = rows.iter().map(|row| row.remote_key.as_str()).collect();
    let new = reads.iter().filter(|read| !known.contains(read.key.as_str()));
    let new = from_person(new);
    if new > 0 {
        thread.archived = false;
        thread.snooze_until = None;
        thread.delete_time = None;
        if thread.removal_state == Some(RemovalState::Removed) {
            // The conversation is on the site again.
            thread.removal_state = None;
        }
    }
    if thread.remote_unread && (new > 0 || !was_unread) {
        thread.unread = true;
        thread.unread_count += new;
    } else if was_unread && !thread.remote_unread {
        thread.unread = false;
        thread.unread_count = 0;
    }
    0
}

fn from_person<'a>(reads: impl IntoIterator<Item = &'a Read>) -> i64 {
    let theirs = reads.into_iter().filter(|read| read.author == Author::Person);
    theirs.count() as i64
}

/// Updates the thread's subject, transaction and derived fields. A value that the site no longer states keeps its
/// stored value.
async fn describe(
    tx: &Tx,
    thread: &mut threads::Model,
    conversation: &Conversation,
    changes: &Changes,
) -> Result<()> {
    let before: Option<Transaction> = thread
        .transaction_state
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    let transaction = match (&conversation.transaction, before) {
        (Some(now), Some(before)) if now.id == before.id || now.id.is_empty() => {
            Some(filled(now.clone(), before))
        }
        (Some(now), _) => Some(now.clone()),
        (None, before) => before,
    };
    let title = transaction
        .as_ref()
        .map(|one| text::cleaned_name(&one.item_title));
    let title = title.filter(|title| !title.is_empty());
    let subject = title.unwrap_or_else(|| text::cleaned_name(&conversation.subtitle));
    if !subject.is_empty() {
        thread.subject = subject;
    }
    if let Some(transaction) = &transaction {
        thread.transaction_state = Some(serde_json::to_string(transaction)?);
        thread.listing_id = listing_of(tx, &thread.account_id, transaction).await?;
    }
    thread.reply_allowed = conversation.reply_allowed;
    thread.read_by_person = conversation.read_by_person;
    thread.message_count = changes.count();
    if let Some(newest) = changes.newest() {
        thread.snippet = snippet(&newest.text);
        thread.last_message_time = newest.time;
    }
    thread.waiting_for_me = changes
        .last_word()
        .is_some_and(|row| row.author == Author::Person);
    let deal = transaction.as_ref();
    thread.has_offer =
        deal.is_none_or(Transaction::is_open) && changes.all().iter().any(|row| is_open_offer(row, deal));
    Ok(())
}

fn filled(now: Transaction, before: Transaction) -> Transaction {
    let or = |now: String, before| if now.is_empty() { before } else { now };
    Transaction {
        id: before.id,
        status: now.status.or(before.status),
        side: now.side.or(before.side),
        item_ids: if now.item_ids.is_empty() {
            before.item_ids
        } else {
            now.item_ids
        },
        item_title: or(now.item_title, before.item_title),
        item_url: now.item_url.or(before.item_url),
        price: now.price.or(before.price),
        ..now
    }
}

/// Returns the listing that is linked to the transaction's item. `None` for a bundle.
async fn listing_of(tx: &Tx, account_id: &str, transaction: &Transaction) -> Result<Option<String>> {
    let [item_id] = transaction.item_ids.as_slice() else {
        return Ok(None);
    };
    if transaction.is_bundle {
        return Ok(None);
    }
    let key = (account_id.to_owned(), storable(item_id));
    let Some(claimed) = remote_items::Entity::find_by_id(key).one(tx).await? else {
        return Ok(None);
    };
    let listing = listings::find(tx, &claimed.listing_id).await?;
    Ok(listing.map(|listing| listing.id))
}

/// Returns whether a row is an offer that the account can answer while the deal is open. A buyer's request has its own
/// status and names its transaction; a seller's offer has neither.
fn is_open_offer(row: &messages::Model, deal: Option<&Transaction>) -> bool {
    if row.author != Author::Person {
        return false;
    }
    let content = row.content.as_deref().map(serde_json::from_str::<Content>);
    match content {
        Some(Ok(Content::OfferRequest {
            transaction_id,
            status: Some(PENDING),
            current: true,
            ..
        })) => match (transaction_id, deal) {
            (Some(id), Some(deal)) => id == deal.id || deal.id.is_empty(),
            _ => true,
        },
        Some(Ok(Content::SellerOffer { current, .. })) => current,
        _ => false,
    }
}

/// Returns the beginning of a text, on one line.
fn snippet(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text::beginning(&line, SNIPPET_MAX).to_owned()
}
