//! Plays the worker for replies without a site: claims due replies and stores what a site would have answered.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use vintedbot_domain::Result;
use vintedbot_domain::accounts::Account;
use vintedbot_domain::inbox::Reply;
use vintedbot_domain::inbox::replies::attempt::{self, Plan, Work};
use vintedbot_domain::inbox::replies::intent::{self, IntentDenied};
use vintedbot_domain::inbox::replies::outcome::{self, FollowUp};
use vintedbot_domain::inbox::replies::{self, Confirm, Filter, Send};
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::publishing::intent::Intent;
use vintedbot_domain::store::entities::jobs as rows;

use super::conversations::{ThreadSpec, world_with};
use super::support::{World, page};

pub struct ReplyFixture {
    pub world: World,
    pub account: Account,
    pub thread_id: String,
}

pub fn to_send(thread_id: &str, text: &str, photo_ids: &[&str]) -> Send {
    Send {
        thread_id: thread_id.to_owned(),
        text: text.to_owned(),
        photo_ids: photo_ids.iter().map(|id| (*id).to_owned()).collect(),
        manual: false,
        clear_draft: false,
        request_id: None,
    }
}

impl ReplyFixture {
    pub async fn open() -> Self {
        let spec = ThreadSpec {
            remote_id: "9",
            member_id: "200",
            messages: 1,
            ..ThreadSpec::default()
        };
        let (world, account, ids) = world_with(&[spec]).await;
        let thread_id = ids[0].clone();
        Self {
            world,
            account,
            thread_id,
        }
    }

    pub async fn sql(&self, sql: &str) {
        let writer = self.world.context.store.writer();
        writer.execute_unprepared(sql).await.expect("is written");
    }

    pub async fn try_send(&self, send: Send) -> Result<Reply> {
        replies::send(&self.world.context, &self.world.caller, send).await
    }

    pub async fn send(&self, text: &str) -> Reply {
        let reply = self.try_send(to_send(&self.thread_id, text, &[])).await;
        reply.expect("is taken on")
    }

    /// Returns a reply that awaits its confirmation, and its token.
    pub async fn manual(&self, text: &str) -> (Reply, String) {
        let send = Send {
            manual: true,
            ..to_send(&self.thread_id, text, &[])
        };
        let reply = self.try_send(send).await.expect("is taken on");
        let token = self.token(&reply.id).await;
        (reply, token)
    }

    pub async fn token(&self, id: &str) -> String {
        let found = replies::get_with_token(&self.world.context, &self.world.caller, id).await;
        found.expect("is there").1.expect("awaits its confirmation").0
    }

    pub async fn confirm(&self, id: &str, token: &str, dry_run: bool) -> Result<Reply> {
        let confirm = Confirm {
            id: id.to_owned(),
            token: token.to_owned(),
            dry_run,
            request_id: None,
        };
        replies::confirm(&self.world.context, &self.world.caller, confirm).await
    }

    pub async fn cancel(&self, id: &str) -> Result<Reply> {
        replies::cancel(&self.world.context, &self.world.caller, id, None).await
    }

    pub async fn retry(&self, id: &str) -> Result<Reply> {
        replies::retry(&self.world.context, &self.world.caller, id, None).await
    }

    pub async fn get(&self, id: &str) -> Reply {
        let reply = replies::get(&self.world.context, &self.world.caller, id).await;
        reply.expect("is there")
    }

    pub async fn all(&self) -> Vec<Reply> {
        let everything = Filter::default();
        let page = replies::list(
            &self.world.context,
            &self.world.caller,
            &everything,
            &page(50, ""),
        )
        .await;
        page.expect("lists").items
    }

    /// Claims due replies until one needs an attempt.
    pub async fn next(&self) -> Option<(Claim, Plan)> {
        let context = &self.world.context;
        for id in jobs::sweep(&context.store, 64).await.expect("the table") {
            let row = rows::Entity::find_by_id(&id).one(context.store.reader()).await;
            if row
                .expect("the table")
                .is_none_or(|row| row.kind != jobs::Kind::SendReply)
            {
                continue;
            }
            let claim = jobs::claim(&context.store, &id, "fixture", context.settings.jobs.lease_ms).await;
            let Some(claim) = claim.expect("the table") else {
                continue;
            };
            match attempt::begin(context, &claim).await.expect("is decided") {
                Plan::Nothing => {}
                plan => return Some((claim, plan)),
            }
        }
        None
    }

    pub async fn next_to_send(&self) -> (Claim, Work) {
        match self.next().await {
            Some((claim, Plan::Send(work))) => (claim, work),
            other => panic!("nothing to send: {other:?}"),
        }
    }

    pub async fn intend(&self, claim: &Claim, work: &Work) -> Result<Intent, IntentDenied> {
        let intent = intent::commit(&self.world.context, claim, work, &[]).await;
        intent.expect("is decided")
    }

    pub async fn conclude(&self, claim: &Claim, next: FollowUp) {
        outcome::conclude(&self.world.context, claim, next)
            .await
            .expect("is written");
    }

    /// Counts the unfinished jobs of replies.
    pub async fn open_work(&self) -> u64 {
        let open = rows::Entity::find()
            .filter(rows::Column::Kind.eq(jobs::Kind::SendReply))
            .filter(rows::Column::State.is_in([
                jobs::State::Queued,
                jobs::State::Running,
                jobs::State::Waiting,
            ]));
        open.count(self.world.context.store.reader())
            .await
            .expect("the table")
    }
}
