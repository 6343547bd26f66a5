//! Publications that are put off: a day of them, and everything that can come between a yes and its time.

use vintedbot_domain::Reason;
use vintedbot_domain::accounts::Mode;
use vintedbot_domain::accounts::{self, SetMode};
use vintedbot_domain::events::Kind;
use vintedbot_domain::listings::{self, ListingInput, ListingState, Update};
use vintedbot_domain::publishing::attempt::Plan;
use vintedbot_domain::publishing::outcome::Next;
use vintedbot_domain::publishing::{self, Confirm, LocalTime, Schedule, State, WaitReason, When};
use vintedbot_marketplace::challenge::AccountFollows;

use super::desk::Desk;
use super::support::{START, reason, request_id, violated};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

async fn listing_state(desk: &Desk, id: &str) -> ListingState {
    let listing = listings::get(&desk.world.domain, &desk.world.caller, id).await;
    listing.expect("is there").state
}

#[tokio::test]
async fn a_day_of_schedules_publishes_each_at_its_time_and_none_before() {
    let desk = Desk::open()
        .await
        .with(|settings| settings.confirm_token_ms = DAY);
    let mut scheduled = Vec::new();
    for hour in 1..=24 {
        let job = desk.scheduled(&format!("Sweat {hour}"), hour * HOUR).await;
        assert_eq!(
            (job.state, job.wait_reason),
            (State::Scheduled, Some(WaitReason::Schedule))
        );
        assert_eq!(job.wait_until, job.schedule_time);
        scheduled.push(job);
    }
    let mut published = 0;
    // A look every ten minutes, as by the sweeper.
    while desk.world.domain.clock.now() < START + 25 * HOUR {
        desk.world.clock.advance(10 * MINUTE);
        while let Some((claim, plan)) = desk.next().await {
            let Plan::Publish(work) = plan else {
                panic!("{plan:?}")
            };
            let due = &scheduled[published];
            assert_eq!(work.job_id, due.id, "in their order");
            let late = desk.world.domain.clock.now() - due.schedule_time.expect("a time");
            assert!((0..10 * MINUTE).contains(&late), "{late} ms late");
            assert_eq!(
                listing_state(&desk, &due.listing_id).await,
                ListingState::Publishing
            );
            published += 1;
            desk.publish(&claim, &work, &format!("{}", 1000 + published))
                .await;
        }
    }
    assert_eq!(published, 24);
    for job in scheduled {
        assert_eq!(desk.get(&job.id).await.state, State::Published);
    }
}

#[tokio::test]
async fn two_for_the_same_minute_are_published_a_minute_apart() {
    let desk = Desk::open().await;
    let first = desk.scheduled("One", HOUR).await;
    let second = desk.scheduled("Two", HOUR).await;
    desk.world.clock.advance(HOUR);
    let (claim, Plan::Publish(work)) = desk.next().await.expect("one is due") else {
        panic!("to be published")
    };
    let (now, later) = if work.job_id == first.id {
        (first, second)
    } else {
        (second, first)
    };
    desk.publish(&claim, &work, "1").await;
    assert_eq!(desk.get(&now.id).await.state, State::Published);
    desk.world.clock.advance(MINUTE);
    desk.publish_due(&later.id, "2").await;
}

#[tokio::test]
async fn a_yes_for_later_consumes_its_token_and_keeps_nobody_else_from_saying_yes_now() {
    let desk = Desk::open().await;
    let (other, other_token) = desk.prepared("At once").await;
    let (job, token) = desk.prepared("Later").await;
    let at = START + HOUR;
    let schedule = Schedule {
        job_id: job.id.clone(),
        token: token.clone(),
        when: When::At(at),
        request_id: request_id(),
    };
    let (domain, caller) = (&desk.world.domain, &desk.world.caller);
    let first = publishing::schedule(domain, caller, schedule.clone()).await;
    assert_eq!(first.expect("is scheduled").schedule_time, Some(at));
    let again = publishing::schedule(domain, caller, schedule.clone()).await;
    assert_eq!(again.expect("the same answer").id, job.id);
    let anew = Schedule {
        request_id: request_id(),
        ..schedule
    };
    let anew = publishing::schedule(domain, caller, anew).await;
    assert_eq!(reason(anew), Some(Reason::ConfirmationUsed));
    let confirm = |job_id: &str, token: &str| Confirm {
        job_id: job_id.to_owned(),
        token: token.to_owned(),
        dry_run: false,
        request_id: None,
    };
    let used = publishing::confirm(domain, caller, confirm(&job.id, &token)).await;
    assert_eq!(reason(used), Some(Reason::ConfirmationUsed));
    publishing::confirm(domain, caller, confirm(&other.id, &other_token))
        .await
        .expect("its minute is not used up");
    let kinds: Vec<Kind> = desk
        .world
        .events()
        .await
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert!(kinds.contains(&Kind::PublishJobScheduled), "{kinds:?}");
}

