//! Replies: what follows from modes, pauses, lost claims, and from what a person says.

use sea_orm::EntityTrait;
use vintedbot_domain::Reason;
use vintedbot_domain::accounts::{self, Mode, SetMode};
use vintedbot_domain::events::Kind;
use vintedbot_domain::identity::Caller;
use vintedbot_domain::inbox::replies::gate::Shut;
use vintedbot_domain::inbox::replies::outcome::{self, Next};
use vintedbot_domain::inbox::replies::reconcile::{self, Decision};
use vintedbot_domain::inbox::replies::{self, Filter, Resolution};
use vintedbot_domain::inbox::{Reply, ReplyState};
use vintedbot_domain::store::entities::effects;
use vintedbot_marketplace::challenge::AccountFollows;
use vintedbot_marketplace::{Conversation, Entry, EntryContent, Interlocutor};

use super::conversations::touch;
use super::reply_desk::{ReplyDesk, to_send};
use super::support::{START, page, reason, request_id, violated};

#[tokio::test]
async fn photos_go_with_a_reply_and_may_go_alone() {
    let desk = ReplyDesk::open().await;
    let (one, two) = (desk.world.photo(1).await, desk.world.photo(2).await);
    let send = to_send(&desk.thread_id, "", &[&two.id, &one.id]);
    let reply = desk.try_send(send).await.expect("is queued");
    assert_eq!(reply.photo_ids, [two.id, one.id]);
    desk.world.clock.advance(10_000);
    let (_, work) = desk.next_to_send().await;
    assert_eq!(work.photo_sha256s.len(), 2);
}

#[tokio::test]
async fn the_same_request_is_the_same_reply_and_the_draft_goes_with_it() {
    let desk = ReplyDesk::open().await;
    touch(&desk.world, &desk.thread_id, |row| {
        row.draft_text = Some("Yes".into())
    })
    .await;
    let send = replies::Send {
        clear_draft: true,
        request_id: request_id(),
        ..to_send(&desk.thread_id, "Yes", &[])
    };
    let first = desk.try_send(send.clone()).await.expect("is queued");
    assert_eq!(desk.try_send(send.clone()).await.expect("again").id, first.id);
    let other = replies::Send {
        text: "No".into(),
        ..send
    };
    assert_eq!(reason(desk.try_send(other).await), Some(Reason::RequestIdReused));
    assert_eq!(desk.all().await.len(), 1);
    let events = desk.world.events().await;
    let saved = events.iter().filter(|event| event.kind == Kind::ThreadDraftSaved);
    assert_eq!(saved.count(), 1);
    // The same words on purpose, without that, are two.
    desk.send("Yes").await;
    assert_eq!(desk.all().await.len(), 2);
}

#[tokio::test]
async fn in_manual_mode_every_reply_waits_for_a_person() {
    let desk = ReplyDesk::open().await;
    let before = desk.send("Sent in another mode").await;
    desk.sql("UPDATE accounts SET mode = 'MANUAL'").await;
    assert_eq!(desk.send("Yes").await.state, ReplyState::AwaitingConfirmation);
    // One that was queued without a person's yes does not pass the gate either.
    desk.world.clock.advance(10_000);
    let (claim, work) = desk.next_to_send().await;
    assert!(work.reply_id == before.id && work.manual);
    assert_eq!(
        desk.intend(&claim, &work).await.expect_err("no consent"),
        Shut::Changed
    );
    assert_eq!(desk.get(&before.id).await.attempts, 0);
}

