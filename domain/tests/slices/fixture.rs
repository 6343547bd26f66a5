//! Plays the worker for publish jobs without a browser: claims due jobs and stores what a form would have shown.

use sea_orm::ConnectionTrait;
use vintedbot_domain::accounts::Account;
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::listings::{ListingInput, NameOrId};
use vintedbot_domain::publishing::attempt::{self, Plan, Work};
use vintedbot_domain::publishing::intent::{self, Intent, IntentDenied, Proposal};
use vintedbot_domain::publishing::outcome::{self, FollowUp};
use vintedbot_domain::publishing::{
    self, Confirm, EffectKind, Prepare, PublishJob, Schedule, State, WaitReason, When,
};
use vintedbot_domain::{Error, Result};
use vintedbot_marketplace::{FieldReading, Money};

use super::support::World;

pub struct Fixture {
    pub world: World,
    pub account: Account,
}

impl Fixture {
    pub async fn open() -> Self {
        let (world, account) = World::with_account().await;
        Self { world, account }
    }

    /// Returns the same instance with other settings.
    pub fn with(mut self, change: impl FnOnce(&mut vintedbot_domain::settings::Settings)) -> Self {
        let mut settings = (*self.world.context.settings).clone();
        change(&mut settings);
        self.world.context.settings = std::sync::Arc::new(settings);
        self
    }

    pub async fn sql(&self, sql: &str) {
        let writer = self.world.context.store.writer();
        writer.execute_unprepared(sql).await.expect("is written");
    }

    pub async fn listing(&self, title: &str) -> String {
        let name = |text: &str| Some(NameOrId::Name(text.to_owned()));
        let input = ListingInput {
            title: title.to_owned(),
            description: "Porté deux fois".to_owned(),
            price: Some(Money {
                minor_units: 1_500,
                currency: "EUR".to_owned(),
            }),
            category: name("Hommes > Sweats"),
            size: name("M"),
            condition: name("Bon état"),
            package_size: name("Petit"),
            photo_ids: vec![self.world.photo(1).await.id],
            ..ListingInput::default()
        };
        self.world.listing(&self.account, input).await.id
    }

    pub async fn try_prepare(&self, listing_id: &str, manual_takeover: Option<bool>) -> Result<PublishJob> {
        let prepare = Prepare {
            listing_id: listing_id.to_owned(),
            dry_run: true,
            manual_takeover,
            request_id: None,
        };
        publishing::prepare(&self.world.context, &self.world.caller, prepare).await
    }

    pub async fn get(&self, id: &str) -> PublishJob {
        publishing::get(&self.world.context, &self.world.caller, id)
            .await
            .expect("is there")
    }

    pub async fn token(&self, id: &str) -> String {
        let token = publishing::confirm_token(&self.world.context, &self.world.caller, id);
        token.await.expect("is there").expect("awaits its confirmation").0
    }

    /// Returns a confirmed publish job that the fixture has claimed, with its claim and work.
    pub async fn claimed_publish(&self, title: &str) -> (PublishJob, Claim, Work) {
        let (job, token) = self.prepared(title).await;
        let confirm = Confirm {
            job_id: job.id.clone(),
            token,
            dry_run: false,
            request_id: None,
        };
        publishing::confirm(&self.world.context, &self.world.caller, confirm)
            .await
            .expect("is confirmed");
        let (claim, plan) = self.next().await.expect("is due");
        let Plan::Publish(work) = plan else {
            panic!("not to be published: {plan:?}")
        };
        (job, claim, work)
    }

    /// Returns a job whose form is filled and which awaits its confirmation, and the confirm token.
    pub async fn prepared(&self, title: &str) -> (PublishJob, String) {
        let listing_id = self.listing(title).await;
        let job = self.try_prepare(&listing_id, None).await.expect("is queued");
        self.prepare_due(&job.id).await;
        (self.get(&job.id).await, self.token(&job.id).await)
    }

    /// Prepares the only due job.
    pub async fn prepare_due(&self, job_id: &str) {
        let (claim, plan) = self.next().await.expect("is due");
        let Plan::Prepare(work) = plan else {
            panic!("not to be prepared: {plan:?}")
        };
        assert_eq!(work.job_id, job_id);
        let reading = FieldReading {
            field: "title".to_owned(),
            approved: work.revision.content.title.clone(),
            seen: work.revision.content.title.clone(),
            matches: true,
        };
        let next = FollowUp::Prepared {
            read_back: vec![reading],
            screenshot_key: None,
        };
        self.conclude(&claim, &work, next).await;
    }

    pub async fn try_schedule(&self, job_id: &str, token: &str, when: When) -> Result<PublishJob, Error> {
        let schedule = Schedule {
            job_id: job_id.to_owned(),
            token: token.to_owned(),
            when,
            request_id: None,
        };
        publishing::schedule(&self.world.context, &self.world.caller, schedule).await
    }

