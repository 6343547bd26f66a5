use futures::FutureExt as _;
use sea_orm::{ConnectionTrait, EntityTrait};
use vintedbot_domain::accounts::{self, AccountState, Mode, NewAccount, SetMode, Update};
use vintedbot_domain::events::Kind;
use vintedbot_domain::listings::{self, ListingInput};
use vintedbot_domain::store::entities::jobs;
use vintedbot_domain::{Reason, jobs as work};
use vintedbot_marketplace::Language;

use crate::support::{World, new_account, page, reason, violated};

#[tokio::test]
async fn new_account_is_connected_in_the_background() {
    let world = World::new().await;
    let mock = world.account("Shop").await;
    assert_eq!(
        (mock.site.as_str(), mock.market.as_str(), mock.language),
        ("practice", "fr", Language::Fr)
    );
    let new = NewAccount {
        mode: Some(Mode::Manual),
        market: "www.vinted.de".to_owned(),
        ..new_account("Laden")
    };
    let manual = accounts::create(&world.context, &world.caller, new)
        .await
        .expect("made");
    assert_eq!(
        (manual.site.as_str(), manual.market.as_str(), manual.language),
        ("vinted.de", "de", Language::De)
    );
    assert!(manual.sequence > mock.sequence);

    let queued = jobs::Entity::find()
        .all(world.context.store.reader())
        .await
        .expect("jobs");
    let queued: Vec<_> = queued
        .into_iter()
        .map(|job| (job.kind, job.subject_id.unwrap_or_default()))
        .collect();
    assert_eq!(queued.len(), 2);
    assert!(queued.contains(&(work::Kind::ConnectAccount, mock.id)));
}

#[tokio::test]
async fn all_violations_of_a_new_account_are_reported_at_once() {
    let world = World::new().await;
    let create = async |new| accounts::create(&world.context, &world.caller, new).await;
    let new = NewAccount {
        display_name: "x".repeat(101),
        language: "de".to_owned(),
        ..new_account("")
    };
    assert_eq!(violated(create(new).await), ["display_name", "language"]);
    for market in ["", "xx", "practice"] {
        let new = NewAccount {
            market: market.to_owned(),
            ..new_account("Shop")
        };
        assert_eq!(violated(create(new).await), ["market"], "{market}");
    }
    let german_french = NewAccount {
        market: "de".to_owned(),
        language: "fr".to_owned(),
        ..new_account("Shop")
    };
    assert_eq!(violated(create(german_french).await), ["language"]);
    let automated = NewAccount {
        mode: Some(Mode::Automated),
        ..new_account("Shop")
    };
    assert_eq!(
        reason(create(automated).await),
        Some(Reason::AcknowledgementRequired)
    );
}

#[tokio::test]
async fn update_changes_only_masked_fields() {
    let (world, account) = World::with_account().await;
    let update = async |update: Update| {
        accounts::update(
            &world.context,
            &world.caller,
            Update {
                id: account.id.clone(),
                ..update
            },
        )
        .await
    };
    let named = Update {
        display_name: "Boutique".to_owned(),
        publish_limit_per_minute: Some(3),
        ..Update::default()
    };
    let changed = update(named).await.expect("changes");
    assert_eq!(
        (changed.display_name.as_str(), changed.publish_limit_per_minute),
        ("Boutique", Some(3))
    );

    let reset = Update {
        display_name: "not taken".to_owned(),
        mask: vec!["publish_limit_per_minute".to_owned()],
        expected_sequence: Some(changed.sequence),
        ..Update::default()
    };
    let changed = update(reset.clone()).await.expect("resets");
    assert_eq!(
        (changed.display_name.as_str(), changed.publish_limit_per_minute),
        ("Boutique", None)
    );
    let stale = update(reset).await.expect_err("the sequence has moved on");
    assert_eq!(stale.reason(), Some(Reason::ResourceChanged));

    let wrong = Update {
        publish_limit_per_minute: Some(61),
        mask: ["display_name", "market", "publish_limit_per_minute"]
            .map(str::to_owned)
            .to_vec(),
        ..Update::default()
    };
    let fields = [
        "account.display_name",
        "update_mask",
        "account.publish_limit_per_minute",
    ];
    assert_eq!(violated(update(wrong).await), fields);
}

#[tokio::test]
async fn automated_mode_needs_an_acknowledgement() {
    let (world, account) = World::with_account().await;
    let set = async |mode, automated_acknowledged| {
        let set = SetMode {
            id: account.id.clone(),
            mode,
            automated_acknowledged,
            request_id: None,
            second_account_acknowledged: false,
        };
        accounts::set_mode(&world.context, &world.caller, set).await
    };
    assert_eq!(
        reason(set(Mode::Automated, false).await),
        Some(Reason::AcknowledgementRequired)
    );
    let (manual, _) = set(Mode::Manual, false).await.expect("changes");
    assert_eq!((manual.mode, manual.site.as_str()), (Mode::Manual, "vinted.fr"));
    let (same, _) = set(Mode::Manual, true).await.expect("is no error");
    assert_eq!(same, manual);
    let (automated, _) = set(Mode::Automated, true).await.expect("changes");
    assert_eq!(automated.site, "vinted.fr");
    let kinds: Vec<_> = world.events().await.into_iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == Kind::AccountModeChanged)
            .count(),
        2
    );
}

