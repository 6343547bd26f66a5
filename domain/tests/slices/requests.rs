use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt as _;
use vintedbot_domain::accounts::{self, NewAccount};
use vintedbot_domain::identity::{self, NewToken};
use vintedbot_domain::listings::{self, ListingInput, NewListing};
use vintedbot_domain::{Error, Reason, requests};

use crate::support::{World, new_account, page, reason, request_id, violated};

#[tokio::test]
async fn repeated_request_creates_one_resource() {
    let world = World::new().await;
    let new = NewAccount {
        request_id: request_id(),
        ..new_account("Shop")
    };
    let upper = NewAccount {
        request_id: new.request_id.as_deref().map(str::to_uppercase),
        ..new.clone()
    };
    let first = accounts::create(&world.context, &world.caller, new.clone())
        .await
        .expect("made");
    let again = accounts::create(&world.context, &world.caller, upper)
        .await
        .expect("found");
    assert_eq!(first, again);
    let all = accounts::list(&world.context, &world.caller, &page(0, ""))
        .await
        .expect("a list");
    assert_eq!(all.items.len(), 1);
}

#[tokio::test]
async fn concurrent_equal_requests_create_one_resource() {
    let world = World::new().await;
    let new = NewAccount {
        request_id: request_id(),
        ..new_account("Shop")
    };
    let calls = (0..8).map(|_| accounts::create(&world.context, &world.caller, new.clone()));
    let made = futures::future::try_join_all(calls)
        .await
        .expect("all are answered");
    assert!(made.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn request_id_with_other_parameters_or_method_is_refused() {
    let world = World::new().await;
    let id = request_id();
    let new = NewAccount {
        request_id: id.clone(),
        ..new_account("Shop")
    };
    let account = accounts::create(&world.context, &world.caller, new.clone())
        .await
        .expect("made");

    let other = NewAccount {
        display_name: "Other".to_owned(),
        ..new
    };
    let refused = accounts::create(&world.context, &world.caller, other).await;
    assert_eq!(reason(refused), Some(Reason::RequestIdReused));

    let token = NewToken {
        name: "x".to_owned(),
        scopes: vec!["media:read".to_owned()],
        expire_time: None,
        request_id: id.clone(),
    };
    let refused = identity::create_token(&world.context, &world.caller, token).await;
    assert_eq!(reason(refused), Some(Reason::RequestIdReused));
    let refused = accounts::delete(&world.context, &world.caller, &account.id, id.clone()).await;
    assert_eq!(reason(refused), Some(Reason::RequestIdReused));

    let stranger = world.stranger().await;
    let same = NewAccount {
        request_id: id,
        ..new_account("Shop")
    };
    accounts::create(&world.context, &stranger, same)
        .await
        .expect("another workspace's ids are another's");
}

#[tokio::test]
async fn request_id_that_is_no_uuid_is_a_violation() {
    let world = World::new().await;
    let new = NewAccount {
        request_id: Some("7".to_owned()),
        ..new_account("Shop")
    };
    assert_eq!(
        violated(accounts::create(&world.context, &world.caller, new).await),
        ["request_id"]
    );
}

#[tokio::test]
async fn request_record_ends_with_its_resource() {
    let (world, account) = World::with_account().await;
    let new = NewListing {
        account_id: account.id.clone(),
        listing: ListingInput {
            title: "Sweat".to_owned(),
            ..ListingInput::default()
        },
        request_id: request_id(),
    };
    let listing = listings::create(&world.context, &world.caller, new.clone())
        .await
        .expect("made");
    let deletion = request_id();
    for _ in 0..2 {
        listings::delete(&world.context, &world.caller, &listing.id, deletion.clone())
            .await
            .expect("is gone");
    }
    let unnamed = listings::delete(&world.context, &world.caller, &listing.id, None).await;
    assert_eq!(reason(unnamed), Some(Reason::NotFound));
    let second = listings::create(&world.context, &world.caller, new)
        .await
        .expect("is created again");
    assert_ne!(second.id, listing.id);

    world.clock.advance(1);
    let purged = requests::purge(&world.context.store, world.context.clock.now())
        .await
        .expect("purges");
    assert_eq!(purged, 1, "deletions alone");
}

#[tokio::test]
async fn lost_race_is_retried_then_returns_a_typed_error() {
    let world = World::new().await;
    let id = request_id();
    let record = async |gives_up: bool| {
        let (id, workspace_id) = (id.clone(), world.caller.workspace_id.clone());
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let written = world.context.store.write(move |tx| {
            let (id, workspace_id) = (id.clone(), workspace_id.clone());
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                // The first attempt acts as if another call had recorded the request after the lookup.
                if !first && gives_up {
                    return Ok(());
                }
                requests::remember(tx, &workspace_id, id.as_deref(), "Test", &(), "made").await
            }
            .boxed()
        });
        (written.await, runs.load(Ordering::SeqCst))
    };
    let (written, runs) = record(false).await;
    assert!(written.is_ok() && runs == 1);
    let (written, runs) = record(true).await;
    assert!(written.is_ok() && runs == 2, "{written:?} after {runs}");
    let (written, runs) = record(false).await;
    assert!(matches!(written, Err(Error::Contended(_))) && runs > 2);
}
