//! The step log: the steps of an attempt, with evidence of the page where it stopped.

use bytes::Bytes;
use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use vintedbot_marketplace::{Evidence, Stopped};

use super::timeline;
use crate::events::Ephemeral;
use crate::jobs::Claim;
use crate::media::{files, thumbnail};
use crate::store::Tx;
use crate::store::entities::{publish_jobs, publish_steps};
use crate::{Context, Error, Result};

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    Done,
    Failed,
    Challenged,
}

impl StepOutcome {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Failed => "FAILED",
            Self::Challenged => "CHALLENGED",
        }
    }
}

/// A completed step.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    pub step: &'static str,
    pub message: String,
    /// The CSS selector that found the field. Absent: the step has no field.
    pub selector: Option<String>,
    /// A screenshot of the window as PNG. Absent: there is no window.
    pub picture: Option<Bytes>,
}

/// Records a completed step. The inner error tells the attempt to stop: its job was cancelled, or its claim was lost.
pub async fn reached(
    context: &Context,
    claim: &Claim,
    job_id: &str,
    reached: Reached,
) -> Result<std::result::Result<(), Stopped>> {
    let (claim, job_id) = (claim.clone(), job_id.to_owned());
    let Reached {
        step,
        message,
        selector,
        picture,
    } = reached;
    let stored = StoredEvidence {
        thumbnail: match picture {
            Some(picture) => store_thumbnail(context, &job_id, picture).await,
            None => None,
        },
        selector,
        ..StoredEvidence::default()
    };
    let recorded = context
        .store
        .write(move |tx| {
            let (claim, job_id) = (claim.clone(), job_id.clone());
            let (message, stored) = (message.clone(), stored.clone());
            async move {
                if claim.require_live(tx).await.is_err() {
                    return Ok(Err(Stopped("the claim was lost".to_owned())));
                }
                let row = super::job::load(tx, &job_id).await?;
                if row.cancel_requested {
                    return Ok(Err(Stopped("cancelled".to_owned())));
                }
                let written = write(tx, &row, step, StepOutcome::Done, &message, stored).await?;
                Ok(Ok((row.workspace_id, written)))
            }
            .boxed()
        })
        .await?;
    Ok(recorded.map(|(workspace_id, ephemeral)| context.feed.tell(&workspace_id, ephemeral)))
}

/// Records the step at which an attempt stopped and stores the evidence. Requires no claim, because evidence is useful
/// even after the claim was lost.
pub async fn stopped(
    context: &Context,
    job_id: &str,
    step: &str,
    outcome: StepOutcome,
    message: &str,
    evidence: Option<&Evidence>,
) -> Result<()> {
    let stored = match evidence {
        Some(evidence) => try_store_evidence(context, job_id, evidence).await?,
        None => StoredEvidence::default(),
    };
    record(context, job_id, step, outcome, message, stored).await
}

/// Records a step with its screenshot and page text. Returns the screenshot's key in the file store.
///
/// # Errors
/// The evidence cannot be stored.
pub async fn photographed(
    context: &Context,
    job_id: &str,
    step: &str,
    evidence: &Evidence,
) -> Result<Option<String>> {
    let stored = store_evidence(context, job_id, evidence).await?;
    let key = stored.screenshot.as_ref().map(|(key, _)| key.clone());
    record(context, job_id, step, StepOutcome::Done, &evidence.url, stored).await?;
    Ok(key)
}

/// As [`photographed`], for a step after a write on the site: an unreachable media store is not an error.
pub async fn photographed_after(
    context: &Context,
    job_id: &str,
    step: &str,
    evidence: &Evidence,
) -> Result<()> {
    let stored = try_store_evidence(context, job_id, evidence).await?;
    record(context, job_id, step, StepOutcome::Done, &evidence.url, stored).await
}

/// Records a step without checking whether the attempt should stop.
pub async fn note(context: &Context, job_id: &str, step: &str, message: &str) -> Result<()> {
    record(
        context,
        job_id,
        step,
        StepOutcome::Done,
        message,
        StoredEvidence::default(),
    )
    .await
}

#[derive(Clone, Default)]
struct StoredEvidence {
    /// Key in the file store, and size in bytes.
    screenshot: Option<(String, i64)>,
    page_text: Option<String>,
    /// Key of the thumbnail.
    thumbnail: Option<String>,
    selector: Option<String>,
}

