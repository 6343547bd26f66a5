//! The publish job resource, and reading it.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::FieldReading;

use super::{EffectState, JobKind, Revision, State, token};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent, Resource, ResourceType};
use crate::identity::Caller;
use crate::store::entities::{effects, jobs as work_rows, publish_jobs, publish_steps};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, jobs};

/// Why a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WaitReason {
    Worker,
    RateLimit,
    AccountBusy,
    AccountPaused,
    Backoff,
    Settling,
    Confirmation,
    Person,
    Schedule,
}

/// A publish job, without its confirmation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishJob {
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub listing_id: String,
    pub site: String,
    pub state: State,
    pub dry_run: bool,
    pub prepare_number: i64,
    pub revision_hash: String,
    pub read_back: Vec<FieldReading>,
    pub screenshot_key: Option<String>,
    pub requires_action: bool,
    pub reason: Option<Reason>,
    pub message: String,
    pub wait_reason: Option<WaitReason>,
    pub wait_until: Option<Millis>,
    pub confirm_expire_time: Option<Millis>,
    pub confirm_time: Option<Millis>,
    pub draft_remote_id: Option<String>,
    pub remote_item_id: Option<String>,
    pub remote_url: Option<String>,
    pub hidden: bool,
    pub possible_duplicate: bool,
    /// Private drafts on the site that a draft save in doubt may have left.
    pub stray_drafts: Vec<String>,
    pub prepare_attempts: i64,
    pub publish_attempts: i64,
    pub create_time: Millis,
    pub update_time: Millis,
    pub end_time: Option<Millis>,
    pub sequence: i64,
    pub kind: JobKind,
    pub schedule_time: Option<Millis>,
    pub manual_takeover: bool,
    /// The field changes of an edit, as read when it was prepared.
    pub changes: Vec<FieldChange>,
}

/// One field that a job changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: String,
    /// The value on the site when the change was prepared.
    pub before: String,
    pub after: String,
}

impl From<publish_jobs::Model> for PublishJob {
    fn from(row: publish_jobs::Model) -> Self {
        let wait_reason = row
            .wait_reason
            .and_then(|name| serde_json::from_value(name.into()).ok());
        let waits = match row.state {
            State::Queued | State::Confirmed => Some(WaitReason::Worker),
            State::AwaitingConfirmation => Some(WaitReason::Confirmation),
            State::Blocked => Some(WaitReason::Person),
            State::ManualTakeover => Some(WaitReason::Person),
            State::Scheduled => Some(WaitReason::Schedule),
            State::Unconfirmed if row.requires_action => Some(WaitReason::Person),
            State::Unconfirmed => Some(WaitReason::Settling),
            _ => None,
        };
        Self {
            wait_until: match row.state {
                State::AwaitingConfirmation | State::ManualTakeover => row.confirm_expire_time,
                State::Scheduled => row.schedule_time,
                _ => row.wait_until,
            },
            wait_reason: wait_reason.filter(|_| !row.state.has_ended()).or(waits),
            read_back: row
                .read_back
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
            stray_drafts: serde_json::from_str(&row.stray_drafts).unwrap_or_default(),
            reason: row.reason.as_deref().and_then(Reason::from_name),
            message: row.message.unwrap_or_default(),
            id: row.id,
            workspace_id: row.workspace_id,
            account_id: row.account_id,
            listing_id: row.listing_id,
            site: row.site,
            state: row.state,
            dry_run: row.dry_run,
            prepare_number: row.prepare_number,
            revision_hash: row.revision_hash,
            screenshot_key: row.screenshot_key,
            requires_action: row.requires_action,
            confirm_expire_time: row.confirm_expire_time,
            confirm_time: row.confirm_time,
            draft_remote_id: row.draft_remote_id,
            remote_item_id: row.remote_item_id,
            remote_url: row.remote_url,
            hidden: row.hidden,
            possible_duplicate: row.possible_duplicate,
            prepare_attempts: row.prepare_attempts,
            publish_attempts: row.publish_attempts,
            create_time: row.create_time,
            update_time: row.update_time,
            end_time: row.end_time,
            sequence: row.sequence,
            kind: row.kind,
            schedule_time: row.schedule_time,
            manual_takeover: row.manual_takeover,
            changes: serde_json::from_str(&row.changes).unwrap_or_default(),
        }
    }
}

impl Resource for PublishJob {
    const TYPE: ResourceType = ResourceType::PublishJob;
    fn id(&self) -> &str {
        &self.id
    }
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        Some(&self.account_id)
    }
}

/// Which publish jobs to list.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    pub account_id: Option<String>,
    pub listing_id: Option<String>,
    pub states: Vec<State>,
    pub requires_action: bool,
}

/// Gets a publish job of the caller's workspace.
pub async fn get(context: &Context, caller: &Caller, id: &str) -> Result<PublishJob> {
    let mut job = [find(context, caller, id).await?.into()];
    fill_wait_reason(context, &mut job).await?;
    let [job] = job;
    Ok(job)
}

/// Gets a publish job with its confirm token and the token's expiry, both from the same read. No token is returned if
/// the job does not wait for a confirmation.
pub async fn get_with_token(
    context: &Context,
    caller: &Caller,
    id: &str,
) -> Result<(PublishJob, Option<(String, Millis)>)> {
    let row = find(context, caller, id).await?;
    let token = if row.state == State::AwaitingConfirmation {
        token::issue(&context.keys, &row)
    } else {
        None
    };
    let mut job = [row.into()];
    fill_wait_reason(context, &mut job).await?;
    let [job] = job;
    Ok((job, token))
}

/// Gets the revision of a publish job.
pub async fn get_revision(context: &Context, caller: &Caller, id: &str) -> Result<Revision> {
    let row = find(context, caller, id).await?;
    Revision::decode(&row.revision, &row.revision_hash)
}

