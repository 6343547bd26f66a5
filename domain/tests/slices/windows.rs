//! Manual takeover in the database: who may request it, what waits for it, and how it ends.

use std::collections::HashMap;

use vintedbot_domain::Reason;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::{Plan, Work};
use vintedbot_domain::publishing::manual_takeover::{self, Closed, Turn};
use vintedbot_domain::publishing::outcome::{self, FollowUp};
use vintedbot_domain::publishing::reconcile::{self, Decision, Reading};
use vintedbot_domain::publishing::{
    self, Confirm, EffectKind, PublishJob, Resolution, State, WaitReason, watch,
};
use vintedbot_marketplace::{Money, RemoteItem};

use super::fixture::Fixture;
use super::support::reason;

struct BrowserWindow {
    fixture: Fixture,
    job: PublishJob,
    claim: Claim,
    work: Work,
    effect_id: String,
}

async fn manual_takeover() -> BrowserWindow {
    let fixture = Fixture::open()
        .await
        .with(|settings| settings.browser_window = true);
    let listing_id = fixture.listing("By hand").await;
    let job = fixture
        .try_prepare(&listing_id, Some(true))
        .await
        .expect("is queued");
    assert!(job.manual_takeover);
    let (claim, Plan::Prepare(work)) = fixture.next().await.expect("is due") else {
        panic!("to be prepared")
    };
    assert!(work.manual_takeover);
    let context = &fixture.world.context;
    manual_takeover::shown(context, &claim, &job.id, &[], None)
        .await
        .expect("is written");
    let intent = fixture
        .intend(&claim, &work, EffectKind::ManualTakeover, &["1"])
        .await;
    let effect_id = intent.expect("a window request is consent").effect_id;
    let job = fixture.get(&job.id).await;
    BrowserWindow {
        fixture,
        job,
        claim,
        work,
        effect_id,
    }
}

fn item(id: &str, title: &str, is_draft: bool) -> RemoteItem {
    RemoteItem {
        id: id.to_owned(),
        title: title.to_owned(),
        price: Money {
            minor_units: 1_500,
            currency: "EUR".to_owned(),
        },
        is_draft,
        is_hidden: false,
        is_closed: false,
        url: format!("https://site.invalid/items/{id}"),
        photo_ids: vec!["p".to_owned()],
        description: None,
        category_id: None,
    }
}

impl BrowserWindow {
    async fn get(&self) -> PublishJob {
        self.fixture.get(&self.job.id).await
    }

    async fn close(&self, why: Closed) {
        let context = &self.fixture.world.context;
        manual_takeover::closed(context, &self.effect_id, why)
            .await
            .expect("is written");
        let next = FollowUp::Later {
            until: context.clock.now(),
            why: WaitReason::Settling,
        };
        self.fixture.conclude(&self.claim, &self.work, next).await;
    }

    async fn decide(&self, wardrobe: Vec<RemoteItem>) -> Decision {
        let context = &self.fixture.world.context;
        let effect = outcome::effect(context, &self.effect_id).await.expect("answers");
        let claimed: HashMap<_, _> = reconcile::claimed(context, &self.fixture.account.id)
            .await
            .expect("answers");
        let reading = Reading {
            wardrobe,
            ..Reading::default()
        };
        let now = context.clock.now();
        let content = &self.work.revision.content;
        reconcile::decide(&effect.expect("is open"), content, &claimed, &reading, now)
    }

    fn settle(&self) {
        let settings = &self.fixture.world.context.settings;
        self.fixture
            .world
            .clock
            .advance(settings.effects.request_timeout_ms + settings.effects.settle_ms);
    }
}

#[tokio::test]
async fn manual_takeover_needs_a_window() {
    let fixture = Fixture::open().await;
    let listing_id = fixture.listing("No window").await;
    let refused = fixture.try_prepare(&listing_id, Some(true)).await;
    assert_eq!(reason(refused), Some(Reason::ModeNotAllowed));
    assert!(
        !fixture
            .try_prepare(&listing_id, None)
            .await
            .expect("is queued")
            .manual_takeover
    );

    let fixture = Fixture::open()
        .await
        .with(|settings| settings.browser_window = true);
    let listing_id = fixture.listing("Not asked for").await;
    assert!(
        !fixture
            .try_prepare(&listing_id, None)
            .await
            .expect("is queued")
            .manual_takeover
    );
}

