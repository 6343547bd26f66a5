//! Removing threads on their site: what a confirmation is good for, and what the gate lets through.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_domain::accounts::{self, Account, Mode, SetMode};
use vintedbot_domain::inbox::removal::attempt::{self, Became, Plan, Work};
use vintedbot_domain::inbox::removal::{self, Confirm};
use vintedbot_domain::inbox::replies::outcome::Next;
use vintedbot_domain::inbox::{self, RemovalState, Thread};
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::publishing::EffectState;
use vintedbot_domain::publishing::gate::Intent;
use vintedbot_domain::store::entities::{effects, jobs as work_rows};
use vintedbot_domain::{Reason, Result};
use vintedbot_marketplace::challenge::AccountFollows;

use crate::conversations::{Told, reply, world_with};
use crate::inbox_sync::{BUYER, conversation, says, store};
use crate::support::{World, reason, request_id};

struct Desk {
    world: World,
    account: Account,
    thread_id: String,
}

impl Desk {
    async fn open() -> Self {
        let told = Told {
            remote_id: "9",
            member_id: BUYER,
            messages: 1,
            ..Told::default()
        };
        let (world, account, ids) = world_with(&[told]).await;
        Self {
            thread_id: ids[0].clone(),
            world,
            account,
        }
    }

    async fn token(&self) -> String {
        self.prepared().await.expect("is shown")
    }

    async fn prepared(&self) -> Result<String> {
        let prepared = removal::prepare(&self.world.domain, &self.world.caller, &self.thread_id).await;
        prepared.map(|prepared| prepared.token)
    }

    async fn confirm(&self, token: &str, dry_run: bool, request_id: Option<String>) -> Result<Thread> {
        let confirm = Confirm {
            id: self.thread_id.clone(),
            token: token.to_owned(),
            dry_run,
            request_id,
        };
        removal::confirm(&self.world.domain, &self.world.caller, confirm).await
    }

    async fn confirmed(&self) {
        let thread = self.confirm(&self.token().await, false, None).await;
        let state = thread.expect("is taken").removal.expect("a removal").state;
        assert_eq!(state, RemovalState::Queued);
    }

    async fn stands(&self) -> (RemovalState, Option<Reason>) {
        let thread = inbox::get(&self.world.domain, &self.world.caller, &self.thread_id).await;
        let removal = thread.expect("is there").removal.expect("a removal");
        (removal.state, removal.reason)
    }

    async fn claim(&self) -> Option<Claim> {
        let row = work_rows::Entity::find()
            .filter(work_rows::Column::Kind.eq(jobs::Kind::RemoveThread))
            .filter(work_rows::Column::State.is_in([
                jobs::State::Queued,
                jobs::State::Waiting,
                jobs::State::Running,
            ]))
            .one(self.world.domain.store.reader())
            .await
            .expect("reads")?;
        let claim = jobs::claim(&self.world.domain.store, &row.id, "worker", 60_000).await;
        claim.expect("claims")
    }

    async fn planned(&self) -> (Claim, Plan) {
        let claim = self.claim().await.expect("is due");
        let plan = attempt::begin(&self.world.domain, &claim).await.expect("begins");
        (claim, plan)
    }

    async fn to_remove(&self) -> (Claim, Work) {
        match self.planned().await {
            (claim, Plan::Remove(work)) => (claim, work),
            (_, other) => panic!("{other:?}"),
        }
    }

    async fn intend(&self, claim: &Claim, work: &Work) -> Option<Intent> {
        attempt::intend(&self.world.domain, claim, work)
            .await
            .expect("asks")
    }

    async fn became(&self, work: &Work, intent: &Intent, became: Became) {
        attempt::became(&self.world.domain, work, &intent.effect_id, became)
            .await
            .expect("is written");
    }

    async fn conclude(&self, claim: &Claim, next: Next) {
        attempt::conclude(&self.world.domain, claim, next)
            .await
            .expect("ends");
    }

    async fn effects(&self) -> Vec<EffectState> {
        let all = effects::Entity::find()
            .all(self.world.domain.store.reader())
            .await;
        all.expect("the ledger")
            .into_iter()
            .map(|one| one.state)
            .collect()
    }

    /// The buyer writes, and a reading brings it here.
    async fn buyer_writes(&self) {
        let entries = vec![says(BUYER, 1, "1", "Message 1"), says(BUYER, 2, "2", "Wait!")];
        store(&self.world, &self.account, None, &conversation(true, entries)).await;
    }

    async fn unconfirmed(&self) -> (Claim, Work, Intent) {
        self.confirmed().await;
        let (claim, work) = self.to_remove().await;
        let intent = self.intend(&claim, &work).await.expect("is let through");
        let became = Became::Unconfirmed {
            held: false,
            note: "cut".to_owned(),
        };
        self.became(&work, &intent, became).await;
        (claim, work, intent)
    }
}