#[tokio::test]
async fn pause_keeps_its_first_reason_until_resumed() {
    let (world, account) = World::with_account().await;
    for (reason, message) in [
        (Reason::ChallengeCaptcha, "first"),
        (Reason::ChallengeBlocked, "second"),
    ] {
        let id = account.id.clone();
        world
            .context
            .store
            .write(move |tx| {
                let id = id.clone();
                async move { accounts::pause(tx, &id, reason, message, Some("job")).await }.boxed()
            })
            .await
            .expect("pauses");
    }
    let paused = accounts::get(&world.context, &world.caller, &account.id)
        .await
        .expect("is there");
    let pause = paused.pause.expect("a pause");
    assert_eq!(
        (pause.reason, pause.message.as_str()),
        (Some(Reason::ChallengeCaptcha), "first")
    );
    for _ in 0..2 {
        let active = accounts::resume(&world.context, &world.caller, &account.id, None)
            .await
            .expect("resumes");
        assert_eq!((active.state, active.pause), (AccountState::Active, None));
    }
}

#[tokio::test]
async fn account_deletion_deletes_its_listings() {
    let (world, account) = World::with_account().await;
    let photo = world.photo(1).await;
    let input = ListingInput {
        photo_ids: vec![photo.id.clone()],
        ..ListingInput::default()
    };
    let listing = world.listing(&account, input).await;
    accounts::delete(&world.context, &world.caller, &account.id, None)
        .await
        .expect("is removed");
    let (context, caller) = (&world.context, &world.caller);
    assert_eq!(
        reason(accounts::get(context, caller, &account.id).await),
        Some(Reason::NotFound)
    );
    assert_eq!(
        reason(listings::get(context, caller, &listing.id).await),
        Some(Reason::NotFound)
    );
    assert!(
        accounts::list(context, caller, &page(0, ""))
            .await
            .expect("a list")
            .items
            .is_empty()
    );
    assert!(
        accounts::account_context_of(context, &account.id)
            .await
            .expect("answers")
            .is_none()
    );
    vintedbot_domain::media::delete(context, caller, &photo.id, None)
        .await
        .expect("it is unused");
    let last: Vec<_> = world
        .events()
        .await
        .into_iter()
        .rev()
        .take(3)
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        last,
        [Kind::PhotoDeleted, Kind::AccountDeleted, Kind::ListingDeleted]
    );
}

#[tokio::test]
async fn open_publish_job_blocks_account_and_listing_deletion() {
    let (world, account) = World::with_account().await;
    let listing = world.listing(&account, ListingInput::default()).await;
    let statement = format!(
        "INSERT INTO publish_jobs (id, workspace_id, account_id, listing_id, site, state, dry_run, prepare_number, revision, \
         revision_hash, listing_hash, requires_action, cancel_requested, hidden, possible_duplicate, stray_drafts, \
         prepare_attempts, publish_attempts, create_time, update_time, sequence) VALUES ('job', '{}', '{}', '{}', \
         'practice', 'BLOCKED', TRUE, 1, '', '', '', FALSE, FALSE, FALSE, FALSE, '[]', 0, 0, 0, 0, 0)",
        world.caller.workspace_id, account.id, listing.id
    );
    world
        .context
        .store
        .writer()
        .execute_unprepared(&statement)
        .await
        .expect("is written");
    let (context, caller) = (&world.context, &world.caller);
    assert_eq!(
        reason(accounts::delete(context, caller, &account.id, None).await),
        Some(Reason::PublishJobOpen)
    );
    assert_eq!(
        reason(listings::delete(context, caller, &listing.id, None).await),
        Some(Reason::PublishJobOpen)
    );
}

#[tokio::test]
async fn account_of_another_workspace_is_not_found() {
    let (world, account) = World::with_account().await;
    let stranger = world.stranger().await;
    let (context, id) = (&world.context, &account.id);
    assert_eq!(
        reason(accounts::get(context, &stranger, id).await),
        Some(Reason::NotFound)
    );
    assert_eq!(
        reason(accounts::delete(context, &stranger, id, None).await),
        Some(Reason::NotFound)
    );
    assert_eq!(
        reason(accounts::resume(context, &stranger, id, None).await),
        Some(Reason::NotFound)
    );
    let update = Update {
        id: id.clone(),
        display_name: "Mine".to_owned(),
        ..Update::default()
    };
    assert_eq!(
        reason(accounts::update(context, &stranger, update).await),
        Some(Reason::NotFound)
    );
    let set = SetMode {
        id: id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
        second_account_acknowledged: false,
    };
    assert_eq!(
        reason(accounts::set_mode(context, &stranger, set).await),
        Some(Reason::NotFound)
    );
    assert!(
        accounts::list(context, &stranger, &page(0, ""))
            .await
            .expect("a list")
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn simultaneous_accounts_have_different_account_contexts() {
    let world = World::new().await;
    let (one, other) = (world.account("One").await, world.account("Other").await);
    let (one, other) = (accounts::account_context(&one), accounts::account_context(&other));
    assert_ne!(one.practice_login, other.practice_login);
    assert!(one.practice_login.starts_with("seller-"));
}

#[tokio::test]
async fn member_of_another_site_is_not_recorded() {
    let world = World::new().await;
    let account = world.account("Shop").await;
    assert!(world.set_member(&account.id, "100").await);
    let set = SetMode {
        id: account.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
        second_account_acknowledged: false,
    };
    accounts::set_mode(&world.context, &world.caller, set)
        .await
        .expect("set");
    // This simulates an answer of the practice site that was still in flight.
    assert!(!world.set_member(&account.id, "100").await);
    let account = accounts::get(&world.context, &world.caller, &account.id)
        .await
        .expect("is there");
    assert_eq!((account.site.as_str(), account.member_id), ("vinted.fr", None));
}