/// Stores the thumbnail of a step. A failure is only logged, because the step timeline can do without a thumbnail.
async fn store_thumbnail(context: &Context, job_id: &str, picture: Bytes) -> Option<String> {
    let jpeg = thumbnail(picture).await?;
    let key = format!("{}/{}.jpg", timeline::folder(job_id), context.ids.id());
    match context.files.put(&key, jpeg).await {
        Ok(()) => Some(key),
        Err(error) => {
            tracing::warn!(job_id, %error, "a step's thumbnail could not be stored");
            None
        }
    }
}

/// Stores evidence. If the media store is unreachable, the step is recorded without evidence.
async fn try_store_evidence(context: &Context, job_id: &str, evidence: &Evidence) -> Result<StoredEvidence> {
    match store_evidence(context, job_id, evidence).await {
        Err(Error::Files(error @ files::Error::Unreachable(_))) => {
            tracing::warn!(job_id, %error, "the evidence of a step could not be stored");
            Ok(StoredEvidence::default())
        }
        stored => stored,
    }
}

async fn store_evidence(context: &Context, job_id: &str, evidence: &Evidence) -> Result<StoredEvidence> {
    let name = format!("{}/{}", timeline::folder(job_id), context.ids.id());
    let mut stored = StoredEvidence::default();
    if let Some(png) = &evidence.screenshot {
        let key = format!("{name}.png");
        context.files.put(&key, png.clone()).await?;
        stored.screenshot = Some((key, i64::try_from(png.len()).unwrap_or(i64::MAX)));
        stored.thumbnail = store_thumbnail(context, job_id, png.clone()).await;
    }
    if !evidence.page_text.is_empty() {
        let key = format!("{name}.txt");
        context
            .files
            .put(&key, Bytes::from(evidence.page_text.clone()))
            .await?;
        stored.page_text = Some(key);
    }
    Ok(stored)
}

async fn record(
    context: &Context,
    job_id: &str,
    step: &str,
    outcome: StepOutcome,
    message: &str,
    stored: StoredEvidence,
) -> Result<()> {
    let (job_id, step, message) = (job_id.to_owned(), step.to_owned(), message.to_owned());
    let (workspace_id, ephemeral) = context
        .store
        .write(move |tx| {
            let (job_id, step, message, stored) =
                (job_id.clone(), step.clone(), message.clone(), stored.clone());
            async move {
                let row = super::job::load(tx, &job_id).await?;
                let written = write(tx, &row, &step, outcome, &message, stored).await?;
                Ok((row.workspace_id, written))
            }
            .boxed()
        })
        .await?;
    context.feed.tell(&workspace_id, ephemeral);
    Ok(())
}

async fn write(
    tx: &Tx,
    row: &publish_jobs::Model,
    step: &str,
    outcome: StepOutcome,
    message: &str,
    stored: StoredEvidence,
) -> Result<Ephemeral> {
    let last: Option<Option<i64>> = publish_steps::Entity::find()
        .select_only()
        .column_as(publish_steps::Column::Number.max(), "last")
        .filter(publish_steps::Column::PublishJobId.eq(row.id.as_str()))
        .into_tuple()
        .one(tx)
        .await?;
    let number = last.flatten().unwrap_or(0) + 1;
    let attempt = row.prepare_attempts + row.publish_attempts;
    let time = tx.now().await?;
    let (screenshot_key, screenshot_bytes) = stored.screenshot.unzip();
    let step_row = publish_steps::ActiveModel {
        publish_job_id: Set(row.id.clone()),
        number: Set(number),
        time: Set(time),
        attempt: Set(attempt),
        step: Set(step.to_owned()),
        outcome: Set(outcome.name().to_owned()),
        message: Set(message.to_owned()),
        screenshot_key: Set(screenshot_key),
        screenshot_bytes: Set(screenshot_bytes),
        page_text_key: Set(stored.page_text),
        selector: Set(stored.selector.clone()),
        thumbnail_key: Set(stored.thumbnail.clone()),
    };
    publish_steps::Entity::insert(step_row)
        .exec_without_returning(tx)
        .await?;
    Ok(Ephemeral::PublishStep {
        publish_job_id: row.id.clone(),
        number,
        attempt,
        step: step.to_owned(),
        outcome: outcome.name().to_owned(),
        message: message.to_owned(),
        time,
        selector: stored.selector,
        thumbnail_key: stored.thumbnail,
    })
}