    /// Returns a job that is scheduled `in_ms` milliseconds from now.
    pub async fn scheduled(&self, title: &str, in_ms: i64) -> PublishJob {
        let (job, token) = self.prepared(title).await;
        let at = self.world.context.clock.now() + in_ms;
        let job = self.try_schedule(&job.id, &token, When::At(at)).await;
        job.expect("is scheduled")
    }

    /// Claims the first publish job that is due and returns its plan. `None`: no job needs an attempt.
    pub async fn next(&self) -> Option<(Claim, Plan)> {
        let context = &self.world.context;
        let mut rows = Vec::new();
        for id in jobs::sweep(&context.store, 64).await.expect("the table") {
            let claim = jobs::claim(&context.store, &id, "fixture", context.settings.jobs.lease_ms).await;
            let Some(claim) = claim.expect("the table") else {
                continue;
            };
            if claim.job.kind == jobs::Kind::Publish {
                rows.push(claim);
            }
        }
        let mut found = None;
        for claim in rows {
            match attempt::begin(context, &claim).await.expect("is decided") {
                Plan::Nothing => {}
                plan if found.is_none() => found = Some((claim, plan)),
                // The account lock allows only one attempt at a time.
                plan => panic!("two attempts at once: {plan:?}"),
            }
        }
        found
    }

    /// Does the same as [`next`](Self::next) for one of several due jobs.
    pub async fn next_of(&self, publish_job_id: &str) -> (Claim, Plan) {
        let context = &self.world.context;
        for id in jobs::sweep(&context.store, 64).await.expect("the table") {
            let sql = format!("SELECT 1 FROM jobs WHERE id = '{id}' AND subject_id = '{publish_job_id}'");
            let statement = sea_orm::Statement::from_string(context.store.backend(), sql);
            let found = context
                .store
                .reader()
                .query_one_raw(statement)
                .await
                .expect("the table");
            if found.is_none() {
                continue;
            }
            let claim = jobs::claim(&context.store, &id, "fixture", context.settings.jobs.lease_ms).await;
            let claim = claim.expect("the table").expect("is free");
            let plan = attempt::begin(context, &claim).await.expect("is decided");
            return (claim, plan);
        }
        panic!("not due")
    }

    pub async fn conclude(&self, claim: &Claim, work: &Work, next: FollowUp) {
        outcome::conclude(&self.world.context, claim, Some(&work.lock), next)
            .await
            .expect("is written");
    }

    pub async fn intend(
        &self,
        claim: &Claim,
        work: &Work,
        kind: EffectKind,
        known: &[&str],
    ) -> Result<Intent, IntentDenied> {
        let proposal = Proposal {
            job_id: work.job_id.clone(),
            kind,
            form_session_id: "form_driver".to_owned(),
            revision_hash: work.revision_hash.clone(),
            lock: work.lock.clone(),
            known_remote_ids: known.iter().map(|id| (*id).to_owned()).collect(),
            target_remote_id: None,
            target_photo_ids: Vec::new(),
            remote_snapshot: None,
        };
        intent::commit(&self.world.context, claim, proposal)
            .await
            .expect("is decided")
    }

    /// Performs the steps of a publish attempt. The item gets the id `remote_id`.
    pub async fn publish(&self, claim: &Claim, work: &Work, remote_id: &str) {
        let context = &self.world.context;
        let draft = self.intend(claim, work, EffectKind::DraftSave, &[]).await;
        let draft = draft.expect("there is consent to a draft");
        outcome::draft_saved(context, &draft.effect_id, remote_id)
            .await
            .expect("is written");
        let next = match self.intend(claim, work, EffectKind::Publish, &[]).await {
            Ok(intent) => {
                let url = format!("https://site.invalid/items/{remote_id}");
                outcome::published(context, &intent.effect_id, remote_id, &url, false, "published")
                    .await
                    .expect("is written");
                FollowUp::NoChange
            }
            Err(IntentDenied::RateLimited(until)) => FollowUp::Later {
                until,
                why: WaitReason::RateLimit,
            },
            Err(denied) => panic!("{denied:?}"),
        };
        self.conclude(claim, work, next).await;
    }

    /// Publishes the only due job.
    pub async fn publish_due(&self, job_id: &str, remote_id: &str) {
        let (claim, plan) = self.next().await.expect("is due");
        let Plan::Publish(work) = plan else {
            panic!("not to be published: {plan:?}")
        };
        assert_eq!(work.job_id, job_id);
        self.publish(&claim, &work, remote_id).await;
        assert_eq!(self.get(job_id).await.state, State::Published);
    }
}
