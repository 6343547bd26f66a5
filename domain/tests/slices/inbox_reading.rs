//! Inbox syncs: when they run, how far they read, what they report, and how photos are fetched.

use std::collections::HashSet;

use futures::FutureExt;
use vintedbot_domain::accounts::{self, Account};
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::sync::photos::{self, Fetched, Waiting};
use vintedbot_domain::inbox::sync::work::{self, Begun, Counts, Ended};
use vintedbot_domain::inbox::sync::{self, Freshness, turns};
use vintedbot_domain::inbox::{Attachment, AttachmentState};
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::{Error, Reason};
use vintedbot_marketplace::{EntryContent, InboxRow};

use super::inbox_sync::{
    BUYER, conversation, count, entry, kinds_since, row, store, stored_messages, thread, world,
};
use super::support::{START, World, reason};

async fn queued(world: &World) -> Vec<String> {
    let due = jobs::sweep(&world.context.store, 10).await;
    due.expect("due jobs")
}

async fn claim(world: &World) -> Claim {
    for id in queued(world).await {
        let claim = jobs::claim(&world.context.store, &id, "worker", 30_000).await;
        if let Some(claim) = claim.expect("claims")
            && claim.job.kind == jobs::Kind::SyncInbox
        {
            return claim;
        }
    }
    panic!("no reading is queued")
}

async fn begin(world: &World, account: &Account) -> (Claim, Begun) {
    turns::take(&world.context, &account.id).await.expect("is queued");
    let claim = claim(world).await;
    let begun = work::begin(&world.context, &claim).await.expect("begins");
    (claim, begun.expect("something to do"))
}

async fn end(world: &World, claim: &Claim, begun: &Begun, ended: Ended) {
    work::end(&world.context, claim, Some(begun), &Counts::default(), ended)
        .await
        .expect("ends");
}

fn complete(watermark: Option<i64>) -> Ended {
    Ended::Complete { watermark }
}

fn late(reason: Reason) -> Ended {
    Ended::Late {
        reason,
        message: "why".to_owned(),
    }
}

async fn fresh(world: &World, account: &Account) -> Freshness {
    let account = accounts::get(&world.context, &world.caller, &account.id).await;
    sync::freshness_of(&world.context, &account.expect("is there"))
        .await
        .expect("freshness")
}

async fn pause(world: &World, account: &Account) {
    let id = account.id.clone();
    world
        .context
        .store
        .write(move |tx| {
            let id = id.clone();
            async move { accounts::pause(tx, &id, Reason::ChallengeCaptcha, "look", None).await }.boxed()
        })
        .await
        .expect("pauses");
}

#[tokio::test]
async fn row_ahead_of_its_conversation_is_read_again() {
    let (world, account) = world().await;
    let message = |time| {
        let content = EntryContent::Message {
            body: "Hello".to_owned(),
            photo_urls: Vec::new(),
        };
        conversation(false, vec![entry(Some(BUYER), time, Some("1"), content)])
    };
    store(&world, &account, Some(row(START + 40_000, false)), &message(0)).await;
    assert_eq!(thread(&world).await.listed, None, "it may show an entry late");
    store(&world, &account, Some(row(START + 900, false)), &message(0)).await;
    assert!(thread(&world).await.listed.is_some(), "the same second");
    let long_ago = START + 60_000 - 15 * 60_000;
    store(&world, &account, Some(row(long_ago, true)), &message(-1_000_000)).await;
    let listed = thread(&world).await.listed.expect("it was no entry");
    assert!(listed.contains(&long_ago.to_string()));
}

#[tokio::test]
async fn watermark_moves_only_after_complete_readings() {
    let (world, account) = world().await;
    let (claim, begun) = begin(&world, &account).await;
    assert!(begun.is_full && begun.watermark == 0);
    end(&world, &claim, &begun, complete(Some(9_000))).await;
    assert_eq!(fresh(&world, &account).await.last_read_time, Some(START));

    world.clock.advance(300_000);
    let (claim, begun) = self::begin(&world, &account).await;
    assert!(!begun.is_full && begun.watermark == 9_000);
    end(&world, &claim, &begun, late(Reason::SiteUnavailable)).await;
    let after = fresh(&world, &account).await;
    assert_eq!(after.last_read_time, Some(START));
    let failure = (
        after.late_reason,
        after.late_message.as_str(),
        after.source.as_str(),
    );
    assert_eq!(failure, (Some(Reason::SiteUnavailable), "why", "practice"));

    world.clock.advance(24 * 3_600_000);
    let (claim, begun) = self::begin(&world, &account).await;
    assert!(begun.is_full && begun.watermark == 9_000);
    end(&world, &claim, &begun, complete(None)).await;
    let after = fresh(&world, &account).await;
    assert_eq!((after.late_reason, after.late_message.as_str()), (None, ""));

    // A change of member means another inbox.
    assert!(world.set_member(&account.id, "101").await);
    let (claim, begun) = self::begin(&world, &account).await;
    assert!(begun.is_full && begun.watermark == 0);
    end(&world, &claim, &begun, complete(Some(3))).await;
    let (_, begun) = self::begin(&world, &account).await;
    assert_eq!(begun.watermark, 3);
}

