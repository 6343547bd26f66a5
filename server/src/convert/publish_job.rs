//! Publish jobs, their steps, screenshots and checks.

use vintedbot_domain::clock::Millis;
use vintedbot_domain::publishing::{
    self, Check, CheckKind, FieldChange, JobKind, PublishJob, State, WaitReason,
};
use vintedbot_domain::store::entities::publish_steps;
use vintedbot_proto::v1;
use vintedbot_proto::v1::confirm_publish_response as confirm;
use vintedbot_proto::v1::publish_job as job;

use super::{saturating_i32, saturating_u64, timestamp};
use crate::errors::{self, Problem};
use crate::signed::Signer;

/// Converts a job without its confirmation, which only `GetPublishJob` adds.
pub fn to_proto(signer: &Signer<'_>, source: PublishJob) -> v1::PublishJob {
    let preview = (!source.read_back.is_empty()).then(|| signer.preview(&source.workspace_id, &source.id));
    let (preview_url, preview_url_expire_time) = preview
        .map(|page| (page.url, timestamp(page.expire_time)))
        .unzip();
    v1::PublishJob {
        state: state(source.state).into(),
        dry_run: source.dry_run,
        prepare_number: saturating_i32(source.prepare_number),
        revision_hash: source.revision_hash,
        requires_action: source.requires_action,
        reason: source.reason.map(errors::reason).unwrap_or_default().into(),
        reason_message: source.message,
        waiting: source.wait_reason.map(|why| job::Waiting {
            why: wait_reason(why).into(),
            until: source.wait_until.map(timestamp),
        }),
        read_back: source.read_back.into_iter().map(read_back).collect(),
        preview_url: preview_url.unwrap_or_default(),
        preview_url_expire_time,
        confirmation: None,
        draft_remote_id: source.draft_remote_id.unwrap_or_default(),
        remote_item_id: source.remote_item_id.unwrap_or_default(),
        remote_url: source.remote_url.unwrap_or_default(),
        hidden: source.hidden,
        possible_duplicate: source.possible_duplicate,
        prepare_attempts: saturating_i32(source.prepare_attempts),
        publish_attempts: saturating_i32(source.publish_attempts),
        create_time: Some(timestamp(source.create_time)),
        update_time: Some(timestamp(source.update_time)),
        confirm_time: source.confirm_time.map(timestamp),
        end_time: source.end_time.map(timestamp),
        sequence: saturating_u64(source.sequence),
        kind: kind(source.kind).into(),
        schedule_time: source.schedule_time.map(timestamp),
        manual_takeover: source.manual_takeover,
        changes: source.changes.into_iter().map(change).collect(),
        step_timeline: Vec::new(),
        id: source.id,
        listing_id: source.listing_id,
        account_id: source.account_id,
        site: source.site,
    }
}

/// Converts the confirmation of a job. Only for callers with the scope `publish:confirm`.
pub fn confirmation(token: String, expire_time: Millis, revision_hash: String) -> v1::Confirmation {
    v1::Confirmation {
        confirm_token: token,
        expire_time: Some(timestamp(expire_time)),
        revision_hash,
    }
}

fn read_back(reading: vintedbot_marketplace::FieldReading) -> job::ReadBackField {
    job::ReadBackField {
        field: reading.field,
        approved: reading.approved,
        seen: reading.seen,
        matches: reading.matches,
    }
}

fn change(change: FieldChange) -> v1::FieldChange {
    v1::FieldChange {
        field: change.field,
        before: change.before,
        after: change.after,
    }
}

fn kind(kind: JobKind) -> job::Kind {
    match kind {
        JobKind::Publish => job::Kind::Publish,
        JobKind::Edit => job::Kind::Edit,
        JobKind::Hide => job::Kind::Hide,
        JobKind::Unhide => job::Kind::Unhide,
        JobKind::Delete => job::Kind::Delete,
    }
}

pub fn state(state: State) -> job::State {
    match state {
        State::Queued => job::State::Queued,
        State::Preparing => job::State::Preparing,
        State::AwaitingConfirmation => job::State::AwaitingConfirmation,
        State::Confirmed => job::State::Confirmed,
        State::Publishing => job::State::Publishing,
        State::Unconfirmed => job::State::Unconfirmed,
        State::Blocked => job::State::Blocked,
        State::Published => job::State::Published,
        State::Failed => job::State::Failed,
        State::Cancelled => job::State::Cancelled,
        State::Expired => job::State::Expired,
        State::Scheduled => job::State::Scheduled,
        State::ManualTakeover => job::State::ManualTakeover,
        State::Done => job::State::Done,
    }
}

/// Converts a state to filter by.
pub fn from_state(state: job::State) -> Option<State> {
    match state {
        job::State::Unspecified => None,
        job::State::Queued => Some(State::Queued),
        job::State::Preparing => Some(State::Preparing),
        job::State::AwaitingConfirmation => Some(State::AwaitingConfirmation),
        job::State::Confirmed => Some(State::Confirmed),
        job::State::Publishing => Some(State::Publishing),
        job::State::Unconfirmed => Some(State::Unconfirmed),
        job::State::Blocked => Some(State::Blocked),
        job::State::Published => Some(State::Published),
        job::State::Failed => Some(State::Failed),
        job::State::Cancelled => Some(State::Cancelled),
        job::State::Expired => Some(State::Expired),
        job::State::Scheduled => Some(State::Scheduled),
        job::State::ManualTakeover => Some(State::ManualTakeover),
        job::State::Done => Some(State::Done),
    }
}

