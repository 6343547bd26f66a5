//! Replies: what callers may ask, and what the gate lets through.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_domain::accounts::{self, Account, Mode, SetMode};
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::replies::attempt::{self, Plan, Work};
use vintedbot_domain::inbox::replies::gate::{self, Shut};
use vintedbot_domain::inbox::replies::outcome::{self, Next};
use vintedbot_domain::inbox::replies::{self, Confirm, Resolution, Send};
use vintedbot_domain::inbox::{Reply, ReplyState};
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::publishing::EffectState;
use vintedbot_domain::store::entities::{effects, jobs as work_rows, replies as rows};
use vintedbot_domain::{Error, Reason, Result};

use crate::conversations::{Told, world_with};
use crate::support::{World, reason, violated};

const WORKER: &str = "worker";

fn said(thread_id: &str, text: &str) -> Send {
    Send {
        thread_id: thread_id.to_owned(),
        text: text.to_owned(),
        photo_ids: Vec::new(),
        manual: false,
        clear_draft: false,
        request_id: None,
    }
}

async fn desk() -> (World, Account, String) {
    let (world, account, ids) = world_with(&[Told {
        messages: 1,
        ..Told::default()
    }])
    .await;
    let id = ids[0].clone();
    (world, account, id)
}

async fn send(world: &World, send: Send) -> Result<Reply> {
    replies::send(&world.domain, &world.caller, send).await
}

async fn get(world: &World, id: &str) -> Reply {
    replies::get(&world.domain, &world.caller, id)
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
        .one(world.domain.store.reader())
        .await
        .expect("reads")?;
    jobs::claim(&world.domain.store, &work.id, WORKER, 60_000)
        .await
        .expect("claims")
}

/// The plan for a reply whose undo window has passed.
async fn planned(world: &World, reply_id: &str) -> (Claim, Plan) {
    let claim = claimed(world, reply_id).await.expect("is due");
    let plan = attempt::begin(&world.domain, &claim).await.expect("begins");
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
    let intent = gate::intend(&world.domain, &claim, &work, &["1".to_owned()]).await;
    let intent = intent.expect("asks").expect("is let through");
    (claim, work, intent.effect_id)
}

fn undo_passes(world: &World) {
    world.clock.advance(world.domain.settings.reply_undo_ms);
}