async fn find(context: &Context, caller: &Caller, id: &str) -> Result<publish_jobs::Model> {
    publish_jobs::Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .one(context.store.reader())
        .await?
        .ok_or_else(|| Error::not_found("publish job", id))
}

/// Lists publish jobs of the caller's workspace, newest first. `after` is the keyset position: create time and id of
/// the last job of the previous page.
pub async fn list(
    context: &Context,
    caller: &Caller,
    filter: &Filter,
    after: Option<(Millis, String)>,
    limit: u64,
) -> Result<Vec<PublishJob>> {
    use publish_jobs::Column;
    use sea_orm::{Condition, QuerySelect};
    let mut query = publish_jobs::Entity::find().of_workspace(&caller.workspace_id);
    if let Some(account_id) = &filter.account_id {
        query = query.filter(Column::AccountId.eq(account_id.as_str()));
    }
    if let Some(listing_id) = &filter.listing_id {
        query = query.filter(Column::ListingId.eq(listing_id.as_str()));
    }
    if !filter.states.is_empty() {
        query = query.filter(Column::State.is_in(filter.states.iter().copied()));
    }
    if filter.requires_action {
        query = query.filter(Column::RequiresAction.eq(true));
    }
    if let Some((time, id)) = after {
        let same_time = Condition::all()
            .add(Column::CreateTime.eq(time))
            .add(Column::Id.lt(id));
        query = query.filter(Condition::any().add(Column::CreateTime.lt(time)).add(same_time));
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(context.store.reader())
        .await?;
    let mut jobs: Vec<_> = rows.into_iter().map(PublishJob::from).collect();
    fill_wait_reason(context, &mut jobs).await?;
    Ok(jobs)
}

/// Fills the wait reason of publishing jobs without a recorded outcome. The site is read for the outcome after
/// `reconcile_after` and after the claim's lease: then the holder of the effect, dead or alive, can no longer act.
async fn fill_wait_reason(context: &Context, found: &mut [PublishJob]) -> Result<()> {
    let is_silent = |job: &&mut PublishJob| job.state == State::Publishing && job.wait_reason.is_none();
    for job in found.iter_mut().filter(is_silent) {
        let reader = context.store.reader();
        let effect = effects::Entity::find()
            .filter(effects::Column::SubjectId.eq(job.id.as_str()))
            .filter(effects::Column::State.eq(EffectState::Intended))
            .one(reader)
            .await?;
        let work = work_rows::Entity::find()
            .filter(work_rows::Column::UniqueKey.eq(super::work_key(&job.id)))
            .filter(work_rows::Column::State.eq(jobs::State::Running))
            .one(reader)
            .await?;
        if let Some(effect) = effect {
            let lease_until = work.and_then(|work| work.lease_until).unwrap_or_default();
            job.wait_reason = Some(WaitReason::Settling);
            job.wait_until = Some(effect.reconcile_after.max(lease_until));
        }
    }
    Ok(())
}

/// Lists the steps of a job after the step number `after`, in order.
pub async fn list_steps(
    context: &Context,
    caller: &Caller,
    job_id: &str,
    after: i64,
    limit: u64,
) -> Result<Vec<publish_steps::Model>> {
    use sea_orm::QuerySelect;
    find(context, caller, job_id).await?;
    Ok(publish_steps::Entity::find()
        .filter(publish_steps::Column::PublishJobId.eq(job_id))
        .filter(publish_steps::Column::Number.gt(after))
        .order_by_asc(publish_steps::Column::Number)
        .limit(limit)
        .all(context.store.reader())
        .await?)
}

/// Loads the job's row and locks it until the transaction ends.
pub(super) async fn load(tx: &Tx, id: &str) -> Result<publish_jobs::Model> {
    let row = tx.locked(publish_jobs::Entity::find_by_id(id)).one(tx).await?;
    row.ok_or_else(|| Error::not_found("publish job", id))
}

/// As [`load`]; NOT_FOUND if the job belongs to another workspace.
pub(super) async fn load_owned(tx: &Tx, workspace_id: &str, id: &str) -> Result<publish_jobs::Model> {
    let query = publish_jobs::Entity::find_by_id(id).of_workspace(workspace_id);
    let row = tx.locked(query).one(tx).await?;
    row.ok_or_else(|| Error::not_found("publish job", id))
}

/// Writes a loaded row and emits an event of the given kind.
pub(super) async fn save(tx: &Tx, mut row: publish_jobs::Model, kind: Kind) -> Result<PublishJob> {
    row.update_time = tx.now().await?;
    if row.state.has_ended() && row.end_time.is_none() {
        row.end_time = Some(row.update_time);
    }
    row.clone().into_active_model().reset_all().update(tx).await?;
    let job = PublishJob::from(row);
    tx.emit(PendingEvent::changed(kind, &job)?);
    Ok(job)
}

/// Records why a job waits. Emits no event, because a wait is not a change of the resource.
pub(super) async fn wait(
    tx: &Tx,
    row: &publish_jobs::Model,
    reason: Option<WaitReason>,
    until: Option<Millis>,
) -> Result<()> {
    use sea_orm::sea_query::Expr;
    let name = reason.and_then(|reason| serde_json::to_value(reason).ok());
    let name = name.and_then(|value| value.as_str().map(str::to_owned));
    if row.wait_reason == name && row.wait_until == until {
        return Ok(());
    }
    publish_jobs::Entity::update_many()
        .col_expr(publish_jobs::Column::WaitReason, Expr::value(name))
        .col_expr(publish_jobs::Column::WaitUntil, Expr::value(until))
        .filter(publish_jobs::Column::Id.eq(row.id.as_str()))
        .exec(tx)
        .await?;
    Ok(())
}
