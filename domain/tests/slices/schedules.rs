//! Scheduled publish jobs: a day of them, and every event between the confirmation and the due time.

use vintedbot_domain::Reason;
use vintedbot_domain::accounts::Mode;
use vintedbot_domain::accounts::{self, SetMode};
use vintedbot_domain::events::Kind;
use vintedbot_domain::listings::{self, ListingInput, ListingState, Update};
use vintedbot_domain::publishing::attempt::Plan;
use vintedbot_domain::publishing::outcome::FollowUp;
use vintedbot_domain::publishing::{self, Confirm, LocalTime, Schedule, State, WaitReason, When};
use vintedbot_marketplace::challenge::AccountAction;

use super::fixture::Fixture;
use super::support::{START, reason, request_id, violated};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

async fn listing_state(fixture: &Fixture, id: &str) -> ListingState {
    let listing = listings::get(&fixture.world.context, &fixture.world.caller, id).await;
    listing.expect("is there").state
}

#[tokio::test]
async fn scheduled_jobs_of_a_day_are_published_on_time() {
    let fixture = Fixture::open()
        .await
        .with(|settings| settings.confirm_token_ms = DAY);
    let mut scheduled = Vec::new();
    for hour in 1..=24 {
        let job = fixture.scheduled(&format!("Sweat {hour}"), hour * HOUR).await;
        assert_eq!(
            (job.state, job.wait_reason),
            (State::Scheduled, Some(WaitReason::Schedule))
        );
        assert_eq!(job.wait_until, job.schedule_time);
        scheduled.push(job);
    }
    let mut published = 0;
    // Looks every ten minutes, as the sweeper would.
    while fixture.world.context.clock.now() < START + 25 * HOUR {
        fixture.world.clock.advance(10 * MINUTE);
        while let Some((claim, plan)) = fixture.next().await {
            let Plan::Publish(work) = plan else {
                panic!("{plan:?}")
            };
            let due = &scheduled[published];
            assert_eq!(work.job_id, due.id, "in their order");
            let late = fixture.world.context.clock.now() - due.schedule_time.expect("a time");
            assert!((0..10 * MINUTE).contains(&late), "{late} ms late");
            assert_eq!(
                listing_state(&fixture, &due.listing_id).await,
                ListingState::Publishing
            );
            published += 1;
            fixture
                .publish(&claim, &work, &format!("{}", 1000 + published))
                .await;
        }
    }
    assert_eq!(published, 24);
    for job in scheduled {
        assert_eq!(fixture.get(&job.id).await.state, State::Published);
    }
}

#[tokio::test]
async fn two_jobs_of_one_minute_are_published_a_minute_apart() {
    let fixture = Fixture::open().await;
    let first = fixture.scheduled("One", HOUR).await;
    let second = fixture.scheduled("Two", HOUR).await;
    fixture.world.clock.advance(HOUR);
    let (claim, Plan::Publish(work)) = fixture.next().await.expect("one is due") else {
        panic!("to be published")
    };
    let (now, later) = if work.job_id == first.id {
        (first, second)
    } else {
        (second, first)
    };
    fixture.publish(&claim, &work, "1").await;
    assert_eq!(fixture.get(&now.id).await.state, State::Published);
    fixture.world.clock.advance(MINUTE);
    fixture.publish_due(&later.id, "2").await;
}

#[tokio::test]
async fn scheduled_confirmation_does_not_block_other_jobs() {
    let fixture = Fixture::open().await;
    let (other, other_token) = fixture.prepared("At once").await;
    let (job, token) = fixture.prepared("Later").await;
    let at = START + HOUR;
    let schedule = Schedule {
        job_id: job.id.clone(),
        token: token.clone(),
        when: When::At(at),
        request_id: request_id(),
    };
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    let first = publishing::schedule(context, caller, schedule.clone()).await;
    assert_eq!(first.expect("is scheduled").schedule_time, Some(at));
    let again = publishing::schedule(context, caller, schedule.clone()).await;
    assert_eq!(again.expect("the same answer").id, job.id);
    let again = Schedule {
        request_id: request_id(),
        ..schedule
    };
    let refused = publishing::schedule(context, caller, again).await;
    assert_eq!(reason(refused), Some(Reason::ConfirmationUsed));
    let confirm = |job_id: &str, token: &str| Confirm {
        job_id: job_id.to_owned(),
        token: token.to_owned(),
        dry_run: false,
        request_id: None,
    };
    let used = publishing::confirm(context, caller, confirm(&job.id, &token)).await;
    assert_eq!(reason(used), Some(Reason::ConfirmationUsed));
    publishing::confirm(context, caller, confirm(&other.id, &other_token))
        .await
        .expect("its minute is not used up");
    let kinds: Vec<Kind> = fixture
        .world
        .events()
        .await
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert!(kinds.contains(&Kind::PublishJobScheduled), "{kinds:?}");
}