fn wait_reason(reason: WaitReason) -> job::waiting::Why {
    match reason {
        WaitReason::Worker => job::waiting::Why::Worker,
        WaitReason::RateLimit => job::waiting::Why::RateLimit,
        WaitReason::AccountBusy => job::waiting::Why::AccountBusy,
        WaitReason::AccountPaused => job::waiting::Why::AccountPaused,
        WaitReason::Backoff => job::waiting::Why::Backoff,
        WaitReason::Settling => job::waiting::Why::Settling,
        WaitReason::Confirmation => job::waiting::Why::Confirmation,
        WaitReason::Person => job::waiting::Why::Person,
        WaitReason::Schedule => job::waiting::Why::Schedule,
    }
}

pub fn check(check: Check, now: Millis) -> confirm::Check {
    let problem = check.refusal.map(Problem::from);
    let wait = problem.as_ref().and_then(Problem::retry_after);
    confirm::Check {
        kind: check_kind(check.kind).into(),
        passed: problem.is_none(),
        reason: problem.as_ref().map(Problem::reason).unwrap_or_default().into(),
        available_time: wait.map(|wait| timestamp(now.saturating_add(wait.as_millis() as Millis))),
        message: problem
            .map(|problem| problem.message().to_owned())
            .unwrap_or_default(),
    }
}

fn check_kind(kind: CheckKind) -> confirm::check::Kind {
    match kind {
        CheckKind::Token => confirm::check::Kind::Token,
        CheckKind::JobState => confirm::check::Kind::JobState,
        CheckKind::Revision => confirm::check::Kind::Revision,
        CheckKind::Account => confirm::check::Kind::Account,
        CheckKind::NoOpenEffect => confirm::check::Kind::NoOpenEffect,
        CheckKind::RateLimit => confirm::check::Kind::RateLimit,
    }
}

/// Converts steps, with the URLs of their thumbnails.
pub fn steps(signer: &Signer<'_>, rows: Vec<publish_steps::Model>) -> Vec<v1::PublishStep> {
    rows.into_iter().map(|row| step(signer, row)).collect()
}

fn step(signer: &Signer<'_>, row: publish_steps::Model) -> v1::PublishStep {
    v1::PublishStep {
        number: row.number,
        attempt: saturating_i32(row.attempt),
        outcome: step_outcome(&row.outcome).into(),
        screenshot_id: row
            .screenshot_key
            .as_deref()
            .map(screenshot_id)
            .unwrap_or_default(),
        step: row.step,
        message: row.message,
        time: Some(timestamp(row.time)),
        selector: row.selector.unwrap_or_default(),
        thumbnail_url: thumbnail_url(signer, row.thumbnail_key.as_deref()),
    }
}

/// Returns the URL of a step's thumbnail. Empty if the step has no thumbnail.
pub fn thumbnail_url(signer: &Signer<'_>, key: Option<&str>) -> String {
    let address = key.and_then(|key| signer.file(key, "image/jpeg"));
    address.map(|address| address.url).unwrap_or_default()
}

/// Returns the contract's outcome for a name in the step log.
pub fn step_outcome(name: &str) -> v1::publish_step::Outcome {
    v1::publish_step::Outcome::from_str_name(&format!("OUTCOME_{name}")).unwrap_or_default()
}

/// Converts the evidence of a step: a screenshot, the page's text, or both. `None` if the step stored none. Without a
/// browser, there is only text.
pub fn screenshot(signer: &Signer<'_>, row: publish_steps::Model) -> Option<v1::Screenshot> {
    let id = screenshot_id(row.screenshot_key.as_deref().or(row.page_text_key.as_deref())?);
    let picture = row.screenshot_key.and_then(|key| signer.file(&key, "image/png"));
    let text = row
        .page_text_key
        .and_then(|key| signer.file(&key, "text/plain; charset=utf-8"));
    let expire_time = picture
        .as_ref()
        .or(text.as_ref())
        .map(|file| timestamp(file.expire_time));
    Some(v1::Screenshot {
        id,
        publish_job_id: row.publish_job_id,
        attempt: saturating_i32(row.attempt),
        step: row.step,
        content_type: picture
            .as_ref()
            .map(|_| "image/png".to_owned())
            .unwrap_or_default(),
        url: picture.map(|picture| picture.url).unwrap_or_default(),
        page_text_url: text.map(|text| text.url).unwrap_or_default(),
        url_expire_time: expire_time,
        size_bytes: row.screenshot_bytes.unwrap_or_default(),
        create_time: Some(timestamp(row.time)),
    })
}

/// Returns the id of a screenshot, which is the name of its file.
fn screenshot_id(key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.split('.').next().unwrap_or(name).to_owned()
}

/// Converts a person's resolution of a job in doubt.
pub fn resolution(outcome: v1::resolve_publish_job_request::Outcome) -> publishing::Resolution {
    match outcome {
        v1::resolve_publish_job_request::Outcome::Published(published) => publishing::Resolution::Published {
            remote_item_id: published.remote_item_id,
        },
        v1::resolve_publish_job_request::Outcome::NotPublished(_) => publishing::Resolution::NotPublished,
    }
}
