//! Removal of threads on the site: which confirmations are valid, and which intents are denied.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_domain::accounts::{self, Account, Mode, SetMode};
use vintedbot_domain::inbox::removal::attempt::{self, Plan, RemovalOutcome, Work};
use vintedbot_domain::inbox::removal::{self, Confirm};
use vintedbot_domain::inbox::replies::outcome::FollowUp;
use vintedbot_domain::inbox::{self, RemovalState, Thread};
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::publishing::EffectState;
use vintedbot_domain::publishing::intent::Intent;
use vintedbot_domain::store::entities::{effects, jobs as work_rows};
use vintedbot_domain::{Reason, Result};
use vintedbot_marketplace::challenge::AccountAction;

use crate::conversations::{ThreadSpec, reply, world_with};
use crate::inbox_sync::{BUYER, conversation, message_entry, store};
use crate::support::{World, reason, request_id};

struct Fixture {
    world: World,
    account: Account,
    thread_id: String,
}

impl Fixture {
    async fn open() -> Self {
        let spec = ThreadSpec {
            remote_id: "9",
            member_id: BUYER,
            messages: 1,
            ..ThreadSpec::default()
        };
        let (world, account, ids) = world_with(&[spec]).await;
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
        let prepared = removal::prepare(&self.world.context, &self.world.caller, &self.thread_id).await;
        prepared.map(|prepared| prepared.token)
    }

    async fn confirm(&self, token: &str, dry_run: bool, request_id: Option<String>) -> Result<Thread> {
        let confirm = Confirm {
            id: self.thread_id.clone(),
            token: token.to_owned(),
            dry_run,
            request_id,
        };
        removal::confirm(&self.world.context, &self.world.caller, confirm).await
    }

    async fn confirmed(&self) {
        let thread = self.confirm(&self.token().await, false, None).await;
        let state = thread.expect("is taken").removal.expect("a removal").state;
        assert_eq!(state, RemovalState::Queued);
    }

    async fn removal_state(&self) -> (RemovalState, Option<Reason>) {
        let thread = inbox::get(&self.world.context, &self.world.caller, &self.thread_id).await;
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
            .one(self.world.context.store.reader())
            .await
            .expect("reads")?;
        let claim = jobs::claim(&self.world.context.store, &row.id, "worker", 60_000).await;
        claim.expect("claims")
    }

    async fn planned(&self) -> (Claim, Plan) {
        let claim = self.claim().await.expect("is due");
        let plan = attempt::begin(&self.world.context, &claim).await.expect("begins");
        (claim, plan)
    }

    async fn to_remove(&self) -> (Claim, Work) {
        match self.planned().await {
            (claim, Plan::Remove(work)) => (claim, work),
            (_, other) => panic!("{other:?}"),
        }
    }

    async fn intend(&self, claim: &Claim, work: &Work) -> Option<Intent> {
        attempt::intend(&self.world.context, claim, work)
            .await
            .expect("asks")
    }

    async fn record(&self, work: &Work, intent: &Intent, outcome: RemovalOutcome) {
        attempt::became(&self.world.context, work, &intent.effect_id, outcome)
            .await
            .expect("is written");
    }

    async fn conclude(&self, claim: &Claim, next: FollowUp) {
        attempt::conclude(&self.world.context, claim, next)
            .await
            .expect("ends");
    }

    async fn effects(&self) -> Vec<EffectState> {
        let all = effects::Entity::find()
            .all(self.world.context.store.reader())
            .await;
        all.expect("the effects")
            .into_iter()
            .map(|one| one.state)
            .collect()
    }

    /// Stores a new message of the buyer, as an inbox sync does.
    async fn buyer_writes(&self) {
        let entries = vec![
            message_entry(BUYER, 1, "1", "Message 1"),
            message_entry(BUYER, 2, "2", "Wait!"),
        ];
        store(&self.world, &self.account, None, &conversation(true, entries)).await;
    }

    async fn unconfirmed(&self) -> (Claim, Work, Intent) {
        self.confirmed().await;
        let (claim, work) = self.to_remove().await;
        let intent = self.intend(&claim, &work).await.expect("the intent is committed");
        let outcome = RemovalOutcome::Unconfirmed {
            held: false,
            note: "cut".to_owned(),
        };
        self.record(&work, &intent, outcome).await;
        (claim, work, intent)
    }
}

#[tokio::test]
async fn confirmed_thread_is_removed_once() {
    let fixture = Fixture::open().await;
    let token = fixture.token().await;
    let dry = fixture.confirm(&token, true, None).await.expect("would be taken");
    assert_eq!(dry.removal, None);
    assert!(fixture.claim().await.is_none(), "a dry run queues nothing");
    let request_id = request_id();
    for _ in 0..2 {
        let thread = fixture.confirm(&token, false, request_id.clone()).await;
        let removal = thread.expect("is taken, and the same call again").removal;
        assert_eq!(removal.expect("a removal").state, RemovalState::Queued);
    }
    assert_eq!(
        reason(fixture.confirm(&token, false, None).await),
        Some(Reason::ConfirmationUsed)
    );
    assert_eq!(reason(fixture.prepared().await), Some(Reason::ThreadRemovalOpen));
    let gone = accounts::delete(
        &fixture.world.context,
        &fixture.world.caller,
        &fixture.account.id,
        None,
    )
    .await;
    assert_eq!(reason(gone), Some(Reason::ThreadRemovalOpen));

    let (claim, work) = fixture.to_remove().await;
    let intent = fixture
        .intend(&claim, &work)
        .await
        .expect("the intent is committed");
    assert_eq!(fixture.removal_state().await.0, RemovalState::Removing);
    assert!(fixture.intend(&claim, &work).await.is_none(), "once");
    fixture.record(&work, &intent, RemovalOutcome::Removed).await;
    fixture.conclude(&claim, FollowUp::NoChange).await;
    assert_eq!(fixture.removal_state().await, (RemovalState::Removed, None));
    assert!(fixture.claim().await.is_none(), "its row of work has ended");
    // A new message of the buyer brings the thread back.
    fixture.buyer_writes().await;
    let thread = inbox::get(&fixture.world.context, &fixture.world.caller, &fixture.thread_id).await;
    assert_eq!(thread.expect("is there").removal, None);
}