#[tokio::test]
async fn a_reply_waits_for_its_undo_window_and_is_taken_back_in_it() {
    let (world, _, thread_id) = desk().await;
    let reply = send(&world, said(&thread_id, "  Oui !\n"))
        .await
        .expect("is taken");
    assert_eq!((reply.state, reply.text.as_str()), (ReplyState::Queued, "Oui !"));
    assert!(claimed(&world, &reply.id).await.is_none(), "it may be taken back");
    let cancelled = replies::cancel(&world.domain, &world.caller, &reply.id, None)
        .await
        .expect("is taken back");
    assert_eq!(cancelled.state, ReplyState::Cancelled);
    replies::cancel(&world.domain, &world.caller, &reply.id, None)
        .await
        .expect("twice is no error");
    undo_passes(&world);
    let (_, plan) = planned(&world, &reply.id).await;
    assert!(matches!(plan, Plan::Nothing));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_and_nothing_is_stored() {
    let (world, _, thread_id) = desk().await;
    for (send_it, field) in [
        (said(&thread_id, &"x".repeat(4_001)), "text"),
        (said(&thread_id, " \n "), "text"),
        (said(&thread_id, "a\u{0}b"), "text"),
        (
            Send {
                photo_ids: vec![world.domain.ids.id()],
                ..said(&thread_id, "see")
            },
            "photo_ids[0]",
        ),
        (
            Send {
                photo_ids: vec![String::new(); 6],
                ..said(&thread_id, "see")
            },
            "photo_ids",
        ),
    ] {
        let refused = send(&world, send_it).await;
        assert!(violated(refused).iter().any(|one| one == field), "{field}");
    }
    let other = said(&world.domain.ids.id(), "hello");
    assert_eq!(reason(send(&world, other).await), Some(Reason::NotFound));
    let stored = rows::Entity::find()
        .all(world.domain.store.reader())
        .await
        .expect("reads");
    assert!(stored.is_empty());
}

#[tokio::test]
async fn a_confirmation_is_for_one_reply_once_and_in_time() {
    let (world, _, thread_id) = desk().await;
    let (domain, caller) = (&world.domain, &world.caller);
    let manual = |text: &str| Send {
        manual: true,
        ..said(&thread_id, text)
    };
    let reply = send(&world, manual("Bonjour")).await.expect("is taken");
    let other = send(&world, manual("Bonsoir")).await.expect("is taken");
    assert_eq!(reply.state, ReplyState::AwaitingConfirmation);
    let token = |id: String| async move {
        let (_, token) = replies::get_with_token(domain, caller, &id).await.expect("reads");
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
        let refused = replies::confirm(domain, caller, confirm(&reply.id, wrong, false)).await;
        assert_eq!(reason(refused), Some(expected));
    }
    let dry = replies::confirm(domain, caller, confirm(&reply.id, &its, true)).await;
    assert_eq!(dry.expect("is checked").state, ReplyState::AwaitingConfirmation);
    let real = replies::confirm(domain, caller, confirm(&reply.id, &its, false)).await;
    assert_eq!(real.expect("is confirmed").state, ReplyState::Queued);
    let again = replies::confirm(domain, caller, confirm(&reply.id, &its, false)).await;
    assert_eq!(reason(again), Some(Reason::ConfirmationUsed));
    // What nobody confirms in time is not sent.
    world.clock.advance(domain.settings.confirm_token_ms);
    let late = replies::confirm(domain, caller, confirm(&other.id, &others, false)).await;
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
async fn replies_of_a_thread_go_out_in_order_and_one_effect_is_open_at_a_time() {
    let (world, _, thread_id) = desk().await;
    let first = send(&world, said(&thread_id, "one")).await.expect("is taken");
    let second = send(&world, said(&thread_id, "two")).await.expect("is taken");
    undo_passes(&world);
    let (_, plan) = planned(&world, &second.id).await;
    assert!(matches!(plan, Plan::Nothing), "the first one comes first");
    let (claim, _, effect_id) = intended(&world, &first.id).await;
    assert_eq!(get(&world, &first.id).await.state, ReplyState::Sending);
    let late = replies::cancel(&world.domain, &world.caller, &first.id, None).await;
    assert_eq!(reason(late), Some(Reason::TooLate));
    outcome::delivered(&world.domain, &effect_id, Some("2"), "said by the site")
        .await
        .expect("is written");
    outcome::conclude(&world.domain, &claim, Next::AsItIs)
        .await
        .expect("ends");
    assert_eq!(get(&world, &first.id).await.state, ReplyState::Sent);
    world.clock.advance(world.domain.settings.settle_poll_ms);
    to_send(&world, &second.id).await;
    let kinds: Vec<Kind> = world.events().await.iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&Kind::ReplySending) && kinds.contains(&Kind::ReplySent));
}

#[tokio::test]
async fn the_gate_asks_again_for_all_that_consent_rests_on() {
    let (world, account, thread_id) = desk().await;
    let reply = send(&world, said(&thread_id, "one")).await.expect("is taken");
    undo_passes(&world);
    let (claim, work) = to_send(&world, &reply.id).await;
    // A stricter mode came in between: nobody has confirmed it.
    let manual = SetMode {
        id: account.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
    };
    accounts::set_mode(&world.domain, &world.caller, manual)
        .await
        .expect("changes");
    let shut = gate::intend(&world.domain, &claim, &work, &[])
        .await
        .expect("asks");
    assert_eq!(shut.err(), Some(Shut::Changed));
    let ended = get(&world, &reply.id).await;
    assert_eq!(
        (ended.state, ended.reason),
        (ReplyState::Cancelled, Some(Reason::ModeChanged))
    );
}