#[tokio::test]
async fn out_of_range_time_is_refused_and_keeps_the_token() {
    let fixture = Fixture::open().await;
    let (job, token) = fixture.prepared("Later").await;
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
        let refused = fixture.try_schedule(&job.id, &token, when).await;
        assert_eq!(violated(refused), [field]);
    }
    let refused = fixture
        .try_schedule(&job.id, "forged", When::At(START + HOUR))
        .await;
    assert_eq!(reason(refused), Some(Reason::ConfirmationInvalid));
    // 2025-11-21, when Paris is one hour ahead of UTC.
    let job = fixture
        .try_schedule(&job.id, &token, local("2025-11-22T18:30"))
        .await;
    assert_eq!(job.expect("is scheduled").schedule_time, Some(1_763_832_600_000));
}

#[tokio::test]
async fn schedule_past_its_lateness_asks_again() {
    let fixture = Fixture::open().await;
    let job = fixture.scheduled("Late", HOUR).await;
    let first_token = fixture.get(&job.id).await.confirm_time;
    assert!(first_token.is_some());
    // The machine is off for a night.
    fixture.world.clock.advance(3 * HOUR);
    fixture.prepare_due(&job.id).await;
    let asks = fixture.get(&job.id).await;
    assert_eq!(asks.state, State::AwaitingConfirmation);
    assert_eq!(asks.reason, Some(Reason::ScheduleMissed));
    assert_eq!((asks.prepare_number, asks.confirm_time), (2, None));
    assert_eq!(
        listing_state(&fixture, &job.listing_id).await,
        ListingState::Draft
    );
    let token = fixture.token(&job.id).await;
    let confirm = Confirm {
        job_id: job.id.clone(),
        token,
        dry_run: false,
        request_id: None,
    };
    publishing::confirm(&fixture.world.context, &fixture.world.caller, confirm)
        .await
        .expect("the new yes counts");
    let confirmed = fixture.get(&job.id).await;
    assert_eq!((confirmed.reason, confirmed.schedule_time), (None, None));
    fixture.publish_due(&job.id, "1").await;
}

#[tokio::test]
async fn slightly_late_schedule_is_published() {
    let fixture = Fixture::open().await;
    let job = fixture.scheduled("Late", HOUR).await;
    fixture.world.clock.advance(2 * HOUR);
    fixture.publish_due(&job.id, "1").await;
}

#[tokio::test]
async fn cancelled_schedule_is_never_published() {
    let fixture = Fixture::open().await;
    let job = fixture.scheduled("Not at all", HOUR).await;
    let cancelled = publishing::cancel(&fixture.world.context, &fixture.world.caller, &job.id, None).await;
    assert_eq!(cancelled.expect("in time").state, State::Cancelled);
    fixture.world.clock.advance(2 * HOUR);
    assert!(fixture.next().await.is_none());
    assert_eq!(fixture.get(&job.id).await.state, State::Cancelled);
}

#[tokio::test]
async fn confirming_a_cancelled_schedule_is_refused() {
    let fixture = Fixture::open().await;
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    let (job, token) = fixture.prepared("Taken back").await;
    let at = When::At(context.clock.now() + HOUR);
    fixture
        .try_schedule(&job.id, &token, at)
        .await
        .expect("is scheduled");
    publishing::cancel(context, caller, &job.id, None)
        .await
        .expect("in time");
    let confirm = Confirm {
        job_id: job.id,
        token,
        dry_run: false,
        request_id: None,
    };
    let refused = publishing::confirm(context, caller, confirm)
        .await
        .expect_err("no more");
    assert_eq!(refused.reason(), Some(Reason::JobStateInvalid));
    assert!(refused.to_string().contains("was cancelled"), "{refused}");
}

#[tokio::test]
async fn mode_change_cancels_every_schedule() {
    let fixture = Fixture::open().await;
    let job = fixture.scheduled("Of another mode", HOUR).await;
    let set = SetMode {
        id: fixture.account.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
        second_account_acknowledged: false,
    };
    let (_, cancelled) = accounts::set_mode(&fixture.world.context, &fixture.world.caller, set)
        .await
        .expect("changes");
    assert_eq!(cancelled, [job.id]);
}

#[tokio::test]
async fn listing_edited_after_scheduling_is_not_published() {
    let fixture = Fixture::open().await;
    let job = fixture.scheduled("Before", HOUR).await;
    let update = Update {
        id: job.listing_id.clone(),
        listing: ListingInput {
            title: "After".to_owned(),
            ..ListingInput::default()
        },
        ..Update::default()
    };
    listings::update(&fixture.world.context, &fixture.world.caller, update)
        .await
        .expect("a scheduled listing can be edited");
    fixture.world.clock.advance(HOUR);
    assert!(fixture.next().await.is_none());
    let failed = fixture.get(&job.id).await;
    assert_eq!(
        (failed.state, failed.reason),
        (State::Failed, Some(Reason::ConfirmationStale))
    );
}

