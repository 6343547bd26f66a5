//! The leases that a killed worker leaves, and when another worker takes the jobs over.

use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::jobs::{self, Claim, Proof, WorkerIdentity};
use vintedbot_domain::publishing::EffectKind;
use vintedbot_domain::publishing::attempt::{Plan, Work};
use vintedbot_marketplace::Process;

use super::fixture::Fixture;

fn worker(id: &str, host: &str) -> WorkerIdentity {
    WorkerIdentity {
        id: id.to_owned(),
        name: None,
        host: host.to_owned(),
        process: Process {
            pid: 7,
            start_ticks: 7,
        },
    }
}

/// Returns an instance on which the fixture, as the worker, is publishing a confirmed job.
async fn claimed_publish() -> (Fixture, Claim, Work) {
    let fixture = Fixture::open().await;
    jobs::open_worker(&fixture.world.context.store, &worker("fixture", "here"), |_| true)
        .await
        .expect("opens");
    let (_, claim, work) = fixture.claimed_publish("Interrupted").await;
    (fixture, claim, work)
}

async fn release(fixture: &Fixture, proof: Proof) -> usize {
    let successor = worker(&SystemIds.id(), "here");
    let released = jobs::release_abandoned(&fixture.world.context.store, &successor, proof).await;
    released.expect("the tables")
}

#[tokio::test]
async fn lease_of_a_dead_worker_ends_at_next_start() {
    let (fixture, _, _) = claimed_publish().await;
    assert!(fixture.next().await.is_none(), "its lease lives");
    assert!(release(&fixture, Proof::FolderLock).await > 0);
    // The takeover is immediate and includes the account lock.
    let (claim, plan) = fixture.next().await.expect("is due at once");
    assert!(matches!(plan, Plan::Publish(_)), "{plan:?}");
    assert_eq!(claim.epoch, 3, "a claim like any other, which is counted");
    assert_eq!(claim.job.claims, 2);
}

#[tokio::test]
async fn open_intent_waits_after_its_lease_is_released() {
    let (fixture, claim, work) = claimed_publish().await;
    let context = &fixture.world.context;
    let intent = fixture.intend(&claim, &work, EffectKind::Publish, &[]).await;
    intent.expect("there is consent");
    assert!(release(&fixture, Proof::FolderLock).await > 0);
    assert!(fixture.next().await.is_none(), "the click may still arrive");
    let settings = &context.settings;
    let acts_for = settings.effects.click_window_ms + settings.effects.request_timeout_ms;
    fixture.world.clock.advance(acts_for - 1);
    assert!(fixture.next().await.is_none(), "nor one moment too early");
    fixture.world.clock.advance(1);
    let (_, plan) = fixture.next().await.expect("is due");
    assert!(matches!(plan, Plan::Reconcile(..)), "never made again: {plan:?}");
}

#[tokio::test]
async fn released_claim_cannot_commit_an_intent() {
    let (fixture, claim, work) = claimed_publish().await;
    assert!(release(&fixture, Proof::FolderLock).await > 0);
    let intent = fixture.intend(&claim, &work, EffectKind::Publish, &[]).await;
    assert!(intent.is_err(), "its lease is over");
    let renewed = claim.renew(&fixture.world.context.store, 60_000).await;
    assert!(!renewed.expect("the table"));
}

#[tokio::test]
async fn lease_of_a_possibly_live_worker_is_kept() {
    let (fixture, _, _) = claimed_publish().await;
    assert_eq!(release(&fixture, Proof::Process(|_| true)).await, 0);
    let elsewhere = worker(&SystemIds.id(), "another machine");
    let store = &fixture.world.context.store;
    let released = jobs::release_abandoned(store, &elsewhere, Proof::Process(|_| false)).await;
    assert_eq!(released.expect("the tables"), 0, "its number means nothing there");
    assert!(fixture.next().await.is_none());
    // The old worker is known to be dead: its process is gone, or its row is closed.
    assert!(release(&fixture, Proof::Process(|_| false)).await > 0);
    fixture.next().await.expect("is due");
    jobs::close_worker(store, "fixture").await.expect("closes");
    let released = jobs::release_abandoned(store, &elsewhere, Proof::Process(|_| true)).await;
    assert!(released.expect("the tables") > 0);
}

#[tokio::test]
async fn worker_does_not_release_its_own_leases() {
    let (fixture, _, _) = claimed_publish().await;
    let store = &fixture.world.context.store;
    let released = jobs::release_abandoned(store, &worker("fixture", "here"), Proof::FolderLock).await;
    assert_eq!(released.expect("the tables"), 0);
}
