//! Replies: which requests are valid, and which intents are denied.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_domain::accounts::{self, Account, Mode, SetMode};
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::replies::attempt::{self, Plan, Work};
use vintedbot_domain::inbox::replies::intent::{self, IntentDenied};
use vintedbot_domain::inbox::replies::outcome::{self, FollowUp};
use vintedbot_domain::inbox::replies::{self, Confirm, Resolution, Send};
use vintedbot_domain::inbox::{Reply, ReplyState};
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::publishing::EffectState;
use vintedbot_domain::store::entities::{effects, jobs as work_rows, replies as rows};
use vintedbot_domain::{Error, Reason, Result};

use crate::conversations::{ThreadSpec, world_with};
use crate::support::{World, reason, violated};

const WORKER: &str = "worker";

fn text_reply(thread_id: &str, text: &str) -> Send {
    Send {
        thread_id: thread_id.to_owned(),
        text: text.to_owned(),
        photo_ids: Vec::new(),
        manual: false,
        clear_draft: false,
        request_id: None,
    }
}

async fn fixture() -> (World, Account, String) {
    let (world, account, ids) = world_with(&[ThreadSpec {
        messages: 1,
        ..ThreadSpec::default()
    }])
    .await;
    let id = ids[0].clone();
    (world, account, id)
}

async fn send(world: &World, send: Send) -> Result<Reply> {
    replies::send(&world.context, &world.caller, send).await
}

async fn get(world: &World, id: &str) -> Reply {
    replies::get(&world.context, &world.caller, id)
        .await
        .expect("is there")
}

async fn claimed(world: &World, reply_id: &str) -> Option<Claim> {
    let work = work_rows::Entity::find()
        .filter(work_rows::Column::SubjectId.eq(reply_id))
        .filter(work_rows::Column::State.is_in([
            jobs::State::Queued,
            jobs::State::Waiting,
            jobs::State::Running,
        ]))
        .one(world.context.store.reader())
        .await
        .expect("reads")?;
    jobs::claim(&world.context.store, &work.id, WORKER, 60_000)
        .await
        .expect("claims")
}

/// Returns the plan for a reply whose undo window has passed.
async fn planned(world: &World, reply_id: &str) -> (Claim, Plan) {
    let claim = claimed(world, reply_id).await.expect("is due");
    let plan = attempt::begin(&world.context, &claim).await.expect("begins");
    (claim, plan)
}

async fn to_send(world: &World, reply_id: &str) -> (Claim, Work) {
    match planned(world, reply_id).await {
        (claim, Plan::Send(work)) => (claim, work),
        (_, other) => panic!("{other:?}"),
    }
}

async fn intended(world: &World, reply_id: &str) -> (Claim, Work, String) {
    let (claim, work) = to_send(world, reply_id).await;
    let intent = intent::commit(&world.context, &claim, &work, &["1".to_owned()]).await;
    let intent = intent.expect("asks").expect("the intent is committed");
    (claim, work, intent.effect_id)
}

fn pass_undo_window(world: &World) {
    world.clock.advance(world.context.settings.replies.undo_ms);
}

#[tokio::test]
async fn reply_can_be_cancelled_in_its_undo_window() {
    let (world, _, thread_id) = fixture().await;
    let reply = send(&world, text_reply(&thread_id, "  Oui !\n"))
        .await
        .expect("is taken");
    assert_eq!((reply.state, reply.text.as_str()), (ReplyState::Queued, "Oui !"));
    assert!(
        claimed(&world, &reply.id).await.is_none(),
        "it can still be cancelled"
    );
    let cancelled = replies::cancel(&world.context, &world.caller, &reply.id, None)
        .await
        .expect("is cancelled");
    assert_eq!(cancelled.state, ReplyState::Cancelled);
    replies::cancel(&world.context, &world.caller, &reply.id, None)
        .await
        .expect("a second call succeeds");
    pass_undo_window(&world);
    let (_, plan) = planned(&world, &reply.id).await;
    assert!(matches!(plan, Plan::Nothing));
}

#[tokio::test]
async fn invalid_reply_is_refused_and_not_stored() {
    let (world, _, thread_id) = fixture().await;
    for (send_it, field) in [
        (text_reply(&thread_id, &"x".repeat(4_001)), "text"),
        (text_reply(&thread_id, " \n "), "text"),
        (text_reply(&thread_id, "a\u{0}b"), "text"),
        (
            Send {
                photo_ids: vec![world.context.ids.id()],
                ..text_reply(&thread_id, "see")
            },
            "photo_ids[0]",
        ),
        (
            Send {
                photo_ids: vec![String::new(); 6],
                ..text_reply(&thread_id, "see")
            },
            "photo_ids",
        ),
    ] {
        let refused = send(&world, send_it).await;
        assert!(violated(refused).iter().any(|one| one == field), "{field}");
    }
    let other = text_reply(&world.context.ids.id(), "hello");
    assert_eq!(reason(send(&world, other).await), Some(Reason::NotFound));
    let stored = rows::Entity::find()
        .all(world.context.store.reader())
        .await
        .expect("reads");
    assert!(stored.is_empty());
}

