//! Replies: repeated calls, and replies of an account whose member has changed.

use sea_orm::{EntityTrait, IntoActiveModel};
use vintedbot_domain::Reason;
use vintedbot_domain::accounts::{self, SessionSlot, SessionState};
use vintedbot_domain::inbox::replies::intent::IntentDenied;
use vintedbot_domain::inbox::replies::outcome::{self, FollowUp};
use vintedbot_domain::inbox::replies::{self, Confirm, Resolution};
use vintedbot_domain::inbox::{Reply, ReplyState};
use vintedbot_domain::store::entities::sessions;
use vintedbot_marketplace::challenge::AccountAction;

use super::reply_fixture::ReplyFixture;
use super::support::{START, reason, request_id};

async fn blocked(fixture: &ReplyFixture) -> Reply {
    let reply = fixture.send("Yes").await;
    fixture.world.clock.advance(10_000);
    let (claim, _) = fixture.next_to_send().await;
    let stopped = FollowUp::Blocked {
        reason: Reason::ChallengeCaptcha,
        message: "a captcha".to_owned(),
        account: AccountAction::Pause,
    };
    fixture.conclude(&claim, stopped).await;
    accounts::resume(
        &fixture.world.context,
        &fixture.world.caller,
        &fixture.account.id,
        None,
    )
    .await
    .expect("continues");
    fixture.get(&reply.id).await
}

#[tokio::test]
async fn confirmation_is_consumed_once_and_repeat_is_idempotent() {
    let fixture = ReplyFixture::open().await;
    let (reply, token) = fixture.manual("Yes").await;
    let confirm = Confirm {
        id: reply.id.clone(),
        token: token.clone(),
        dry_run: false,
        request_id: request_id(),
    };
    for _ in 0..2 {
        let confirmed =
            replies::confirm(&fixture.world.context, &fixture.world.caller, confirm.clone()).await;
        assert_eq!(confirmed.expect("is taken").state, ReplyState::Queued);
    }
    assert_eq!(
        reason(fixture.confirm(&reply.id, &token, false).await),
        Some(Reason::ConfirmationUsed)
    );
    assert_eq!(fixture.open_work().await, 1);
}

#[tokio::test]
async fn retry_and_resolve_repeat_only_with_their_request_ids() {
    let fixture = ReplyFixture::open().await;
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    let reply = blocked(&fixture).await;
    let again = request_id();
    for _ in 0..2 {
        let queued = replies::retry(context, caller, &reply.id, again.clone()).await;
        assert_eq!(queued.expect("is queued").state, ReplyState::Queued);
    }
    assert_eq!(
        reason(replies::retry(context, caller, &reply.id, request_id()).await),
        Some(Reason::ReplyStateInvalid)
    );
    let (claim, work) = fixture.next_to_send().await;
    let intent = fixture
        .intend(&claim, &work)
        .await
        .expect("the intent is committed");
    outcome::unconfirmed(context, &intent.effect_id, false, "cut")
        .await
        .expect("is noted");
    let ask = FollowUp::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look".to_owned(),
    };
    fixture.conclude(&claim, ask).await;
    let answer = request_id();
    for _ in 0..2 {
        let sent = Resolution::Sent { message_id: None };
        let resolved = replies::resolve(context, caller, &reply.id, sent, answer.clone()).await;
        assert_eq!(resolved.expect("is settled").state, ReplyState::Sent);
    }
    let other = replies::resolve(context, caller, &reply.id, Resolution::NotSent, answer).await;
    assert_eq!(reason(other), Some(Reason::RequestIdReused));
}

#[tokio::test]
async fn blocked_reply_can_be_cancelled() {
    let fixture = ReplyFixture::open().await;
    let reply = blocked(&fixture).await;
    assert_eq!(reply.state, ReplyState::Blocked);
    let cancelled = fixture.cancel(&reply.id).await.expect("is cancelled");
    assert!(cancelled.state == ReplyState::Cancelled && !cancelled.requires_action);
    assert_eq!(
        reason(fixture.retry(&reply.id).await),
        Some(Reason::ReplyStateInvalid)
    );
}

#[tokio::test]
async fn cooldown_set_during_an_attempt_stops_the_send() {
    let fixture = ReplyFixture::open().await;
    fixture.send("Yes").await;
    fixture.world.clock.advance(10_000);
    let (claim, work) = fixture.next_to_send().await;
    let until = START + 3_600_000;
    fixture
        .sql(&format!("UPDATE accounts SET cooldown_until = {until}"))
        .await;
    assert_eq!(
        fixture.intend(&claim, &work).await.expect_err("is in a cooldown"),
        IntentDenied::Later(until)
    );
}

#[tokio::test]
async fn reply_written_as_another_member_is_not_sent() {
    let fixture = ReplyFixture::open().await;
    fixture.sql("UPDATE accounts SET member_id = '100'").await;
    let (queued, asks) = (fixture.send("Yes").await, fixture.manual("No").await.0);
    assert!(fixture.world.set_member(&fixture.account.id, "101").await);
    for id in [&queued.id, &asks.id] {
        let now = fixture.get(id).await;
        assert_eq!(
            (now.state, now.reason),
            (ReplyState::Cancelled, Some(Reason::SessionMemberMismatch))
        );
    }
}

#[tokio::test]
async fn deleted_session_cancels_its_unsent_replies() {
    let fixture = ReplyFixture::open().await;
    let session = sessions::Model {
        account_id: fixture.account.id.clone(),
        site: fixture.account.site.clone(),
        slot: SessionSlot::Current,
        workspace_id: fixture.account.workspace_id.clone(),
        state: SessionState::Active,
        generation: 1,
        sealed: String::new(),
        cookie_names: "[]".to_owned(),
        member_id: None,
        member_login: None,
        reason: None,
        message: None,
        import_time: START,
        check_time: None,
        refresh_time: None,
        expire_time: None,
        refresh_started: None,
        refresh_holder: None,
        retried: false,
        job_id: None,
    };
    sessions::Entity::insert(session.into_active_model())
        .exec_without_returning(fixture.world.context.store.writer())
        .await
        .expect("is written");
    let reply = fixture.send("Yes").await;
    accounts::forget_session(
        &fixture.world.context,
        &fixture.world.caller,
        &fixture.account.id,
        None,
    )
    .await
    .expect("is forgotten");
    let now = fixture.get(&reply.id).await;
    assert_eq!(
        (now.state, now.reason),
        (ReplyState::Cancelled, Some(Reason::SessionRequired))
    );
}