#[tokio::test]
async fn unseen_thread_content_is_not_removed() {
    let fixture = Fixture::open().await;
    let token = fixture.token().await;
    fixture.buyer_writes().await;
    assert_eq!(
        reason(fixture.confirm(&token, false, None).await),
        Some(Reason::ConfirmationStale)
    );
    let fixture = Fixture::open().await;
    fixture.confirmed().await;
    let (claim, work) = fixture.to_remove().await;
    fixture.buyer_writes().await;
    assert!(fixture.intend(&claim, &work).await.is_none());
    assert_eq!(
        fixture.removal_state().await,
        (RemovalState::Failed, Some(Reason::ConfirmationStale))
    );
    assert!(fixture.effects().await.is_empty());
    fixture.conclude(&claim, FollowUp::NoChange).await;
    fixture.confirmed().await;
}

#[tokio::test]
async fn foreign_forged_and_expired_tokens_are_refused() {
    let fixture = Fixture::open().await;
    let (context, stranger) = (&fixture.world.context, fixture.world.stranger().await);
    let theirs = removal::prepare(context, &stranger, &fixture.thread_id).await;
    assert_eq!(reason(theirs), Some(Reason::NotFound));
    assert_eq!(
        reason(fixture.confirm("", false, None).await),
        Some(Reason::ConfirmationRequired)
    );
    let other = Fixture::open().await.token().await;
    for token in ["x", other.as_str()] {
        assert_eq!(
            reason(fixture.confirm(token, false, None).await),
            Some(Reason::ConfirmationInvalid)
        );
    }
    let token = fixture.token().await;
    fixture.world.clock.advance(context.settings.confirm_token_ms);
    assert_eq!(
        reason(fixture.confirm(&token, false, None).await),
        Some(Reason::ConfirmationExpired)
    );
    reply(&fixture.world, &fixture.thread_id).await;
    assert_eq!(reason(fixture.prepared().await), Some(Reason::ReplyOpen));
}

#[tokio::test]
async fn unknown_removal_outcome_is_read_and_never_repeated() {
    let fixture = Fixture::open().await;
    let (claim, work, intent) = fixture.unconfirmed().await;
    // A failure in a later reading settles nothing.
    let failed = FollowUp::Failed {
        reason: Reason::SiteResponseUnexpected,
        message: "odd".to_owned(),
    };
    fixture.conclude(&claim, failed).await;
    assert_eq!(fixture.removal_state().await.0, RemovalState::Unconfirmed);
    fixture
        .world
        .clock
        .advance(fixture.world.context.settings.effects.settle_poll_ms);
    let (claim, plan) = fixture.planned().await;
    assert!(
        matches!(plan, Plan::Look(..)),
        "it is reconciled, not sent again: {plan:?}"
    );
    attempt::still_there(&fixture.world.context, &work, &intent.effect_id)
        .await
        .expect("is settled");
    fixture.conclude(&claim, FollowUp::NoChange).await;
    assert_eq!(
        fixture.removal_state().await,
        (RemovalState::Failed, Some(Reason::OutcomeUnknown))
    );
    assert_eq!(fixture.effects().await, [EffectState::NotDone]);
    // A person may confirm the removal again.
    fixture.confirmed().await;

    let fixture = Fixture::open().await;
    let (claim, work, intent) = fixture.unconfirmed().await;
    fixture.record(&work, &intent, RemovalOutcome::Removed).await;
    fixture.conclude(&claim, FollowUp::NoChange).await;
    assert_eq!(fixture.removal_state().await, (RemovalState::Removed, None));
    assert_eq!(fixture.effects().await, [EffectState::Done]);
}

#[tokio::test]
async fn challenge_pauses_account_and_ends_unsent_removal() {
    let fixture = Fixture::open().await;
    fixture.confirmed().await;
    let (claim, _) = fixture.to_remove().await;
    let blocked = FollowUp::Blocked {
        reason: Reason::ChallengeCaptcha,
        message: "a captcha".to_owned(),
        account: AccountAction::Pause,
    };
    fixture.conclude(&claim, blocked).await;
    assert_eq!(
        fixture.removal_state().await,
        (RemovalState::Failed, Some(Reason::ChallengeCaptcha))
    );
    assert_eq!(reason(fixture.prepared().await), Some(Reason::AccountPaused));
}

#[tokio::test]
async fn mode_change_cancels_confirmed_removals() {
    let fixture = Fixture::open().await;
    fixture.confirmed().await;
    let (claim, work) = fixture.to_remove().await;
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
    assert_eq!(
        fixture.removal_state().await,
        (RemovalState::Failed, Some(Reason::ModeChanged))
    );
    assert!(fixture.intend(&claim, &work).await.is_none());
    assert!(fixture.effects().await.is_empty());
}
