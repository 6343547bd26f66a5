//! Replies: the same call again, and what becomes of those whose account is not who it was.

use sea_orm::{EntityTrait, IntoActiveModel};
use vintedbot_domain::Reason;
use vintedbot_domain::accounts::{self, SessionSlot, SessionState};
use vintedbot_domain::inbox::replies::gate::Shut;
use vintedbot_domain::inbox::replies::outcome::{self, Next};
use vintedbot_domain::inbox::replies::{self, Confirm, Resolution};
use vintedbot_domain::inbox::{Reply, ReplyState};
use vintedbot_domain::store::entities::sessions;
use vintedbot_marketplace::challenge::AccountFollows;

use super::reply_desk::ReplyDesk;
use super::support::{START, reason, request_id};

async fn blocked(desk: &ReplyDesk) -> Reply {
    let reply = desk.send("Yes").await;
    desk.world.clock.advance(10_000);
    let (claim, _) = desk.next_to_send().await;
    let stopped = Next::Blocked {
        reason: Reason::ChallengeCaptcha,
        message: "a captcha".to_owned(),
        account: AccountFollows::Paused,
    };
    desk.conclude(&claim, stopped).await;
    accounts::resume(&desk.world.domain, &desk.world.caller, &desk.account.id, None)
        .await
        .expect("goes on");
    desk.get(&reply.id).await
}

#[tokio::test]
async fn a_confirmation_is_used_once_and_the_same_call_again_is_that_use() {
    let desk = ReplyDesk::open().await;
    let (reply, token) = desk.manual("Yes").await;
    let confirm = Confirm {
        id: reply.id.clone(),
        token: token.clone(),
        dry_run: false,
        request_id: request_id(),
    };
    for _ in 0..2 {
        let confirmed = replies::confirm(&desk.world.domain, &desk.world.caller, confirm.clone()).await;
        assert_eq!(confirmed.expect("is taken").state, ReplyState::Queued);
    }
    assert_eq!(
        reason(desk.confirm(&reply.id, &token, false).await),
        Some(Reason::ConfirmationUsed)
    );
    assert_eq!(desk.open_work().await, 1);
}

#[tokio::test]
async fn a_retry_and_an_answer_may_be_repeated_with_their_request_ids_alone() {
    let desk = ReplyDesk::open().await;
    let (domain, caller) = (&desk.world.domain, &desk.world.caller);
    let reply = blocked(&desk).await;
    let again = request_id();
    for _ in 0..2 {
        let queued = replies::retry(domain, caller, &reply.id, again.clone()).await;
        assert_eq!(queued.expect("is queued").state, ReplyState::Queued);
    }
    assert_eq!(
        reason(replies::retry(domain, caller, &reply.id, request_id()).await),
        Some(Reason::ReplyState)
    );
    let (claim, work) = desk.next_to_send().await;
    let intent = desk.intend(&claim, &work).await.expect("is let through");
    outcome::unconfirmed(domain, &intent.effect_id, false, "cut")
        .await
        .expect("is noted");
    let ask = Next::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look".to_owned(),
    };
    desk.conclude(&claim, ask).await;
    let answer = request_id();
    for _ in 0..2 {
        let sent = Resolution::Sent { message_id: None };
        let resolved = replies::resolve(domain, caller, &reply.id, sent, answer.clone()).await;
        assert_eq!(resolved.expect("is settled").state, ReplyState::Sent);
    }
    let other = replies::resolve(domain, caller, &reply.id, Resolution::NotSent, answer).await;
    assert_eq!(reason(other), Some(Reason::RequestIdReused));
}

#[tokio::test]
async fn a_blocked_reply_may_be_taken_back() {
    let desk = ReplyDesk::open().await;
    let reply = blocked(&desk).await;
    assert_eq!(reply.state, ReplyState::Blocked);
    let cancelled = desk.cancel(&reply.id).await.expect("is taken back");
    assert!(cancelled.state == ReplyState::Cancelled && !cancelled.needs_manual);
    assert_eq!(reason(desk.retry(&reply.id).await), Some(Reason::ReplyState));
}

#[tokio::test]
async fn nothing_is_sent_while_the_site_asked_for_quiet_after_the_attempt_began() {
    let desk = ReplyDesk::open().await;
    desk.send("Yes").await;
    desk.world.clock.advance(10_000);
    let (claim, work) = desk.next_to_send().await;
    let until = START + 3_600_000;
    desk.sql(&format!("UPDATE accounts SET quiet_until = {until}"))
        .await;
    assert_eq!(
        desk.intend(&claim, &work).await.expect_err("is quiet"),
        Shut::Later(until)
    );
}

#[tokio::test]
async fn what_was_written_as_another_member_is_not_sent() {
    let desk = ReplyDesk::open().await;
    desk.sql("UPDATE accounts SET member_id = '100'").await;
    let (queued, asks) = (desk.send("Yes").await, desk.manual("No").await.0);
    assert!(desk.world.is_member(&desk.account.id, "101").await);
    for id in [&queued.id, &asks.id] {
        let now = desk.get(id).await;
        assert_eq!(
            (now.state, now.reason),
            (ReplyState::Cancelled, Some(Reason::SessionOtherMember))
        );
    }
}

#[tokio::test]
async fn a_forgotten_session_takes_back_what_was_to_be_sent_with_it() {
    let desk = ReplyDesk::open().await;
    let session = sessions::Model {
        account_id: desk.account.id.clone(),
        site: desk.account.site.clone(),
        slot: SessionSlot::Current,
        owner_id: desk.account.owner_id.clone(),
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
        .exec_without_returning(desk.world.domain.store.writer())
        .await
        .expect("is written");
    let reply = desk.send("Yes").await;
    accounts::forget_session(&desk.world.domain, &desk.world.caller, &desk.account.id, None)
        .await
        .expect("is forgotten");
    let now = desk.get(&reply.id).await;
    assert_eq!(
        (now.state, now.reason),
        (ReplyState::Cancelled, Some(Reason::SessionRequired))
    );
}