#[tokio::test]
async fn manual_mode_defaults_to_manual_takeover() {
    for (wanted, expected) in [(None, true), (Some(false), false)] {
        let fixture = Fixture::open()
            .await
            .with(|settings| settings.browser_window = true);
        let listing_id = fixture.listing("Manual").await;
        fixture.sql("UPDATE accounts SET mode = 'MANUAL'").await;
        let job = fixture.try_prepare(&listing_id, wanted).await.expect("is queued");
        assert_eq!(job.manual_takeover, expected);
    }
}

#[tokio::test]
async fn manual_takeover_job_waits_for_the_person() {
    let window = manual_takeover().await;
    let job = window.get().await;
    assert_eq!(
        (job.state, job.wait_reason),
        (State::ManualTakeover, Some(WaitReason::Person))
    );
    let settings = &window.fixture.world.context.settings;
    assert_eq!(
        job.confirm_expire_time,
        Some(job.update_time + settings.confirm_token_ms)
    );
    let confirm = Confirm {
        job_id: job.id.clone(),
        token: "any".to_owned(),
        dry_run: true,
        request_id: None,
    };
    let refused = publishing::confirm(
        &window.fixture.world.context,
        &window.fixture.world.caller,
        confirm,
    )
    .await;
    assert_eq!(reason(refused.map(drop)), Some(Reason::ManualTakeover));
}

#[tokio::test]
async fn open_window_blocks_other_publish_intents() {
    let window = manual_takeover().await;
    window.close(Closed::ByPerson).await;
    let other = window.fixture.listing("Another").await;
    let other = window
        .fixture
        .try_prepare(&other, Some(false))
        .await
        .expect("is queued");
    window.fixture.world.clock.advance(1);
    // The window's own job is due too, and is reconciled.
    let (claim, Plan::Reconcile(work, _)) = window.fixture.next_of(&window.job.id).await else {
        panic!("to be reconciled")
    };
    let later = FollowUp::Later {
        until: window.fixture.world.context.clock.now() + 60_000,
        why: WaitReason::Settling,
    };
    window.fixture.conclude(&claim, &work, later).await;
    window.fixture.prepare_due(&other.id).await;
    let token = window.fixture.token(&other.id).await;
    let confirm = Confirm {
        job_id: other.id.clone(),
        token,
        dry_run: false,
        request_id: None,
    };
    let refused = publishing::confirm(
        &window.fixture.world.context,
        &window.fixture.world.caller,
        confirm,
    )
    .await;
    assert_eq!(reason(refused.map(drop)), Some(Reason::OutcomeUnknown));
}

#[tokio::test]
async fn window_of_a_dead_worker_is_only_reconciled() {
    let window = manual_takeover().await;
    window
        .fixture
        .world
        .clock
        .advance(window.fixture.world.context.settings.jobs.lease_ms + 1);
    let (_, plan) = window.fixture.next().await.expect("is taken over");
    assert!(matches!(plan, Plan::Reconcile(..)), "{plan:?}");
    let (context, claim) = (&window.fixture.world.context, &window.claim);
    let turn = manual_takeover::turn(context, claim, &window.effect_id)
        .await
        .expect("answers");
    assert_eq!(turn, Turn::Lost, "who held it before writes nothing any more");
}

#[tokio::test]
async fn one_equal_item_counts_as_published_at_once() {
    let window = manual_takeover().await;
    let old = item("1", "By hand", false);
    assert_eq!(
        window.decide(vec![old.clone()]).await,
        Decision::NotYet,
        "it was there before"
    );
    let decision = window.decide(vec![old, item("7", "By hand", false)]).await;
    assert!(matches!(decision, Decision::Done { remote_id, .. } if remote_id == "7"));
}

#[tokio::test]
async fn ambiguous_items_after_a_closed_window_ask_the_person() {
    for wardrobe in [
        vec![item("7", "By hand", false), item("8", "By hand", false)],
        vec![item("7", "By hand, cheaper", false)],
    ] {
        let window = manual_takeover().await;
        assert_eq!(window.decide(wardrobe.clone()).await, Decision::NotYet);
        window.close(Closed::ByPerson).await;
        assert_eq!(window.decide(wardrobe.clone()).await, Decision::NotYet);
        window.settle();
        assert_eq!(window.decide(wardrobe).await, Decision::Ask);
    }
}

#[tokio::test]
async fn draft_saved_by_the_person_is_left_alone() {
    let window = manual_takeover().await;
    let context = &window.fixture.world.context;
    assert!(
        manual_takeover::draft_saved(context, &window.effect_id, "7")
            .await
            .expect("is written")
    );
    assert!(
        !manual_takeover::draft_saved(context, &window.effect_id, "7")
            .await
            .expect("is known")
    );
    assert_eq!(
        window.get().await.state,
        State::ManualTakeover,
        "the window is still open"
    );
    assert_eq!(window.get().await.draft_remote_id.as_deref(), Some("7"));
    let decision = window
        .decide(vec![item("7", "Another title by hand", false)])
        .await;
    assert!(matches!(decision, Decision::Done { remote_id, .. } if remote_id == "7"));
}