#[tokio::test]
async fn confirmation_is_valid_for_one_reply_once_and_in_time() {
    let (world, _, thread_id) = fixture().await;
    let (context, caller) = (&world.context, &world.caller);
    let manual = |text: &str| Send {
        manual: true,
        ..text_reply(&thread_id, text)
    };
    let reply = send(&world, manual("Bonjour")).await.expect("is taken");
    let other = send(&world, manual("Bonsoir")).await.expect("is taken");
    assert_eq!(reply.state, ReplyState::AwaitingConfirmation);
    let token = |id: String| async move {
        let (_, token) = replies::get_with_token(context, caller, &id)
            .await
            .expect("reads");
        token.expect("a token").0
    };
    let confirm = |id: &str, token: &str, dry_run: bool| Confirm {
        id: id.to_owned(),
        token: token.to_owned(),
        dry_run,
        request_id: None,
    };
    let (its, others) = (token(reply.id.clone()).await, token(other.id.clone()).await);
    for (wrong, expected) in [
        ("", Reason::ConfirmationRequired),
        ("nonsense", Reason::ConfirmationInvalid),
        (others.as_str(), Reason::ConfirmationInvalid),
    ] {
        let refused = replies::confirm(context, caller, confirm(&reply.id, wrong, false)).await;
        assert_eq!(reason(refused), Some(expected));
    }
    let dry = replies::confirm(context, caller, confirm(&reply.id, &its, true)).await;
    assert_eq!(dry.expect("is checked").state, ReplyState::AwaitingConfirmation);
    let real = replies::confirm(context, caller, confirm(&reply.id, &its, false)).await;
    assert_eq!(real.expect("is confirmed").state, ReplyState::Queued);
    let again = replies::confirm(context, caller, confirm(&reply.id, &its, false)).await;
    assert_eq!(reason(again), Some(Reason::ConfirmationUsed));
    // A reply that is not confirmed in time is not sent.
    world.clock.advance(context.settings.confirm_token_ms);
    let late = replies::confirm(context, caller, confirm(&other.id, &others, false)).await;
    assert_eq!(reason(late), Some(Reason::ConfirmationExpired));
    let (_, plan) = planned(&world, &other.id).await;
    assert!(matches!(plan, Plan::Nothing));
    let ended = get(&world, &other.id).await;
    assert_eq!(
        (ended.state, ended.reason),
        (ReplyState::Cancelled, Some(Reason::ConfirmationExpired))
    );
}

#[tokio::test]
async fn thread_replies_are_ordered_with_one_open_effect() {
    let (world, _, thread_id) = fixture().await;
    let first = send(&world, text_reply(&thread_id, "one"))
        .await
        .expect("is taken");
    let second = send(&world, text_reply(&thread_id, "two"))
        .await
        .expect("is taken");
    pass_undo_window(&world);
    let (_, plan) = planned(&world, &second.id).await;
    assert!(matches!(plan, Plan::Nothing), "the first one comes first");
    let (claim, _, effect_id) = intended(&world, &first.id).await;
    assert_eq!(get(&world, &first.id).await.state, ReplyState::Sending);
    let late = replies::cancel(&world.context, &world.caller, &first.id, None).await;
    assert_eq!(reason(late), Some(Reason::NotCancellable));
    outcome::delivered(&world.context, &effect_id, Some("2"), "said by the site")
        .await
        .expect("is written");
    outcome::conclude(&world.context, &claim, FollowUp::NoChange)
        .await
        .expect("ends");
    assert_eq!(get(&world, &first.id).await.state, ReplyState::Sent);
    world.clock.advance(world.context.settings.effects.settle_poll_ms);
    to_send(&world, &second.id).await;
    let kinds: Vec<Kind> = world.events().await.iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&Kind::ReplySending) && kinds.contains(&Kind::ReplySent));
}

#[tokio::test]
async fn intent_checks_consent_again() {
    let (world, account, thread_id) = fixture().await;
    let reply = send(&world, text_reply(&thread_id, "one"))
        .await
        .expect("is taken");
    pass_undo_window(&world);
    let (claim, work) = to_send(&world, &reply.id).await;
    // The account changed to a stricter mode, and the reply has no confirmation.
    let manual = SetMode {
        id: account.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
        second_account_acknowledged: false,
    };
    accounts::set_mode(&world.context, &world.caller, manual)
        .await
        .expect("changes");
    let denied = intent::commit(&world.context, &claim, &work, &[])
        .await
        .expect("asks");
    assert_eq!(denied.err(), Some(IntentDenied::Changed));
    let ended = get(&world, &reply.id).await;
    assert_eq!(
        (ended.state, ended.reason),
        (ReplyState::Cancelled, Some(Reason::ModeChanged))
    );
}

