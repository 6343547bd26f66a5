//! Windows in the person's own hands, as far as they are written down: who may ask for one, what else has to wait for it, and
//! how it ends.

use std::collections::HashMap;

use vintedbot_domain::Reason;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::{Plan, Work};
use vintedbot_domain::publishing::hand_over::{self, Closed, Turn};
use vintedbot_domain::publishing::outcome::{self, Next};
use vintedbot_domain::publishing::reconcile::{self, Decision, Reading};
use vintedbot_domain::publishing::{
    self, Confirm, EffectKind, PublishJob, Resolution, State, WaitReason, watch,
};
use vintedbot_marketplace::{Money, RemoteItem};

use super::desk::Desk;
use super::support::reason;

struct Window {
    desk: Desk,
    job: PublishJob,
    claim: Claim,
    work: Work,
    effect_id: String,
}

async fn handed_over() -> Window {
    let desk = Desk::open().await.with(|settings| settings.browser_window = true);
    let listing_id = desk.listing("By hand").await;
    let job = desk
        .try_prepare(&listing_id, Some(true))
        .await
        .expect("is queued");
    assert!(job.hand_over);
    let (claim, Plan::Prepare(work)) = desk.next().await.expect("is due") else {
        panic!("to be prepared")
    };
    assert!(work.hand_over);
    let domain = &desk.world.domain;
    hand_over::shown(domain, &claim, &job.id, &[], None)
        .await
        .expect("is written");
    let intent = desk.intend(&claim, &work, EffectKind::HandOver, &["1"]).await;
    let effect_id = intent.expect("to ask for the window is consent").effect_id;
    let job = desk.get(&job.id).await;
    Window {
        desk,
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

impl Window {
    async fn get(&self) -> PublishJob {
        self.desk.get(&self.job.id).await
    }

    async fn close(&self, why: Closed) {
        let domain = &self.desk.world.domain;
        hand_over::closed(domain, &self.effect_id, why)
            .await
            .expect("is written");
        let next = Next::Later {
            until: domain.clock.now(),
            why: WaitReason::Settling,
        };
        self.desk.conclude(&self.claim, &self.work, next).await;
    }

    async fn decide(&self, wardrobe: Vec<RemoteItem>) -> Decision {
        let domain = &self.desk.world.domain;
        let effect = outcome::effect(domain, &self.effect_id).await.expect("answers");
        let claimed: HashMap<_, _> = reconcile::claimed(domain, &self.desk.account.id)
            .await
            .expect("answers");
        let reading = Reading {
            wardrobe,
            ..Reading::default()
        };
        let now = domain.clock.now();
        let content = &self.work.revision.content;
        reconcile::decide(&effect.expect("is open"), content, &claimed, &reading, now)
    }

    fn settle(&self) {
        let settings = &self.desk.world.domain.settings;
        self.desk
            .world
            .clock
            .advance(settings.request_timeout_ms + settings.settle_ms);
    }
}

#[tokio::test]
async fn a_window_is_only_handed_over_where_there_is_one() {
    let desk = Desk::open().await;
    let listing_id = desk.listing("No window").await;
    let refused = desk.try_prepare(&listing_id, Some(true)).await;
    assert_eq!(reason(refused), Some(Reason::ModeNotAllowed));
    assert!(
        !desk
            .try_prepare(&listing_id, None)
            .await
            .expect("is queued")
            .hand_over
    );

    let desk = Desk::open().await.with(|settings| settings.browser_window = true);
    let listing_id = desk.listing("Not asked for").await;
    assert!(
        !desk
            .try_prepare(&listing_id, None)
            .await
            .expect("is queued")
            .hand_over
    );
}

#[tokio::test]
async fn where_a_person_confirms_every_write_the_window_is_theirs_unless_they_say_no() {
    for (wanted, expected) in [(None, true), (Some(false), false)] {
        let desk = Desk::open().await.with(|settings| settings.browser_window = true);
        let listing_id = desk.listing("Manual").await;
        desk.sql("UPDATE accounts SET mode = 'MANUAL'").await;
        let job = desk.try_prepare(&listing_id, wanted).await.expect("is queued");
        assert_eq!(job.hand_over, expected);
    }
}

#[tokio::test]
async fn what_is_handed_over_is_not_confirmed_here_and_waits_for_the_person() {
    let window = handed_over().await;
    let job = window.get().await;
    assert_eq!(
        (job.state, job.wait_reason),
        (State::HandedOver, Some(WaitReason::Person))
    );
    let settings = &window.desk.world.domain.settings;
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
    let refused = publishing::confirm(&window.desk.world.domain, &window.desk.world.caller, confirm).await;
    assert_eq!(reason(refused.map(drop)), Some(Reason::HandedOver));
}

#[tokio::test]
async fn no_other_publication_of_the_account_is_intended_while_a_window_is_undecided() {
    let window = handed_over().await;
    window.close(Closed::ByPerson).await;
    let other = window.desk.listing("Another").await;
    let other = window
        .desk
        .try_prepare(&other, Some(false))
        .await
        .expect("is queued");
    window.desk.world.clock.advance(1);
    // The window's own job is due too, and is reconciled.
    let (claim, Plan::Reconcile(work, _)) = window.desk.next_of(&window.job.id).await else {
        panic!("to be reconciled")
    };
    let later = Next::Later {
        until: window.desk.world.domain.clock.now() + 60_000,
        why: WaitReason::Settling,
    };
    window.desk.conclude(&claim, &work, later).await;
    window.desk.prepare_due(&other.id).await;
    let token = window.desk.token(&other.id).await;
    let confirm = Confirm {
        job_id: other.id.clone(),
        token,
        dry_run: false,
        request_id: None,
    };
    let refused = publishing::confirm(&window.desk.world.domain, &window.desk.world.caller, confirm).await;
    assert_eq!(reason(refused.map(drop)), Some(Reason::OutcomeUnknown));
}

#[tokio::test]
async fn a_window_whose_holder_died_is_taken_over_at_once_and_only_to_be_read_for() {
    let window = handed_over().await;
    window
        .desk
        .world
        .clock
        .advance(window.desk.world.domain.settings.lease_ms + 1);
    let (_, plan) = window.desk.next().await.expect("is taken over");
    assert!(matches!(plan, Plan::Reconcile(..)), "{plan:?}");
    let (domain, claim) = (&window.desk.world.domain, &window.claim);
    let turn = hand_over::turn(domain, claim, &window.effect_id)
        .await
        .expect("answers");
    assert_eq!(turn, Turn::Lost, "who held it before writes nothing any more");
}

#[tokio::test]
async fn one_equal_item_is_published_and_counts_at_once() {
    let window = handed_over().await;
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
async fn several_equal_items_or_a_strange_one_are_asked_about_once_the_window_is_closed_for_long() {
    for wardrobe in [
        vec![item("7", "By hand", false), item("8", "By hand", false)],
        vec![item("7", "By hand, cheaper", false)],
    ] {
        let window = handed_over().await;
        assert_eq!(window.decide(wardrobe.clone()).await, Decision::NotYet);
        window.close(Closed::ByPerson).await;
        assert_eq!(window.decide(wardrobe.clone()).await, Decision::NotYet);
        window.settle();
        assert_eq!(window.decide(wardrobe).await, Decision::Ask);
    }
}

#[tokio::test]
async fn a_draft_that_the_person_saved_is_theirs_whatever_they_make_of_it() {
    let window = handed_over().await;
    let domain = &window.desk.world.domain;
    assert!(
        hand_over::draft_saved(domain, &window.effect_id, "7")
            .await
            .expect("is written")
    );
    assert!(
        !hand_over::draft_saved(domain, &window.effect_id, "7")
            .await
            .expect("is known")
    );
    assert_eq!(window.get().await.state, State::HandedOver, "that is no end");
    assert_eq!(window.get().await.draft_remote_id.as_deref(), Some("7"));
    let decision = window
        .decide(vec![item("7", "Another title by hand", false)])
        .await;
    assert!(matches!(decision, Decision::Done { remote_id, .. } if remote_id == "7"));
}

#[tokio::test]
async fn a_window_without_a_trace_ends_as_it_was_closed_and_the_site_is_watched() {
    for (why, state, expected) in [
        (Closed::ByPerson, State::Cancelled, Reason::WindowClosed),
        (Closed::WithUs, State::Cancelled, Reason::WindowClosed),
        (Closed::InTime, State::Expired, Reason::ConfirmationExpired),
    ] {
        let window = handed_over().await;
        window.close(why).await;
        assert_eq!(window.get().await.state, State::Unconfirmed);
        window.settle();
        assert_eq!(
            window.decide(Vec::new()).await,
            Decision::NotDone { strays: Vec::new() }
        );
        let domain = &window.desk.world.domain;
        hand_over::not_used(domain, &window.effect_id)
            .await
            .expect("is written");
        let ended = window.get().await;
        assert_eq!((ended.state, ended.reason), (state, Some(expected)));
        let late = [item("7", "By hand", false)];
        let found = watch::compare(domain, &window.desk.account.id, &late)
            .await
            .expect("answers");
        assert_eq!(found, 1);
        assert!(window.get().await.possible_duplicate);
    }
}

#[tokio::test]
async fn a_cancelled_window_is_closed_first_and_a_faster_person_wins() {
    for published in [false, true] {
        let window = handed_over().await;
        let (domain, caller) = (&window.desk.world.domain, &window.desk.world.caller);
        let answer = publishing::cancel(domain, caller, &window.job.id, None)
            .await
            .expect("is heard");
        assert_eq!(answer.state, State::HandedOver, "not before the window is closed");
        let turn = hand_over::turn(domain, &window.claim, &window.effect_id)
            .await
            .expect("answers");
        assert_eq!(turn, Turn::Over(Closed::Cancelled));
        window.close(Closed::Cancelled).await;
        if published {
            let url = "https://site.invalid/items/7";
            outcome::published(domain, &window.effect_id, "7", url, false, "by hand")
                .await
                .expect("is written");
            let late = publishing::cancel(domain, caller, &window.job.id, None).await;
            assert_eq!(reason(late), Some(Reason::JobState));
            assert_eq!(window.get().await.state, State::Published);
        } else {
            hand_over::not_used(domain, &window.effect_id)
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
async fn the_time_at_the_window_ends() {
    let window = handed_over().await;
    let domain = &window.desk.world.domain;
    let left = domain.settings.confirm_token_ms - 1;
    // Its holder lives and renews.
    window
        .desk
        .sql("UPDATE jobs SET lease_until = lease_until + 9999999")
        .await;
    window.desk.world.clock.advance(left);
    let turn = hand_over::turn(domain, &window.claim, &window.effect_id)
        .await
        .expect("answers");
    assert!(matches!(turn, Turn::Theirs(_)));
    window.desk.world.clock.advance(1);
    let turn = hand_over::turn(domain, &window.claim, &window.effect_id)
        .await
        .expect("answers");
    assert_eq!(turn, Turn::Over(Closed::InTime));
}

#[tokio::test]
async fn a_person_can_say_what_became_of_the_window() {
    let window = handed_over().await;
    window.close(Closed::ByPerson).await;
    let (claim, Plan::Reconcile(work, _)) = window.desk.next().await.expect("is due") else {
        panic!("to be reconciled")
    };
    let ask = Next::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look there".to_owned(),
    };
    window.desk.conclude(&claim, &work, ask).await;
    let (domain, caller) = (&window.desk.world.domain, &window.desk.world.caller);
    let late = publishing::cancel(domain, caller, &window.job.id, None).await;
    assert_eq!(
        reason(late),
        Some(Reason::TooLate),
        "only a person's answer helps now"
    );
    let said = Resolution::Published {
        remote_item_id: "7".to_owned(),
    };
    let job = publishing::resolve(domain, caller, &window.job.id, said, None).await;
    assert_eq!(job.expect("is decided").state, State::Published);
}