#[tokio::test]
async fn closed_window_without_effect_ends_and_is_watched() {
    for (why, state, expected) in [
        (Closed::ByPerson, State::Cancelled, Reason::WindowClosed),
        (Closed::WithUs, State::Cancelled, Reason::WindowClosed),
        (Closed::InTime, State::Expired, Reason::ConfirmationExpired),
    ] {
        let window = manual_takeover().await;
        window.close(why).await;
        assert_eq!(window.get().await.state, State::Unconfirmed);
        window.settle();
        assert_eq!(
            window.decide(Vec::new()).await,
            Decision::NotDone { strays: Vec::new() }
        );
        let context = &window.fixture.world.context;
        manual_takeover::not_used(context, &window.effect_id)
            .await
            .expect("is written");
        let ended = window.get().await;
        assert_eq!((ended.state, ended.reason), (state, Some(expected)));
        let late = [item("7", "By hand", false)];
        let found = watch::compare(context, &window.fixture.account.id, &late)
            .await
            .expect("answers");
        assert_eq!(found, 1);
        assert!(window.get().await.possible_duplicate);
    }
}

#[tokio::test]
async fn cancelled_window_is_closed_before_it_is_settled() {
    for published in [false, true] {
        let window = manual_takeover().await;
        let (context, caller) = (&window.fixture.world.context, &window.fixture.world.caller);
        let answer = publishing::cancel(context, caller, &window.job.id, None)
            .await
            .expect("is heard");
        assert_eq!(
            answer.state,
            State::ManualTakeover,
            "not before the window is closed"
        );
        let turn = manual_takeover::turn(context, &window.claim, &window.effect_id)
            .await
            .expect("answers");
        assert_eq!(turn, Turn::Over(Closed::Cancelled));
        window.close(Closed::Cancelled).await;
        if published {
            let url = "https://site.invalid/items/7";
            outcome::published(context, &window.effect_id, "7", url, false, "by hand")
                .await
                .expect("is written");
            let late = publishing::cancel(context, caller, &window.job.id, None).await;
            assert_eq!(reason(late), Some(Reason::JobStateInvalid));
            assert_eq!(window.get().await.state, State::Published);
        } else {
            manual_takeover::not_used(context, &window.effect_id)
                .await
                .expect("is written");
            let ended = window.get().await;
            assert_eq!(
                (ended.state, ended.reason),
                (State::Cancelled, Some(Reason::CancelledByPerson))
            );
        }
    }
}

#[tokio::test]
async fn manual_takeover_has_a_time_limit() {
    let window = manual_takeover().await;
    let context = &window.fixture.world.context;
    let left = context.settings.confirm_token_ms - 1;
    // The worker that holds the window is alive and renews its lease.
    window
        .fixture
        .sql("UPDATE jobs SET lease_until = lease_until + 9999999")
        .await;
    window.fixture.world.clock.advance(left);
    let turn = manual_takeover::turn(context, &window.claim, &window.effect_id)
        .await
        .expect("answers");
    assert!(matches!(turn, Turn::Theirs(_)));
    window.fixture.world.clock.advance(1);
    let turn = manual_takeover::turn(context, &window.claim, &window.effect_id)
        .await
        .expect("answers");
    assert_eq!(turn, Turn::Over(Closed::InTime));
}

#[tokio::test]
async fn person_can_resolve_a_manual_takeover() {
    let window = manual_takeover().await;
    window.close(Closed::ByPerson).await;
    let (claim, Plan::Reconcile(work, _)) = window.fixture.next().await.expect("is due") else {
        panic!("to be reconciled")
    };
    let ask = FollowUp::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look there".to_owned(),
    };
    window.fixture.conclude(&claim, &work, ask).await;
    let (context, caller) = (&window.fixture.world.context, &window.fixture.world.caller);
    let late = publishing::cancel(context, caller, &window.job.id, None).await;
    assert_eq!(
        reason(late),
        Some(Reason::NotCancellable),
        "only a person's answer helps now"
    );
    let resolution = Resolution::Published {
        remote_item_id: "7".to_owned(),
    };
    let job = publishing::resolve(context, caller, &window.job.id, resolution, None).await;
    assert_eq!(job.expect("is decided").state, State::Published);
}