#[tokio::test]
async fn a_minute_has_room_for_so_many_replies() {
    let (world, account, _) = desk().await;
    let limit = world.domain.settings.replies_per_minute_account;
    let mut last = None;
    for number in 0..=limit {
        let told = Told {
            messages: 1,
            ..Told::default()
        };
        let thread_id = crate::conversations::store(&world, &account, &told).await;
        let reply = send(&world, said(&thread_id, &number.to_string()))
            .await
            .expect("is taken");
        last = Some(reply.id);
        if number == limit {
            break;
        }
        // Sent without waiting, so that all fall into one minute.
        let row = rows::Entity::find().filter(rows::Column::Id.eq(last.as_deref().unwrap_or_default()));
        assert!(
            row.one(world.domain.store.reader())
                .await
                .expect("reads")
                .is_some()
        );
    }
    undo_passes(&world);
    let sent = rows::Entity::find()
        .all(world.domain.store.reader())
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
async fn what_is_in_doubt_is_looked_for_and_then_asked_about() {
    let (world, _, thread_id) = desk().await;
    let reply = send(&world, said(&thread_id, "hello")).await.expect("is taken");
    undo_passes(&world);
    let (claim, _, effect_id) = intended(&world, &reply.id).await;
    outcome::unconfirmed(&world.domain, &effect_id, false, "cut")
        .await
        .expect("is written");
    let ask = Next::Ask {
        reason: Reason::OutcomeUnknown,
        message: "look there".to_owned(),
    };
    outcome::conclude(&world.domain, &claim, ask).await.expect("ends");
    let asked = get(&world, &reply.id).await;
    assert_eq!((asked.state, asked.needs_manual), (ReplyState::Unconfirmed, true));
    let retried = replies::retry(&world.domain, &world.caller, &reply.id, None).await;
    assert_eq!(reason(retried), Some(Reason::ReplyState));
    // No other reply of this thread goes out meanwhile.
    let next = send(&world, said(&thread_id, "still there?"))
        .await
        .expect("is taken");
    undo_passes(&world);
    assert!(matches!(planned(&world, &next.id).await.1, Plan::Nothing));
    let resolved = replies::resolve(
        &world.domain,
        &world.caller,
        &reply.id,
        Resolution::Sent { message_id: None },
        None,
    );
    assert_eq!(resolved.await.expect("is answered").state, ReplyState::Sent);
    let effect = effects::Entity::find_by_id(&effect_id)
        .one(world.domain.store.reader())
        .await
        .expect("reads");
    assert_eq!(effect.expect("is there").state, EffectState::Done);
    let again = replies::resolve(&world.domain, &world.caller, &reply.id, Resolution::NotSent, None);
    assert_eq!(reason(again.await), Some(Reason::ReplyState));
}

#[tokio::test]
async fn after_a_kill_a_reply_is_looked_for_and_not_before_its_sender_can_act_no_more() {
    let (world, _, thread_id) = desk().await;
    let reply = send(&world, said(&thread_id, "hello")).await.expect("is taken");
    undo_passes(&world);
    intended(&world, &reply.id).await;
    let settings = &world.domain.settings;
    world
        .clock
        .advance((settings.click_window_ms + settings.request_timeout_ms).max(settings.lease_ms) + 60_000);
    match planned(&world, &reply.id).await {
        (_, Plan::Reconcile(_, effect)) => assert_eq!(effect.state, EffectState::Intended),
        (_, other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_account_with_a_reply_on_its_way_stays() {
    let (world, account, thread_id) = desk().await;
    let reply = send(&world, said(&thread_id, "hello")).await.expect("is taken");
    let refused: Result<()> = accounts::delete(&world.domain, &world.caller, &account.id, None).await;
    assert!(matches!(&refused, Err(Error::Rejected(one)) if one.reason == Reason::ReplyOpen));
    replies::cancel(&world.domain, &world.caller, &reply.id, None)
        .await
        .expect("is taken back");
    accounts::delete(&world.domain, &world.caller, &account.id, None)
        .await
        .expect("is removed");
    assert_eq!(
        reason(replies::get(&world.domain, &world.caller, &reply.id).await),
        Some(Reason::NotFound)
    );
}