#[tokio::test]
async fn replies_per_minute_are_limited() {
    let (world, account, _) = fixture().await;
    let limit = world.context.settings.replies.per_minute_account;
    let mut last = None;
    for number in 0..=limit {
        let spec = ThreadSpec {
            messages: 1,
            ..ThreadSpec::default()
        };
        let thread_id = crate::conversations::store(&world, &account, &spec).await;
        let reply = send(&world, text_reply(&thread_id, &number.to_string()))
            .await
            .expect("is taken");
        last = Some(reply.id);
        if number == limit {
            break;
        }
        // The undo window is skipped so that all sends fall into one minute.
        let row = rows::Entity::find().filter(rows::Column::Id.eq(last.as_deref().unwrap_or_default()));
        assert!(
            row.one(world.context.store.reader())
                .await
                .expect("reads")
                .is_some()
        );
    }
    pass_undo_window(&world);
    let sent = rows::Entity::find()
        .all(world.context.store.reader())
        .await
        .expect("reads");
    for row in sent.iter().filter(|row| Some(&row.id) != last.as_ref()) {
        intended(&world, &row.id).await;
    }
    let last = last.expect("a reply");
    assert!(
        matches!(planned(&world, &last).await.1, Plan::Nothing),
        "the minute is full"
    );
    world.clock.advance(60_000);
    to_send(&world, &last).await;
}

#[tokio::test]
async fn reply_in_doubt_is_reconciled_then_asks_the_person() {
    let (world, _, thread_id) = fixture().await;
    let reply = send(&world, text_reply(&thread_id, "hello"))
        .await
        .expect("is taken");
    pass_undo_window(&world);
    let (claim, _, effect_id) = intended(&world, &reply.id).await;
    outcome::unconfirmed(&world.context, &effect_id, false, "cut")
        .await
        .expect("is written");
    let ask = FollowUp::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look there".to_owned(),
    };
    outcome::conclude(&world.context, &claim, ask)
        .await
        .expect("ends");
    let asked = get(&world, &reply.id).await;
    assert_eq!(
        (asked.state, asked.requires_action),
        (ReplyState::Unconfirmed, true)
    );
    let retried = replies::retry(&world.context, &world.caller, &reply.id, None).await;
    assert_eq!(reason(retried), Some(Reason::ReplyStateInvalid));
    // No other reply of this thread is sent before its outcome is known.
    let next = send(&world, text_reply(&thread_id, "still there?"))
        .await
        .expect("is taken");
    pass_undo_window(&world);
    assert!(matches!(planned(&world, &next.id).await.1, Plan::Nothing));
    let resolved = replies::resolve(
        &world.context,
        &world.caller,
        &reply.id,
        Resolution::Sent { message_id: None },
        None,
    );
    assert_eq!(resolved.await.expect("is answered").state, ReplyState::Sent);
    let effect = effects::Entity::find_by_id(&effect_id)
        .one(world.context.store.reader())
        .await
        .expect("reads");
    assert_eq!(effect.expect("is there").state, EffectState::Done);
    let again = replies::resolve(
        &world.context,
        &world.caller,
        &reply.id,
        Resolution::NotSent,
        None,
    );
    assert_eq!(reason(again.await), Some(Reason::ReplyStateInvalid));
}

#[tokio::test]
async fn killed_reply_waits_until_its_sender_cannot_act() {
    let (world, _, thread_id) = fixture().await;
    let reply = send(&world, text_reply(&thread_id, "hello"))
        .await
        .expect("is taken");
    pass_undo_window(&world);
    intended(&world, &reply.id).await;
    let settings = &world.context.settings;
    world.clock.advance(
        (settings.effects.click_window_ms + settings.effects.request_timeout_ms).max(settings.jobs.lease_ms)
            + 60_000,
    );
    match planned(&world, &reply.id).await {
        (_, Plan::Reconcile(_, effect)) => assert_eq!(effect.state, EffectState::Intended),
        (_, other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn account_with_an_open_reply_is_not_deleted() {
    let (world, account, thread_id) = fixture().await;
    let reply = send(&world, text_reply(&thread_id, "hello"))
        .await
        .expect("is taken");
    let refused: Result<()> = accounts::delete(&world.context, &world.caller, &account.id, None).await;
    assert!(matches!(&refused, Err(Error::Rejected(one)) if one.reason == Reason::ReplyOpen));
    replies::cancel(&world.context, &world.caller, &reply.id, None)
        .await
        .expect("is cancelled");
    accounts::delete(&world.context, &world.caller, &account.id, None)
        .await
        .expect("is removed");
    assert_eq!(
        reason(replies::get(&world.context, &world.caller, &reply.id).await),
        Some(Reason::NotFound)
    );
}