#[tokio::test]
async fn only_changed_conversations_are_read() {
    let (world, account) = world().await;
    let (claim, begun) = begin(&world, &account).await;
    let other = InboxRow {
        conversation_id: "10".to_owned(),
        ..row(START, false)
    };
    let rows = [row(START, false), other];
    let changed = async |rows: &[InboxRow]| {
        work::changed(&world.context, &begun, rows)
            .await
            .expect("compares")
    };
    assert_eq!(changed(&rows).await, [true, true]);
    let read = conversation(false, Vec::new());
    let stored = work::store(
        &world.context,
        &claim,
        &begun,
        &rows[0],
        Some(START + 60_000),
        &read,
    )
    .await;
    assert!(stored.expect("is stored").is_some_and(|stored| stored.is_new));
    assert_eq!(changed(&rows).await, [false, true]);
    assert_eq!(changed(&[row(START, true)]).await, [true]);

    // A worker that lost its claim writes nothing.
    world.clock.advance(31_000);
    let taken = jobs::claim(&world.context.store, &claim.job.id, "other", 30_000).await;
    assert!(taken.expect("claims").is_some());
    let lost = work::store(&world.context, &claim, &begun, &rows[1], None, &read).await;
    assert!(lost.is_err());
    thread(&world).await;

    // Neither does a worker whose account now belongs to another member.
    assert!(world.set_member(&account.id, "101").await);
    let lost = work::store(&world.context, &claim, &begun, &rows[1], None, &read).await;
    assert!(lost.expect("is no error").is_none());
}