#[tokio::test]
async fn a_reply_is_taken_back_until_its_intent() {
    let desk = ReplyDesk::open().await;
    let queued = desk.send("One").await;
    let (waiting, token) = desk.manual("Two").await;
    for id in [&queued.id, &waiting.id] {
        let taken = desk.cancel(id).await.expect("is taken back");
        assert_eq!(
            (taken.state, taken.reason),
            (ReplyState::Cancelled, Some(Reason::CancelledByPerson))
        );
        assert!(desk.cancel(id).await.is_ok(), "it is");
    }
    assert!(desk.confirm(&waiting.id, &token, false).await.is_err());
    let theirs = replies::cancel(&desk.world.domain, &desk.world.stranger().await, &queued.id, None).await;
    assert_eq!(reason(theirs), Some(Reason::NotFound));

    // Between the worker's reading and its intent: the gate stays shut.
    let reply = desk.send("Three").await;
    desk.world.clock.advance(10_000);
    let (claim, work) = desk.next_to_send().await;
    desk.cancel(&reply.id).await.expect("is taken back");
    assert_eq!(
        desk.intend(&claim, &work).await.expect_err("taken back"),
        Shut::Changed
    );
    desk.conclude(&claim, Next::AsItIs).await;

    let reply = desk.send("Four").await;
    desk.world.clock.advance(10_000);
    let (claim, work) = desk.next_to_send().await;
    let intent = desk.intend(&claim, &work).await.expect("is let through");
    assert_eq!(reason(desk.cancel(&reply.id).await), Some(Reason::TooLate));
    outcome::unconfirmed(&desk.world.domain, &intent.effect_id, false, "cut")
        .await
        .expect("is noted");
    assert_eq!(reason(desk.cancel(&reply.id).await), Some(Reason::TooLate));
    outcome::delivered(&desk.world.domain, &intent.effect_id, None, "read")
        .await
        .expect("is settled");
    assert_eq!(reason(desk.cancel(&reply.id).await), Some(Reason::TooLate));
}

#[tokio::test]
async fn a_text_that_the_site_refused_is_not_sent_again_and_others_are_in_the_mode_of_then() {
    let desk = ReplyDesk::open().await;
    let failed = async |text: &str, reason: Reason| {
        let reply = desk.send(text).await;
        desk.world.clock.advance(10_000);
        let (claim, _) = desk.next_to_send().await;
        let message = "in the site's words".to_owned();
        desk.conclude(&claim, Next::Failed { reason, message }).await;
        let reply = desk.get(&reply.id).await;
        assert_eq!((reply.state, reply.reason), (ReplyState::Failed, Some(reason)));
        reply
    };
    let refused = failed("Call me at 06", Reason::SiteRefused).await;
    assert_eq!(reason(desk.retry(&refused.id).await), Some(Reason::ReplyState));
    let unlucky = failed("Yes", Reason::SiteUnavailable).await;
    assert_eq!(reason(desk.cancel(&unlucky.id).await), Some(Reason::ReplyState));
    let again = desk.retry(&unlucky.id).await.expect("is queued");
    assert_eq!((again.state, again.reason), (ReplyState::Queued, None));
    assert_eq!(reason(desk.retry(&unlucky.id).await), Some(Reason::ReplyState));
    assert_eq!(desk.next_to_send().await.1.reply_id, unlucky.id);

    let unlucky = {
        desk.cancel(&unlucky.id).await.expect("is taken back");
        failed("No", Reason::SiteUnavailable).await
    };
    desk.sql("UPDATE accounts SET mode = 'MANUAL'").await;
    let again = desk.retry(&unlucky.id).await.expect("waits");
    assert_eq!(again.state, ReplyState::AwaitingConfirmation);
    let token = desk.token(&again.id).await;
    desk.confirm(&again.id, &token, false)
        .await
        .expect("is confirmed");
    // Its confirmation goes with it from then on, and the token of before is void.
    let (claim, _) = desk.next_to_send().await;
    let message = "again".to_owned();
    let next = Next::Failed {
        reason: Reason::SiteUnavailable,
        message,
    };
    desk.conclude(&claim, next).await;
    assert_eq!(
        desk.retry(&again.id).await.expect("is queued").state,
        ReplyState::Queued
    );
}

