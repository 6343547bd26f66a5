//! Replies: effects of modes, pauses, lost claims and answers of a person.

use sea_orm::EntityTrait;
use vintedbot_domain::Reason;
use vintedbot_domain::accounts::{self, Mode, SetMode};
use vintedbot_domain::events::Kind;
use vintedbot_domain::identity::Caller;
use vintedbot_domain::inbox::replies::intent::IntentDenied;
use vintedbot_domain::inbox::replies::outcome::{self, FollowUp};
use vintedbot_domain::inbox::replies::reconcile::{self, Decision};
use vintedbot_domain::inbox::replies::{self, Filter, Resolution};
use vintedbot_domain::inbox::{Reply, ReplyState};
use vintedbot_domain::media;
use vintedbot_domain::store::entities::effects;
use vintedbot_marketplace::challenge::AccountAction;
use vintedbot_marketplace::{Conversation, Counterparty, Entry, EntryContent};

use super::conversations::touch;
use super::reply_fixture::{ReplyFixture, to_send};
use super::support::{START, page, reason, request_id, violated};

#[tokio::test]
async fn reply_can_have_photos_and_no_text() {
    let fixture = ReplyFixture::open().await;
    let (one, two) = (fixture.world.photo(1).await, fixture.world.photo(2).await);
    let send = to_send(&fixture.thread_id, "", &[&two.id, &one.id]);
    let reply = fixture.try_send(send).await.expect("is queued");
    assert_eq!(reply.photo_ids, [two.id, one.id]);
    fixture.world.clock.advance(10_000);
    let (_, work) = fixture.next_to_send().await;
    assert_eq!(work.photo_sha256s.len(), 2);
}

#[tokio::test]
async fn reply_with_a_deleted_photo_is_never_sent() {
    let fixture = ReplyFixture::open().await;
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    let (one, two) = (fixture.world.photo(1).await, fixture.world.photo(2).await);
    let send = to_send(&fixture.thread_id, "Look", &[&one.id, &two.id]);
    let reply = fixture.try_send(send).await.expect("is queued");
    media::delete(context, caller, &two.id, None)
        .await
        .expect("is deleted");
    fixture.world.clock.advance(10_000);
    assert!(fixture.next().await.is_none(), "nothing to send");
    let failed = fixture.get(&reply.id).await;
    assert_eq!(
        (failed.state, failed.reason, failed.attempts),
        (ReplyState::Failed, Some(Reason::NotFound), 0)
    );
    fixture.retry(&reply.id).await.expect("is queued again");
    fixture.world.clock.advance(10_000);
    assert!(fixture.next().await.is_none(), "nothing to send");
    assert_eq!(fixture.get(&reply.id).await.state, ReplyState::Failed);
}

#[tokio::test]
async fn repeated_request_makes_one_reply_and_clears_the_draft() {
    let fixture = ReplyFixture::open().await;
    touch(&fixture.world, &fixture.thread_id, |row| {
        row.draft_text = Some("Yes".into())
    })
    .await;
    let send = replies::Send {
        clear_draft: true,
        request_id: request_id(),
        ..to_send(&fixture.thread_id, "Yes", &[])
    };
    let first = fixture.try_send(send.clone()).await.expect("is queued");
    assert_eq!(fixture.try_send(send.clone()).await.expect("again").id, first.id);
    let other = replies::Send {
        text: "No".into(),
        ..send
    };
    assert_eq!(
        reason(fixture.try_send(other).await),
        Some(Reason::RequestIdReused)
    );
    assert_eq!(fixture.all().await.len(), 1);
    let events = fixture.world.events().await;
    let saved = events.iter().filter(|event| event.kind == Kind::ThreadDraftSaved);
    assert_eq!(saved.count(), 1);
    // The same text without the same request id is a second reply.
    fixture.send("Yes").await;
    assert_eq!(fixture.all().await.len(), 2);
}

#[tokio::test]
async fn manual_mode_reply_awaits_confirmation() {
    let fixture = ReplyFixture::open().await;
    let before = fixture.send("Sent in another mode").await;
    fixture.sql("UPDATE accounts SET mode = 'MANUAL'").await;
    assert_eq!(fixture.send("Yes").await.state, ReplyState::AwaitingConfirmation);
    // A reply that was queued without a confirmation gets no intent either.
    fixture.world.clock.advance(10_000);
    let (claim, work) = fixture.next_to_send().await;
    assert!(work.reply_id == before.id && work.manual);
    assert_eq!(
        fixture.intend(&claim, &work).await.expect_err("no consent"),
        IntentDenied::Changed
    );
    assert_eq!(fixture.get(&before.id).await.attempts, 0);
}