#[tokio::test]
async fn a_confirmed_thread_is_removed_once() {
    let desk = Desk::open().await;
    let token = desk.token().await;
    let dry = desk.confirm(&token, true, None).await.expect("would be taken");
    assert_eq!(dry.removal, None);
    assert!(desk.claim().await.is_none(), "a dry run queues nothing");
    let request_id = request_id();
    for _ in 0..2 {
        let thread = desk.confirm(&token, false, request_id.clone()).await;
        let removal = thread.expect("is taken, and the same call again").removal;
        assert_eq!(removal.expect("a removal").state, RemovalState::Queued);
    }
    assert_eq!(
        reason(desk.confirm(&token, false, None).await),
        Some(Reason::ConfirmationUsed)
    );
    assert_eq!(reason(desk.prepared().await), Some(Reason::ThreadRemovalOpen));
    let gone = accounts::delete(&desk.world.domain, &desk.world.caller, &desk.account.id, None).await;
    assert_eq!(reason(gone), Some(Reason::ThreadRemovalOpen));

    let (claim, work) = desk.to_remove().await;
    let intent = desk.intend(&claim, &work).await.expect("is let through");
    assert_eq!(desk.stands().await.0, RemovalState::Removing);
    assert!(desk.intend(&claim, &work).await.is_none(), "once");
    desk.became(&work, &intent, Became::Removed).await;
    desk.conclude(&claim, Next::AsItIs).await;
    assert_eq!(desk.stands().await, (RemovalState::Removed, None));
    assert!(desk.claim().await.is_none(), "its row of work has ended");
    // When the buyer writes again, it is back.
    desk.buyer_writes().await;
    let thread = inbox::get(&desk.world.domain, &desk.world.caller, &desk.thread_id).await;
    assert_eq!(thread.expect("is there").removal, None);
}

#[tokio::test]
async fn what_was_not_seen_is_not_removed() {
    let desk = Desk::open().await;
    let token = desk.token().await;
    desk.buyer_writes().await;
    assert_eq!(
        reason(desk.confirm(&token, false, None).await),
        Some(Reason::ConfirmationStale)
    );
    let desk = Desk::open().await;
    desk.confirmed().await;
    let (claim, work) = desk.to_remove().await;
    desk.buyer_writes().await;
    assert!(desk.intend(&claim, &work).await.is_none());
    assert_eq!(
        desk.stands().await,
        (RemovalState::Failed, Some(Reason::ConfirmationStale))
    );
    assert!(desk.effects().await.is_empty());
    desk.conclude(&claim, Next::AsItIs).await;
    desk.confirmed().await;
}

#[tokio::test]
async fn tokens_of_others_of_nobody_and_of_yesterday_are_refused() {
    let desk = Desk::open().await;
    let (domain, stranger) = (&desk.world.domain, desk.world.stranger().await);
    let theirs = removal::prepare(domain, &stranger, &desk.thread_id).await;
    assert_eq!(reason(theirs), Some(Reason::NotFound));
    assert_eq!(
        reason(desk.confirm("", false, None).await),
        Some(Reason::ConfirmationRequired)
    );
    let other = Desk::open().await.token().await;
    for token in ["x", other.as_str()] {
        assert_eq!(
            reason(desk.confirm(token, false, None).await),
            Some(Reason::ConfirmationInvalid)
        );
    }
    let token = desk.token().await;
    desk.world.clock.advance(domain.settings.confirm_token_ms);
    assert_eq!(
        reason(desk.confirm(&token, false, None).await),
        Some(Reason::ConfirmationExpired)
    );
    reply(&desk.world, &desk.thread_id).await;
    assert_eq!(reason(desk.prepared().await), Some(Reason::ReplyOpen));
}

#[tokio::test]
async fn an_unknown_outcome_is_found_out_by_reading_and_never_repeated() {
    let desk = Desk::open().await;
    let (claim, work, intent) = desk.unconfirmed().await;
    // What a later reading meets settles nothing.
    let failed = Next::Failed {
        reason: Reason::SiteChanged,
        message: "odd".to_owned(),
    };
    desk.conclude(&claim, failed).await;
    assert_eq!(desk.stands().await.0, RemovalState::Unconfirmed);
    desk.world
        .clock
        .advance(desk.world.domain.settings.settle_poll_ms);
    let (claim, plan) = desk.planned().await;
    assert!(
        matches!(plan, Plan::Look(..)),
        "it is looked for, not asked again: {plan:?}"
    );
    attempt::still_there(&desk.world.domain, &work, &intent.effect_id)
        .await
        .expect("is settled");
    desk.conclude(&claim, Next::AsItIs).await;
    assert_eq!(
        desk.stands().await,
        (RemovalState::Failed, Some(Reason::OutcomeUnknown))
    );
    assert_eq!(desk.effects().await, [EffectState::NotDone]);
    // A person may.
    desk.confirmed().await;

    let desk = Desk::open().await;
    let (claim, work, intent) = desk.unconfirmed().await;
    desk.became(&work, &intent, Became::Removed).await;
    desk.conclude(&claim, Next::AsItIs).await;
    assert_eq!(desk.stands().await, (RemovalState::Removed, None));
    assert_eq!(desk.effects().await, [EffectState::Done]);
}

#[tokio::test]
async fn a_challenge_pauses_the_account_and_ends_what_was_not_asked() {
    let desk = Desk::open().await;
    desk.confirmed().await;
    let (claim, _) = desk.to_remove().await;
    let blocked = Next::Blocked {
        reason: Reason::ChallengeCaptcha,
        message: "a captcha".to_owned(),
        account: AccountFollows::Paused,
    };
    desk.conclude(&claim, blocked).await;
    assert_eq!(
        desk.stands().await,
        (RemovalState::Failed, Some(Reason::ChallengeCaptcha))
    );
    assert_eq!(reason(desk.prepared().await), Some(Reason::AccountPaused));
}

#[tokio::test]
async fn another_mode_ends_what_was_confirmed_before() {
    let desk = Desk::open().await;
    desk.confirmed().await;
    let (claim, work) = desk.to_remove().await;
    let set = SetMode {
        id: desk.account.id.clone(),
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
    };
    accounts::set_mode(&desk.world.domain, &desk.world.caller, set)
        .await
        .expect("is set");
    assert_eq!(
        desk.stands().await,
        (RemovalState::Failed, Some(Reason::ModeChanged))
    );
    assert!(desk.intend(&claim, &work).await.is_none());
    assert!(desk.effects().await.is_empty());
}