#[tokio::test]
async fn sync_request_joins_a_running_sync_and_is_rate_limited() {
    let (world, account) = world().await;
    let gone = sync::sync_now(&world.context, &world.stranger().await, &account.id).await;
    assert_eq!(reason(gone), Some(Reason::NotFound));
    // Only syncs remain queued.
    for id in queued(&world).await {
        let claim = jobs::claim(&world.context.store, &id, "worker", 30_000).await;
        assert!(claim.expect("claims").is_some());
    }
    let ask = || {
        let (context, caller) = (world.context.clone(), world.caller.clone());
        let id = account.id.clone();
        tokio::spawn(async move { sync::sync_now(&context, &caller, &id).await })
    };
    let begun = async || {
        while queued(&world).await.is_empty() {
            tokio::task::yield_now().await;
        }
        let claim = claim(&world).await;
        let begun = work::begin(&world.context, &claim).await.expect("begins");
        (claim, begun.expect("something to do"))
    };
    let one = ask();
    let (claim, reading) = begun().await;
    let two = ask();
    // The request is recorded once it has joined.
    while limit_used(&world).await < 2 {
        tokio::task::yield_now().await;
    }
    let counts = Counts {
        requests: 3,
        new_threads: 1,
        new_messages: 2,
    };
    let context = &world.context;
    work::end(context, &claim, Some(&reading), &counts, complete(None))
        .await
        .expect("ends");
    for asked in [one, two] {
        assert_eq!(asked.await.expect("ends").expect("is read"), counts);
    }
    for _ in 0..2 {
        let asked = ask();
        let (claim, reading) = begun().await;
        end(&world, &claim, &reading, late(Reason::SiteResponseUnexpected)).await;
        assert_eq!(
            reason(asked.await.expect("ends")),
            Some(Reason::SiteResponseUnexpected)
        );
    }
    let refused = sync::sync_now(context, &world.caller, &account.id).await;
    let Err(Error::Rejected(rejection)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(rejection.reason, Reason::RateLimited);
    assert_eq!(rejection.metadata["limit"], "sync_now_per_minute");
    assert_eq!(rejection.retry_after_ms, Some(60_000));
    world.clock.advance(60_000);
    pause(&world, &account).await;
    let paused = sync::sync_now(context, &world.caller, &account.id).await;
    assert_eq!(reason(paused), Some(Reason::AccountPaused));
}

/// Returns how many sync requests this minute counts.
async fn limit_used(world: &World) -> usize {
    use sea_orm::EntityTrait;
    use vintedbot_domain::store::entities::inbox_syncs;
    let row = inbox_syncs::Entity::find()
        .one(world.context.store.reader())
        .await;
    let row = row.expect("reads");
    let asked: Vec<i64> = row.map_or_else(Vec::new, |row| serde_json::from_str(&row.asked).expect("times"));
    asked.len()
}

#[tokio::test]
async fn paused_account_is_not_synced_and_says_so() {
    let (world, account) = world().await;
    turns::take(&world.context, &account.id).await.expect("is queued");
    pause(&world, &account).await;
    let claim = claim(&world).await;
    let begun = work::begin(&world.context, &claim).await.expect("begins");
    assert!(begun.is_none());
    let after = fresh(&world, &account).await;
    assert_eq!(after.late_reason, Some(Reason::AccountPaused));
    assert_eq!(after.last_read_time, None);
}

#[tokio::test]
async fn account_has_a_sync_schedule_until_deleted() {
    let (world, account) = world().await;
    let store = &world.context.store;
    let zone = world.context.settings.zone();
    let schedules = async || jobs::list_schedules(store).await.expect("schedules");
    let id = turns::schedule_id(&account.id);
    assert_eq!(turns::account_of(&id), Some(account.id.as_str()));
    let ensure = async || {
        turns::ensure(&world.context, &account.id, 300_000)
            .await
            .expect("is there")
    };
    ensure().await;
    jobs::update_schedule(store, &id, Some(jobs::Cadence::Every(600_000)), None, &zone)
        .await
        .expect("is changed");
    ensure().await;
    let [schedule] = &schedules().await[..] else {
        panic!("one schedule")
    };
    assert_eq!(
        (schedule.id.as_str(), schedule.interval_ms),
        (id.as_str(), 600_000)
    );
    assert_eq!(
        jobs::take_due(store, &zone, &HashSet::new())
            .await
            .expect("due")
            .len(),
        1
    );
    let next = schedules().await[0].next_run;
    let pause = next - START;
    assert!((540_000..=660_000).contains(&pause), "{pause}");

    let (claim, begun) = begin(&world, &account).await;
    end(&world, &claim, &begun, complete(None)).await;
    assert_eq!(fresh(&world, &account).await.next_read_time, Some(next));

    accounts::delete(&world.context, &world.caller, &account.id, None)
        .await
        .expect("is deleted");
    ensure().await;
    assert!(schedules().await.is_empty());
}

#[tokio::test]
async fn photo_fetch_is_retried_up_to_a_limit() {
    let (world, account) = world().await;
    let (claim, begun) = begin(&world, &account).await;
    let content = EntryContent::Message {
        body: "Look".to_owned(),
        photo_urls: vec!["https://a/1".to_owned(), "https://a/2".to_owned()],
    };
    let read = conversation(true, vec![entry(Some(BUYER), 1_000, Some("1"), content)]);
    store(&world, &account, None, &read).await;
    let waiting = async |most| {
        photos::waiting(&world.context, &begun, most)
            .await
            .expect("photos")
    };
    let both = waiting(10).await;
    assert_eq!((both.len(), waiting(1).await.len()), (2, 1));
    let before = count(&world).await;
    let settle = async |photo: &Waiting, fetched: &Fetched| {
        photos::settle(&world.context, &claim, &begun, photo, fetched.clone())
            .await
            .expect("is settled");
    };
    let photo = world.photo(1).await;
    let stored = Fetched::Stored {
        photo_id: photo.id.clone(),
    };
    settle(&both[0], &stored).await;
    settle(&both[0], &stored).await;
    let not_now = Fetched::NotNow {
        message: "away".to_owned(),
    };
    for _ in 0..4 {
        settle(&both[1], &not_now).await;
        assert_eq!(waiting(10).await.len(), 1);
    }
    settle(&both[1], &not_now).await;
    assert!(waiting(10).await.is_empty());
    let kinds = kinds_since(&world, before).await;
    assert_eq!(
        kinds,
        [Kind::PhotoCreated, Kind::MessageUpdated, Kind::MessageUpdated]
    );
    let row = &stored_messages(&world).await[0];
    let attachments: Vec<Attachment> = serde_json::from_str(&row.attachments).expect("attachments");
    assert_eq!(attachments[0].photo_id, Some(photo.id));
    let failed = (attachments[1].state, attachments[1].message.as_str());
    assert_eq!(failed, (AttachmentState::Failed, "away"));
    // A later sync fetches neither photo again.
    store(&world, &account, None, &read).await;
    assert!(waiting(10).await.is_empty());
}