#[tokio::test]
async fn reply_can_be_cancelled_until_its_intent() {
    let fixture = ReplyFixture::open().await;
    let queued = fixture.send("One").await;
    let (waiting, token) = fixture.manual("Two").await;
    for id in [&queued.id, &waiting.id] {
        let taken = fixture.cancel(id).await.expect("is cancelled");
        assert_eq!(
            (taken.state, taken.reason),
            (ReplyState::Cancelled, Some(Reason::CancelledByPerson))
        );
        assert!(fixture.cancel(id).await.is_ok(), "it is");
    }
    assert!(fixture.confirm(&waiting.id, &token, false).await.is_err());
    let theirs = replies::cancel(
        &fixture.world.context,
        &fixture.world.stranger().await,
        &queued.id,
        None,
    )
    .await;
    assert_eq!(reason(theirs), Some(Reason::NotFound));

    // The text is refused between the worker's reading and its intent. The intent is denied.
    let reply = fixture.send("Three").await;
    fixture.world.clock.advance(10_000);
    let (claim, work) = fixture.next_to_send().await;
    fixture.cancel(&reply.id).await.expect("is cancelled");
    assert_eq!(
        fixture.intend(&claim, &work).await.expect_err("cancelled"),
        IntentDenied::Changed
    );
    fixture.conclude(&claim, FollowUp::NoChange).await;

    let reply = fixture.send("Four").await;
    fixture.world.clock.advance(10_000);
    let (claim, work) = fixture.next_to_send().await;
    let intent = fixture
        .intend(&claim, &work)
        .await
        .expect("the intent is committed");
    assert_eq!(
        reason(fixture.cancel(&reply.id).await),
        Some(Reason::NotCancellable)
    );
    outcome::unconfirmed(&fixture.world.context, &intent.effect_id, false, "cut")
        .await
        .expect("is noted");
    assert_eq!(
        reason(fixture.cancel(&reply.id).await),
        Some(Reason::NotCancellable)
    );
    outcome::delivered(&fixture.world.context, &intent.effect_id, None, "read")
        .await
        .expect("is settled");
    assert_eq!(
        reason(fixture.cancel(&reply.id).await),
        Some(Reason::NotCancellable)
    );
}

#[tokio::test]
async fn reply_with_refused_text_is_never_resent() {
    let fixture = ReplyFixture::open().await;
    let failed = async |text: &str, reason: Reason| {
        let reply = fixture.send(text).await;
        fixture.world.clock.advance(10_000);
        let (claim, _) = fixture.next_to_send().await;
        let message = "in the site's words".to_owned();
        fixture
            .conclude(&claim, FollowUp::Failed { reason, message })
            .await;
        let reply = fixture.get(&reply.id).await;
        assert_eq!((reply.state, reply.reason), (ReplyState::Failed, Some(reason)));
        reply
    };
    let refused = failed("Call me at 06", Reason::SiteRefused).await;
    assert_eq!(
        reason(fixture.retry(&refused.id).await),
        Some(Reason::ReplyStateInvalid)
    );
    let unlucky = failed("Yes", Reason::SiteUnavailable).await;
    assert_eq!(
        reason(fixture.cancel(&unlucky.id).await),
        Some(Reason::ReplyStateInvalid)
    );
    let again = fixture.retry(&unlucky.id).await.expect("is queued");
    assert_eq!((again.state, again.reason), (ReplyState::Queued, None));
    assert_eq!(
        reason(fixture.retry(&unlucky.id).await),
        Some(Reason::ReplyStateInvalid)
    );
    assert_eq!(fixture.next_to_send().await.1.reply_id, unlucky.id);

    let unlucky = {
        fixture.cancel(&unlucky.id).await.expect("is cancelled");
        failed("No", Reason::SiteUnavailable).await
    };
    fixture.sql("UPDATE accounts SET mode = 'MANUAL'").await;
    let again = fixture.retry(&unlucky.id).await.expect("waits");
    assert_eq!(again.state, ReplyState::AwaitingConfirmation);
    let token = fixture.token(&again.id).await;
    fixture
        .confirm(&again.id, &token, false)
        .await
        .expect("is confirmed");
    // The reply keeps this confirmation when it is retried, and the earlier token is void.
    let (claim, _) = fixture.next_to_send().await;
    let message = "again".to_owned();
    let next = FollowUp::Failed {
        reason: Reason::SiteUnavailable,
        message,
    };
    fixture.conclude(&claim, next).await;
    assert_eq!(
        fixture.retry(&again.id).await.expect("is queued").state,
        ReplyState::Queued
    );
}