#[tokio::test]
async fn a_challenge_blocks_a_reply_until_the_account_is_resumed_and_it_is_asked_for_again() {
    let desk = ReplyDesk::open().await;
    let reply = desk.send("Yes").await;
    let waiting = desk.send("And this").await;
    desk.world.clock.advance(10_000);
    let (claim, _) = desk.next_to_send().await;
    let blocked = Next::Blocked {
        reason: Reason::ChallengeCaptcha,
        message: "a captcha".into(),
        account: AccountFollows::Paused,
    };
    desk.conclude(&claim, blocked).await;
    let now = desk.get(&reply.id).await;
    assert!(now.state == ReplyState::Blocked && now.needs_manual);
    assert_eq!(reason(desk.retry(&reply.id).await), Some(Reason::AccountPaused));
    assert_eq!(
        reason(desk.try_send(to_send(&desk.thread_id, "x", &[])).await),
        Some(Reason::AccountPaused)
    );
    assert!(desk.next().await.is_none(), "nothing is sent by a paused account");
    accounts::resume(&desk.world.domain, &desk.world.caller, &desk.account.id, None)
        .await
        .expect("goes on");
    assert_eq!(desk.next_to_send().await.1.reply_id, waiting.id);
    desk.retry(&reply.id).await.expect("is queued");
}

#[tokio::test]
async fn an_attempt_that_lost_its_claim_sends_and_writes_nothing() {
    let desk = ReplyDesk::open().await;
    let reply = desk.send("Yes").await;
    desk.world.clock.advance(10_000);
    let (claim, work) = desk.next_to_send().await;
    desk.world.clock.advance(31_000);
    let (second, work_) = desk.next_to_send().await;
    assert_eq!(
        desk.intend(&claim, &work).await.expect_err("was lost"),
        Shut::ClaimLost
    );
    let failed = Next::Failed {
        reason: Reason::SiteUnavailable,
        message: String::new(),
    };
    desk.conclude(&claim, failed).await;
    assert_eq!(desk.get(&reply.id).await.state, ReplyState::Queued);
    desk.intend(&second, &work_).await.expect("is let through");
}

/// A reply past its intent that asks.
async fn asking(desk: &ReplyDesk, text: &str) -> Reply {
    let reply = desk.send(text).await;
    desk.world.clock.advance(10_000);
    let (claim, work) = desk.next_to_send().await;
    let intent = desk.intend(&claim, &work).await.expect("is let through");
    outcome::unconfirmed(&desk.world.domain, &intent.effect_id, false, "cut")
        .await
        .expect("is noted");
    let ask = Next::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look".into(),
    };
    desk.conclude(&claim, ask).await;
    desk.get(&reply.id).await
}

async fn resolve(
    desk: &ReplyDesk,
    caller: &Caller,
    id: &str,
    as_: Resolution,
) -> vintedbot_domain::Result<Reply> {
    replies::resolve(&desk.world.domain, caller, id, as_, None).await
}

#[tokio::test]
async fn a_person_says_what_became_of_a_reply_that_asks() {
    let desk = ReplyDesk::open().await;
    let me = &desk.world.caller;
    let quiet = desk.send("later").await;
    assert_eq!(
        reason(resolve(&desk, me, &quiet.id, Resolution::NotSent).await),
        Some(Reason::ReplyState)
    );
    desk.cancel(&quiet.id).await.expect("is taken back");
    let reply = asking(&desk, "Yes").await;
    assert!(reply.state == ReplyState::Unconfirmed && reply.needs_manual);
    let theirs = resolve(
        &desk,
        &desk.world.stranger().await,
        &reply.id,
        Resolution::NotSent,
    )
    .await;
    assert_eq!(reason(theirs), Some(Reason::NotFound));
    let unknown = Resolution::Sent {
        message_id: Some(desk.world.domain.ids.id()),
    };
    assert_eq!(
        violated(resolve(&desk, me, &reply.id, unknown).await),
        ["sent.message_id"]
    );
    let failed = resolve(&desk, me, &reply.id, Resolution::NotSent)
        .await
        .expect("is settled");
    assert!(failed.state == ReplyState::Failed && !failed.needs_manual);
    // What a person says was not sent may be sent again, on their word.
    desk.retry(&reply.id).await.expect("is queued");
    desk.cancel(&reply.id).await.expect("is taken back");

    let reply = asking(&desk, "Really").await;
    let sent = Resolution::Sent { message_id: None };
    let sent = resolve(&desk, me, &reply.id, sent).await.expect("is settled");
    assert_eq!(sent.state, ReplyState::Sent);
    assert_eq!(
        reason(resolve(&desk, me, &reply.id, Resolution::NotSent).await),
        Some(Reason::ReplyState)
    );
    // Its row of work ends as well.
    assert!(desk.next().await.is_none());
    assert_eq!(desk.open_work().await, 0);
}