#[tokio::test]
async fn times_out_of_reach_are_violations_of_their_field_and_consume_nothing() {
    let desk = Desk::open().await;
    let (job, token) = desk.prepared("Later").await;
    let local = |date_time: &str| {
        When::Local(LocalTime {
            date_time: date_time.to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            repeated: None,
        })
    };
    for (when, field) in [
        (When::At(START), "time"),
        (When::At(START + 90 * DAY + 1), "time"),
        (local("2020-01-01T10:00"), "local_time"),
        (local("2099-01-01T10:00"), "local_time"),
        (local("tomorrow"), "local_time.date_time"),
    ] {
        let refused = desk.try_schedule(&job.id, &token, when).await;
        assert_eq!(violated(refused), [field]);
    }
    let refused = desk.try_schedule(&job.id, "forged", When::At(START + HOUR)).await;
    assert_eq!(reason(refused), Some(Reason::ConfirmationInvalid));
    // 2025-11-21, when the clocks of Paris are an hour ahead.
    let job = desk
        .try_schedule(&job.id, &token, local("2025-11-22T18:30"))
        .await;
    assert_eq!(job.expect("is scheduled").schedule_time, Some(1_763_832_600_000));
}

#[tokio::test]
async fn a_time_that_passed_by_too_far_is_asked_about_again() {
    let desk = Desk::open().await;
    let job = desk.scheduled("Late", HOUR).await;
    let first_token = desk.get(&job.id).await.confirm_time;
    assert!(first_token.is_some());
    // A night without power.
    desk.world.clock.advance(3 * HOUR);
    desk.prepare_due(&job.id).await;
    let asks = desk.get(&job.id).await;
    assert_eq!(asks.state, State::AwaitingConfirmation);
    assert_eq!(asks.reason, Some(Reason::ScheduleMissed));
    assert_eq!((asks.prepare_number, asks.confirm_time), (2, None));
    assert_eq!(listing_state(&desk, &job.listing_id).await, ListingState::Draft);
    let token = desk.token(&job.id).await;
    let confirm = Confirm {
        job_id: job.id.clone(),
        token,
        dry_run: false,
        request_id: None,
    };
    publishing::confirm(&desk.world.domain, &desk.world.caller, confirm)
        .await
        .expect("the new yes counts");
    let confirmed = desk.get(&job.id).await;
    assert_eq!((confirmed.reason, confirmed.schedule_time), (None, None));
    desk.publish_due(&job.id, "1").await;
}

#[tokio::test]
async fn what_is_a_little_late_is_published() {
    let desk = Desk::open().await;
    let job = desk.scheduled("Late", HOUR).await;
    desk.world.clock.advance(2 * HOUR);
    desk.publish_due(&job.id, "1").await;
}

#[tokio::test]
async fn a_cancelled_schedule_never_comes() {
    let desk = Desk::open().await;
    let job = desk.scheduled("Not at all", HOUR).await;
    let cancelled = publishing::cancel(&desk.world.domain, &desk.world.caller, &job.id, None).await;
    assert_eq!(cancelled.expect("in time").state, State::Cancelled);
    desk.world.clock.advance(2 * HOUR);
    assert!(desk.next().await.is_none());
    assert_eq!(desk.get(&job.id).await.state, State::Cancelled);
}

#[tokio::test]
async fn a_yes_to_what_was_cancelled_is_told_so() {
    let desk = Desk::open().await;
    let (domain, caller) = (&desk.world.domain, &desk.world.caller);
    let (job, token) = desk.prepared("Taken back").await;
    let at = When::At(domain.clock.now() + HOUR);
    desk.try_schedule(&job.id, &token, at)
        .await
        .expect("is scheduled");
    publishing::cancel(domain, caller, &job.id, None)
        .await
        .expect("in time");
    let confirm = Confirm {
        job_id: job.id,
        token,
        dry_run: false,
        request_id: None,
    };
    let refused = publishing::confirm(domain, caller, confirm)
        .await
        .expect_err("no more");
    assert_eq!(refused.reason(), Some(Reason::JobState));
    assert!(refused.to_string().contains("was cancelled"), "{refused}");
}

#[tokio::test]
async fn a_change_of_mode_takes_every_schedule_back() {
    let desk = Desk::open().await;
    let job = desk.scheduled("Of another mode", HOUR).await;
    let set = SetMode {
        id: desk.account.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
    };
    let (_, cancelled) = accounts::set_mode(&desk.world.domain, &desk.world.caller, set)
        .await
        .expect("changes");
    assert_eq!(cancelled, [job.id]);
}

#[tokio::test]
async fn a_listing_edited_meanwhile_is_not_published() {
    let desk = Desk::open().await;
    let job = desk.scheduled("Before", HOUR).await;
    let update = Update {
        id: job.listing_id.clone(),
        listing: ListingInput {
            title: "After".to_owned(),
            ..ListingInput::default()
        },
        ..Update::default()
    };
    listings::update(&desk.world.domain, &desk.world.caller, update)
        .await
        .expect("a scheduled listing can be edited");
    desk.world.clock.advance(HOUR);
    assert!(desk.next().await.is_none());
    let failed = desk.get(&job.id).await;
    assert_eq!(
        (failed.state, failed.reason),
        (State::Failed, Some(Reason::ConfirmationStale))
    );
}