#[tokio::test]
async fn challenged_reply_is_blocked_until_resume_and_retry() {
    let fixture = ReplyFixture::open().await;
    let reply = fixture.send("Yes").await;
    let waiting = fixture.send("And this").await;
    fixture.world.clock.advance(10_000);
    let (claim, _) = fixture.next_to_send().await;
    let blocked = FollowUp::Blocked {
        reason: Reason::ChallengeCaptcha,
        message: "a captcha".into(),
        account: AccountAction::Pause,
    };
    fixture.conclude(&claim, blocked).await;
    let now = fixture.get(&reply.id).await;
    assert!(now.state == ReplyState::Blocked && now.requires_action);
    assert_eq!(
        reason(fixture.retry(&reply.id).await),
        Some(Reason::AccountPaused)
    );
    assert_eq!(
        reason(fixture.try_send(to_send(&fixture.thread_id, "x", &[])).await),
        Some(Reason::AccountPaused)
    );
    assert!(
        fixture.next().await.is_none(),
        "nothing is sent by a paused account"
    );
    accounts::resume(
        &fixture.world.context,
        &fixture.world.caller,
        &fixture.account.id,
        None,
    )
    .await
    .expect("continues");
    assert_eq!(fixture.next_to_send().await.1.reply_id, waiting.id);
    fixture.retry(&reply.id).await.expect("is queued");
}

#[tokio::test]
async fn attempt_without_its_claim_sends_and_writes_nothing() {
    let fixture = ReplyFixture::open().await;
    let reply = fixture.send("Yes").await;
    fixture.world.clock.advance(10_000);
    let (claim, work) = fixture.next_to_send().await;
    fixture.world.clock.advance(31_000);
    let (second, work_) = fixture.next_to_send().await;
    assert_eq!(
        fixture.intend(&claim, &work).await.expect_err("was lost"),
        IntentDenied::ClaimLost
    );
    let failed = FollowUp::Failed {
        reason: Reason::SiteUnavailable,
        message: String::new(),
    };
    fixture.conclude(&claim, failed).await;
    assert_eq!(fixture.get(&reply.id).await.state, ReplyState::Queued);
    fixture
        .intend(&second, &work_)
        .await
        .expect("the intent is committed");
}

/// Returns a reply past its intent that asks the person.
async fn asking(fixture: &ReplyFixture, text: &str) -> Reply {
    let reply = fixture.send(text).await;
    fixture.world.clock.advance(10_000);
    let (claim, work) = fixture.next_to_send().await;
    let intent = fixture
        .intend(&claim, &work)
        .await
        .expect("the intent is committed");
    outcome::unconfirmed(&fixture.world.context, &intent.effect_id, false, "cut")
        .await
        .expect("is noted");
    let ask = FollowUp::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look".into(),
    };
    fixture.conclude(&claim, ask).await;
    fixture.get(&reply.id).await
}

async fn resolve(
    fixture: &ReplyFixture,
    caller: &Caller,
    id: &str,
    as_: Resolution,
) -> vintedbot_domain::Result<Reply> {
    replies::resolve(&fixture.world.context, caller, id, as_, None).await
}

#[tokio::test]
async fn person_resolves_an_unconfirmed_reply() {
    let fixture = ReplyFixture::open().await;
    let me = &fixture.world.caller;
    let quiet = fixture.send("later").await;
    assert_eq!(
        reason(resolve(&fixture, me, &quiet.id, Resolution::NotSent).await),
        Some(Reason::ReplyStateInvalid)
    );
    fixture.cancel(&quiet.id).await.expect("is cancelled");
    let reply = asking(&fixture, "Yes").await;
    assert!(reply.state == ReplyState::Unconfirmed && reply.requires_action);
    let theirs = resolve(
        &fixture,
        &fixture.world.stranger().await,
        &reply.id,
        Resolution::NotSent,
    )
    .await;
    assert_eq!(reason(theirs), Some(Reason::NotFound));
    let unknown = Resolution::Sent {
        message_id: Some(fixture.world.context.ids.id()),
    };
    assert_eq!(
        violated(resolve(&fixture, me, &reply.id, unknown).await),
        ["sent.message_id"]
    );
    let failed = resolve(&fixture, me, &reply.id, Resolution::NotSent)
        .await
        .expect("is settled");
    assert!(failed.state == ReplyState::Failed && !failed.requires_action);
    // A reply that the person resolved as not sent may be sent again when the person retries it.
    fixture.retry(&reply.id).await.expect("is queued");
    fixture.cancel(&reply.id).await.expect("is cancelled");

    let reply = asking(&fixture, "Really").await;
    let sent = Resolution::Sent { message_id: None };
    let sent = resolve(&fixture, me, &reply.id, sent).await.expect("is settled");
    assert_eq!(sent.state, ReplyState::Sent);
    assert_eq!(
        reason(resolve(&fixture, me, &reply.id, Resolution::NotSent).await),
        Some(Reason::ReplyStateInvalid)
    );
    // Its job ends as well.
    assert!(fixture.next().await.is_none());
    assert_eq!(fixture.open_work().await, 0);
}