#[tokio::test]
async fn another_mode_takes_back_what_was_not_sent() {
    let desk = ReplyDesk::open().await;
    let (queued, asks) = (desk.send("Yes").await, desk.manual("No").await.0);
    let set = SetMode {
        id: desk.account.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
    };
    accounts::set_mode(&desk.world.domain, &desk.world.caller, set)
        .await
        .expect("is set");
    for id in [&queued.id, &asks.id] {
        let now = desk.get(id).await;
        assert_eq!(
            (now.state, now.reason),
            (ReplyState::Cancelled, Some(Reason::ModeChanged))
        );
        assert_eq!(reason(desk.retry(id).await), Some(Reason::ReplyState));
    }
    let another_site = desk.try_send(to_send(&desk.thread_id, "x", &[])).await;
    assert_eq!(reason(another_site), Some(Reason::ModeChanged));
}

#[tokio::test]
async fn replies_are_listed_newest_first_by_thread_and_state() {
    let desk = ReplyDesk::open().await;
    let first = desk.send("One").await;
    desk.world.clock.advance(1);
    let second = desk.send("Two").await;
    desk.cancel(&first.id).await.expect("is taken back");
    let ids: Vec<_> = desk.all().await.into_iter().map(|reply| reply.id).collect();
    assert_eq!(ids, [second.id.clone(), first.id]);
    let queued = Filter {
        thread_id: desk.thread_id.clone(),
        states: vec![ReplyState::Queued],
    };
    let listed = replies::list(&desk.world.domain, &desk.world.caller, &queued, &page(10, ""))
        .await
        .expect("lists");
    assert_eq!(
        listed.items.iter().map(|reply| &reply.id).collect::<Vec<_>>(),
        [&second.id]
    );
}

#[tokio::test]
async fn ok_sent_twice_on_purpose_is_two_messages() {
    let desk = ReplyDesk::open().await;
    let domain = &desk.world.domain;
    let mut seen = Vec::new();
    // The second begins from a reading that does not show the first one yet.
    for remote_id in ["1", "2"] {
        let reply = desk.send("ok").await;
        desk.world.clock.advance(10_000);
        let (claim, work) = desk.next_to_send().await;
        let intent = desk.intend(&claim, &work).await.expect("is let through");
        outcome::unconfirmed(domain, &intent.effect_id, false, "cut")
            .await
            .expect("is noted");
        let effect = effects::Entity::find_by_id(&intent.effect_id)
            .one(domain.store.reader())
            .await;
        let effect = effect.expect("the ledger").expect("is there");
        let claimed = reconcile::claimed(domain, &work).await.expect("the ledger");
        let both = conversation_of_mine(&["1", "2"], "ok");
        let decision = reconcile::decide(&effect, &work, &claimed, &both, effect.intent_time);
        let sent = Decision::Sent {
            remote_id: remote_id.to_owned(),
        };
        assert_eq!(decision, sent);
        outcome::delivered(domain, &intent.effect_id, Some(remote_id), "read")
            .await
            .expect("is settled");
        desk.conclude(&claim, Next::AsItIs).await;
        assert_eq!(desk.get(&reply.id).await.state, ReplyState::Sent);
        seen.push(reply.id);
    }
    assert_ne!(seen[0], seen[1]);
}

/// A conversation in which the account wrote the same text as each of these messages.
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
        person: Some(Interlocutor {
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