#[tokio::test]
async fn on_a_paused_account_it_waits_and_the_lateness_decides() {
    for (paused_for, expected) in [
        (30 * MINUTE, State::Published),
        (2 * HOUR, State::AwaitingConfirmation),
    ] {
        let desk = Desk::open().await;
        let job = desk.scheduled("Paused", HOUR).await;
        desk.sql("UPDATE accounts SET state = 'PAUSED', pause_reason = 'CHALLENGE_CAPTCHA'")
            .await;
        desk.world.clock.advance(HOUR);
        assert!(desk.next().await.is_none());
        let waits = desk.get(&job.id).await;
        assert_eq!(
            (waits.state, waits.wait_reason),
            (State::Scheduled, Some(WaitReason::AccountPaused))
        );
        desk.world.clock.advance(paused_for);
        accounts::resume(&desk.world.domain, &desk.world.caller, &desk.account.id, None)
            .await
            .expect("resumes");
        match expected {
            State::Published => desk.publish_due(&job.id, "1").await,
            _ => desk.prepare_due(&job.id).await,
        }
        assert_eq!(desk.get(&job.id).await.state, expected);
    }
}

#[tokio::test]
async fn where_a_person_confirms_every_write_it_is_prepared_then_and_waits_for_them() {
    let desk = Desk::open().await;
    let job = desk.scheduled("By hand", HOUR).await;
    desk.sql("UPDATE accounts SET mode = 'MANUAL'").await;
    desk.world.clock.advance(HOUR);
    desk.prepare_due(&job.id).await;
    let asks = desk.get(&job.id).await;
    assert_eq!(
        (asks.state, asks.reason, asks.prepare_number),
        (State::AwaitingConfirmation, None, 2)
    );
    assert_eq!(asks.revision_hash, job.revision_hash, "what was approved");
    assert!(asks.confirm_expire_time > job.schedule_time);
}

#[tokio::test]
async fn a_worker_that_dies_at_the_time_leaves_a_job_that_another_publishes() {
    let desk = Desk::open().await;
    let job = desk.scheduled("Of two workers", HOUR).await;
    desk.world.clock.advance(HOUR);
    let (_lost, plan) = desk.next().await.expect("is due");
    assert!(matches!(plan, Plan::Publish(_)));
    assert_eq!(desk.get(&job.id).await.state, State::Confirmed);
    desk.world.clock.advance(desk.world.domain.settings.lease_ms + 1);
    desk.publish_due(&job.id, "1").await;
}

/// Blocked at its time, dealt with, resumed and retried: it goes on with what was approved, unless it is too late for that.
#[tokio::test]
async fn a_blocked_schedule_goes_on_after_a_retry_while_it_is_not_too_late() {
    for (blocked_for, expected) in [
        (10 * MINUTE, State::Published),
        (2 * HOUR, State::AwaitingConfirmation),
    ] {
        let desk = Desk::open().await;
        let job = desk.scheduled("Blocked", HOUR).await;
        desk.world.clock.advance(HOUR);
        block(&desk, &job.id).await;
        desk.world.clock.advance(blocked_for);
        retry(&desk, &job.id).await;
        match expected {
            State::Published => desk.publish_due(&job.id, "1").await,
            _ => desk.prepare_due(&job.id).await,
        }
        let job_now = desk.get(&job.id).await;
        assert_eq!(
            (job_now.state, &job_now.revision_hash),
            (expected, &job.revision_hash)
        );
    }
}

#[tokio::test]
async fn a_job_that_is_blocked_while_it_is_prepared_is_prepared_again_after_a_retry() {
    let desk = Desk::open().await;
    let listing_id = desk.listing("Blocked early").await;
    let job = desk.try_prepare(&listing_id, None).await.expect("is queued");
    block(&desk, &job.id).await;
    retry(&desk, &job.id).await;
    desk.prepare_due(&job.id).await;
    let asks = desk.get(&job.id).await;
    assert_eq!(
        (asks.state, asks.revision_hash),
        (State::AwaitingConfirmation, job.revision_hash)
    );
}

/// The job that is due meets a captcha.
async fn block(desk: &Desk, job_id: &str) {
    let (claim, plan) = desk.next().await.expect("is due");
    let (Plan::Publish(work) | Plan::Prepare(work)) = plan else {
        panic!("{plan:?}")
    };
    let next = Next::Blocked {
        reason: Reason::ChallengeCaptcha,
        message: "a captcha".to_owned(),
        account: AccountFollows::Paused,
    };
    desk.conclude(&claim, &work, next).await;
    let blocked = desk.get(job_id).await;
    assert_eq!((blocked.state, blocked.needs_manual), (State::Blocked, true));
}

/// The person has dealt with it in their own browser.
async fn retry(desk: &Desk, job_id: &str) {
    let (domain, caller) = (&desk.world.domain, &desk.world.caller);
    let early = publishing::retry(domain, caller, job_id, None).await;
    assert_eq!(reason(early), Some(Reason::AccountPaused));
    accounts::resume(domain, caller, &desk.account.id, None)
        .await
        .expect("resumes");
    publishing::retry(domain, caller, job_id, None)
        .await
        .expect("goes on");
}
