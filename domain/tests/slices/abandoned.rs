//! What a worker that was killed leaves claimed, and when the next one takes it up.

use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::jobs::{self, Claim, Proof, WorkerIdentity};
use vintedbot_domain::publishing::EffectKind;
use vintedbot_domain::publishing::attempt::{Plan, Work};
use vintedbot_marketplace::Process;

use super::desk::Desk;

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

/// An instance whose worker, which the desk plays, is at work on a confirmed publication.
async fn at_work() -> (Desk, Claim, Work) {
    let desk = Desk::open().await;
    jobs::open_worker(&desk.world.domain.store, &worker("desk", "here"), |_| true)
        .await
        .expect("opens");
    let (_, claim, work) = desk.at_work("Interrupted").await;
    (desk, claim, work)
}

async fn release(desk: &Desk, proof: Proof) -> usize {
    let successor = worker(&SystemIds.id(), "here");
    let released = jobs::release_abandoned(&desk.world.domain.store, &successor, proof).await;
    released.expect("the tables")
}

#[tokio::test]
async fn a_lease_of_a_gone_worker_ends_at_the_next_start() {
    let (desk, _, _) = at_work().await;
    assert!(desk.next().await.is_none(), "its lease lives");
    assert!(release(&desk, Proof::FolderLock).await > 0);
    // Not a moment later, and with the lock of the account.
    let (claim, plan) = desk.next().await.expect("is due at once");
    assert!(matches!(plan, Plan::Publish(_)), "{plan:?}");
    assert_eq!(claim.epoch, 3, "a claim like any other, which is counted");
    assert_eq!(claim.job.claims, 2);
}

#[tokio::test]
async fn an_open_intent_keeps_its_wait_when_the_lease_is_released() {
    let (desk, claim, work) = at_work().await;
    let domain = &desk.world.domain;
    let intent = desk.intend(&claim, &work, EffectKind::Publish, &[]).await;
    intent.expect("there is consent");
    assert!(release(&desk, Proof::FolderLock).await > 0);
    assert!(desk.next().await.is_none(), "the click may still arrive");
    let settings = &domain.settings;
    let acts_for = settings.click_window_ms + settings.request_timeout_ms;
    desk.world.clock.advance(acts_for - 1);
    assert!(desk.next().await.is_none(), "nor one moment too early");
    desk.world.clock.advance(1);
    let (_, plan) = desk.next().await.expect("is due");
    assert!(matches!(plan, Plan::Reconcile(..)), "never made again: {plan:?}");
}

#[tokio::test]
async fn a_released_claim_can_no_longer_commit_an_intent() {
    let (desk, claim, work) = at_work().await;
    assert!(release(&desk, Proof::FolderLock).await > 0);
    let intent = desk.intend(&claim, &work, EffectKind::Publish, &[]).await;
    assert!(intent.is_err(), "its lease is over");
    let kept = claim.renew(&desk.world.domain.store, 60_000).await;
    assert!(!kept.expect("the table"));
}

#[tokio::test]
async fn a_lease_of_a_worker_that_may_live_is_left() {
    let (desk, _, _) = at_work().await;
    assert_eq!(release(&desk, Proof::Process(|_| true)).await, 0);
    let elsewhere = worker(&SystemIds.id(), "another machine");
    let store = &desk.world.domain.store;
    let released = jobs::release_abandoned(store, &elsewhere, Proof::Process(|_| false)).await;
    assert_eq!(released.expect("the tables"), 0, "its number means nothing there");
    assert!(desk.next().await.is_none());
    // Its process is seen to be gone, or it has closed.
    assert!(release(&desk, Proof::Process(|_| false)).await > 0);
    desk.next().await.expect("is due");
    jobs::close_worker(store, "desk").await.expect("closes");
    let released = jobs::release_abandoned(store, &elsewhere, Proof::Process(|_| true)).await;
    assert!(released.expect("the tables") > 0);
}

#[tokio::test]
async fn a_worker_does_not_release_what_is_its_own() {
    let (desk, _, _) = at_work().await;
    let store = &desk.world.domain.store;
    let released = jobs::release_abandoned(store, &worker("desk", "here"), Proof::FolderLock).await;
    assert_eq!(released.expect("the tables"), 0);
}