#[tokio::test]
async fn schedule_on_a_paused_account_waits_up_to_its_lateness() {
    for (paused_for, expected) in [
        (30 * MINUTE, State::Published),
        (2 * HOUR, State::AwaitingConfirmation),
    ] {
        let fixture = Fixture::open().await;
        let job = fixture.scheduled("Paused", HOUR).await;
        fixture
            .sql("UPDATE accounts SET state = 'PAUSED', pause_reason = 'CHALLENGE_CAPTCHA'")
            .await;
        fixture.world.clock.advance(HOUR);
        assert!(fixture.next().await.is_none());
        let waits = fixture.get(&job.id).await;
        assert_eq!(
            (waits.state, waits.wait_reason),
            (State::Scheduled, Some(WaitReason::AccountPaused))
        );
        fixture.world.clock.advance(paused_for);
        accounts::resume(
            &fixture.world.context,
            &fixture.world.caller,
            &fixture.account.id,
            None,
        )
        .await
        .expect("resumes");
        match expected {
            State::Published => fixture.publish_due(&job.id, "1").await,
            _ => fixture.prepare_due(&job.id).await,
        }
        assert_eq!(fixture.get(&job.id).await.state, expected);
    }
}

#[tokio::test]
async fn manual_mode_schedule_prepares_then_awaits_confirmation() {
    let fixture = Fixture::open().await;
    let job = fixture.scheduled("By hand", HOUR).await;
    fixture.sql("UPDATE accounts SET mode = 'MANUAL'").await;
    fixture.world.clock.advance(HOUR);
    fixture.prepare_due(&job.id).await;
    let asks = fixture.get(&job.id).await;
    assert_eq!(
        (asks.state, asks.reason, asks.prepare_number),
        (State::AwaitingConfirmation, None, 2)
    );
    assert_eq!(asks.revision_hash, job.revision_hash, "the approved revision");
    assert!(asks.confirm_expire_time > job.schedule_time);
}

#[tokio::test]
async fn schedule_of_a_dead_worker_is_published_by_another() {
    let fixture = Fixture::open().await;
    let job = fixture.scheduled("Of two workers", HOUR).await;
    fixture.world.clock.advance(HOUR);
    let (_lost, plan) = fixture.next().await.expect("is due");
    assert!(matches!(plan, Plan::Publish(_)));
    assert_eq!(fixture.get(&job.id).await.state, State::Confirmed);
    fixture
        .world
        .clock
        .advance(fixture.world.context.settings.jobs.lease_ms + 1);
    fixture.publish_due(&job.id, "1").await;
}

/// A job that is blocked at its time continues after resume and retry with the approved content, unless it is too late.
#[tokio::test]
async fn blocked_schedule_continues_after_a_timely_retry() {
    for (blocked_for, expected) in [
        (10 * MINUTE, State::Published),
        (2 * HOUR, State::AwaitingConfirmation),
    ] {
        let fixture = Fixture::open().await;
        let job = fixture.scheduled("Blocked", HOUR).await;
        fixture.world.clock.advance(HOUR);
        block(&fixture, &job.id).await;
        fixture.world.clock.advance(blocked_for);
        retry(&fixture, &job.id).await;
        match expected {
            State::Published => fixture.publish_due(&job.id, "1").await,
            _ => fixture.prepare_due(&job.id).await,
        }
        let job_now = fixture.get(&job.id).await;
        assert_eq!(
            (job_now.state, &job_now.revision_hash),
            (expected, &job.revision_hash)
        );
    }
}

#[tokio::test]
async fn job_blocked_in_preparation_is_prepared_again_on_retry() {
    let fixture = Fixture::open().await;
    let listing_id = fixture.listing("Blocked early").await;
    let job = fixture.try_prepare(&listing_id, None).await.expect("is queued");
    block(&fixture, &job.id).await;
    retry(&fixture, &job.id).await;
    fixture.prepare_due(&job.id).await;
    let asks = fixture.get(&job.id).await;
    assert_eq!(
        (asks.state, asks.revision_hash),
        (State::AwaitingConfirmation, job.revision_hash)
    );
}

/// Lets the due job meet a captcha.
async fn block(fixture: &Fixture, job_id: &str) {
    let (claim, plan) = fixture.next().await.expect("is due");
    let (Plan::Publish(work) | Plan::Prepare(work)) = plan else {
        panic!("{plan:?}")
    };
    let next = FollowUp::Blocked {
        reason: Reason::ChallengeCaptcha,
        message: "a captcha".to_owned(),
        account: AccountAction::Pause,
    };
    fixture.conclude(&claim, &work, next).await;
    let blocked = fixture.get(job_id).await;
    assert_eq!((blocked.state, blocked.requires_action), (State::Blocked, true));
}

/// Resumes the account and retries the job, after the person has dealt with the challenge in their own browser.
async fn retry(fixture: &Fixture, job_id: &str) {
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    let early = publishing::retry(context, caller, job_id, None).await;
    assert_eq!(reason(early), Some(Reason::AccountPaused));
    accounts::resume(context, caller, &fixture.account.id, None)
        .await
        .expect("resumes");
    publishing::retry(context, caller, job_id, None)
        .await
        .expect("continues");
}