#[tokio::test]
async fn mode_change_cancels_unsent_replies() {
    let fixture = ReplyFixture::open().await;
    let (queued, asks) = (fixture.send("Yes").await, fixture.manual("No").await.0);
    let set = SetMode {
        id: fixture.account.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
        second_account_acknowledged: false,
    };
    accounts::set_mode(&fixture.world.context, &fixture.world.caller, set)
        .await
        .expect("is set");
    for id in [&queued.id, &asks.id] {
        let now = fixture.get(id).await;
        assert_eq!(
            (now.state, now.reason),
            (ReplyState::Cancelled, Some(Reason::ModeChanged))
        );
        assert_eq!(reason(fixture.retry(id).await), Some(Reason::ReplyStateInvalid));
    }
    let another_site = fixture.try_send(to_send(&fixture.thread_id, "x", &[])).await;
    assert_eq!(reason(another_site), Some(Reason::ModeChanged));
}

#[tokio::test]
async fn replies_are_listed_newest_first_by_thread_and_state() {
    let fixture = ReplyFixture::open().await;
    let first = fixture.send("One").await;
    fixture.world.clock.advance(1);
    let second = fixture.send("Two").await;
    fixture.cancel(&first.id).await.expect("is cancelled");
    let ids: Vec<_> = fixture.all().await.into_iter().map(|reply| reply.id).collect();
    assert_eq!(ids, [second.id.clone(), first.id]);
    let queued = Filter {
        thread_id: fixture.thread_id.clone(),
        states: vec![ReplyState::Queued],
    };
    let listed = replies::list(
        &fixture.world.context,
        &fixture.world.caller,
        &queued,
        &page(10, ""),
    )
    .await
    .expect("lists");
    assert_eq!(
        listed.items.iter().map(|reply| &reply.id).collect::<Vec<_>>(),
        [&second.id]
    );
}

#[tokio::test]
async fn equal_texts_sent_on_purpose_are_two_messages() {
    let fixture = ReplyFixture::open().await;
    let context = &fixture.world.context;
    let mut seen = Vec::new();
    // The second send begins from a reading that does not show the first message yet.
    for remote_id in ["1", "2"] {
        let reply = fixture.send("ok").await;
        fixture.world.clock.advance(10_000);
        let (claim, work) = fixture.next_to_send().await;
        let intent = fixture
            .intend(&claim, &work)
            .await
            .expect("the intent is committed");
        outcome::unconfirmed(context, &intent.effect_id, false, "cut")
            .await
            .expect("is noted");
        let effect = effects::Entity::find_by_id(&intent.effect_id)
            .one(context.store.reader())
            .await;
        let effect = effect.expect("the effects").expect("is there");
        let claimed = reconcile::claimed(context, &work).await.expect("the effects");
        let both = conversation_of_mine(&["1", "2"], "ok");
        let decision = reconcile::decide(&effect, &work, &claimed, &both, effect.intent_time);
        let sent = Decision::Sent {
            remote_id: remote_id.to_owned(),
        };
        assert_eq!(decision, sent);
        outcome::delivered(context, &intent.effect_id, Some(remote_id), "read")
            .await
            .expect("is settled");
        fixture.conclude(&claim, FollowUp::NoChange).await;
        assert_eq!(fixture.get(&reply.id).await.state, ReplyState::Sent);
        seen.push(reply.id);
    }
    assert_ne!(seen[0], seen[1]);
}

/// Returns a conversation in which the account wrote the same text in each of these messages.
fn conversation_of_mine(ids: &[&str], text: &str) -> Conversation {
    let entry = |id: &&str| Entry {
        remote_id: Some((*id).to_owned()),
        member_id: Some("100".to_owned()),
        time: Some(START),
        content: EntryContent::Message {
            body: text.to_owned(),
            photo_urls: Vec::new(),
        },
        hidden: false,
    };
    Conversation {
        id: "9".to_owned(),
        person: Some(Counterparty {
            member_id: "200".to_owned(),
            login: "buyer".to_owned(),
            is_system: false,
        }),
        subtitle: String::new(),
        unread: false,
        reply_allowed: true,
        read_by_account: true,
        read_by_person: true,
        transaction: None,
        entries: ids.iter().map(entry).collect(),
    }
}
