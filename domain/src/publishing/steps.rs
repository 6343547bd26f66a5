//! The step log: what an attempt did, with what it looked like where it stopped.

use bytes::Bytes;
use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use vintedbot_marketplace::{Evidence, Stopped};

use super::film;
use crate::events::Ephemeral;
use crate::jobs::Claim;
use crate::media::{files, thumbnail};
use crate::store::Tx;
use crate::store::entities::{publish_jobs, publish_steps};
use crate::{Domain, Error, Result};

/// How a step went.
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

/// A step that was done: how, and what the page looked like then.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    pub step: &'static str,
    pub message: String,
    /// The CSS by which it found its field.
    pub selector: Option<String>,
    /// PNG of the window.
    pub picture: Option<Bytes>,
}

/// Records a step that was done, and says when the attempt is to stop: its job was cancelled, or its claim is lost.
pub async fn reached(
    domain: &Domain,
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
    let kept = Kept {
        thumbnail: match picture {
            Some(picture) => keep_thumbnail(domain, &job_id, picture).await,
            None => None,
        },
        selector,
        ..Kept::default()
    };
    let told = domain
        .store
        .write(move |tx| {
            let (claim, job_id) = (claim.clone(), job_id.clone());
            let (message, kept) = (message.clone(), kept.clone());
            async move {
                if claim.require_live(tx).await.is_err() {
                    return Ok(Err(Stopped("the claim was lost".to_owned())));
                }
                let row = super::job::load(tx, &job_id).await?;
                if row.cancel_requested {
                    return Ok(Err(Stopped("cancelled".to_owned())));
                }
                let written = write(tx, &row, step, StepOutcome::Done, &message, kept).await?;
                Ok(Ok((row.owner_id, written)))
            }
            .boxed()
        })
        .await?;
    Ok(told.map(|(owner_id, ephemeral)| domain.feed.tell(&owner_id, ephemeral)))
}

/// Records where an attempt stopped, and keeps what the page looked like. Works without a claim: evidence is evidence.
pub async fn stopped(
    domain: &Domain,
    job_id: &str,
    step: &str,
    outcome: StepOutcome,
    message: &str,
    evidence: Option<&Evidence>,
) -> Result<()> {
    let kept = match evidence {
        Some(evidence) => keep_if_possible(domain, job_id, evidence).await?,
        None => Kept::default(),
    };
    record(domain, job_id, step, outcome, message, kept).await
}

/// Keeps a screenshot with its page text under the step; answers with the screenshot's key in the file store.
pub async fn photographed(
    domain: &Domain,
    job_id: &str,
    step: &str,
    evidence: &Evidence,
) -> Result<Option<String>> {
    let kept = keep(domain, job_id, evidence).await?;
    let key = kept.screenshot.as_ref().map(|(key, _)| key.clone());
    record(domain, job_id, step, StepOutcome::Done, &evidence.url, kept).await?;
    Ok(key)
}

/// As [`photographed`], after something that cannot be undone: without a picture, where none can be kept.
pub async fn photographed_after(
    domain: &Domain,
    job_id: &str,
    step: &str,
    evidence: &Evidence,
) -> Result<()> {
    let kept = keep_if_possible(domain, job_id, evidence).await?;
    record(domain, job_id, step, StepOutcome::Done, &evidence.url, kept).await
}

/// Records a step without asking whether to go on.
pub async fn note(domain: &Domain, job_id: &str, step: &str, message: &str) -> Result<()> {
    record(domain, job_id, step, StepOutcome::Done, message, Kept::default()).await
}

#[derive(Clone, Default)]
struct Kept {
    /// Key in the file store, and size.
    screenshot: Option<(String, i64)>,
    page_text: Option<String>,
    /// Key of the small picture.
    thumbnail: Option<String>,
    selector: Option<String>,
}

/// Keeps a small picture of a step. Without one the film strip has a gap, and nothing else is lost.
async fn keep_thumbnail(domain: &Domain, job_id: &str, picture: Bytes) -> Option<String> {
    let jpeg = thumbnail(picture).await?;
    let key = format!("{}/{}.jpg", film::folder(job_id), domain.ids.id());
    match domain.files.put(&key, jpeg).await {
        Ok(()) => Some(key),
        Err(error) => {
            tracing::warn!(job_id, %error, "a step's picture could not be kept");
            None
        }
    }
}

/// What happened is written down, whether the media store is there or not.
async fn keep_if_possible(domain: &Domain, job_id: &str, evidence: &Evidence) -> Result<Kept> {
    match keep(domain, job_id, evidence).await {
        Err(Error::Files(error @ files::Error::Unreachable(_))) => {
            tracing::warn!(job_id, %error, "what a page looked like could not be kept");
            Ok(Kept::default())
        }
        kept => kept,
    }
}

async fn keep(domain: &Domain, job_id: &str, evidence: &Evidence) -> Result<Kept> {
    let name = format!("{}/{}", film::folder(job_id), domain.ids.id());
    let mut kept = Kept::default();
    if let Some(png) = &evidence.screenshot {
        let key = format!("{name}.png");
        domain.files.put(&key, png.clone()).await?;
        kept.screenshot = Some((key, i64::try_from(png.len()).unwrap_or(i64::MAX)));
        kept.thumbnail = keep_thumbnail(domain, job_id, png.clone()).await;
    }
    if !evidence.page_text.is_empty() {
        let key = format!("{name}.txt");
        domain
            .files
            .put(&key, Bytes::from(evidence.page_text.clone()))
            .await?;
        kept.page_text = Some(key);
    }
    Ok(kept)
}

async fn record(
    domain: &Domain,
    job_id: &str,
    step: &str,
    outcome: StepOutcome,
    message: &str,
    kept: Kept,
) -> Result<()> {
    let (job_id, step, message) = (job_id.to_owned(), step.to_owned(), message.to_owned());
    let (owner_id, ephemeral) = domain
        .store
        .write(move |tx| {
            let (job_id, step, message, kept) = (job_id.clone(), step.clone(), message.clone(), kept.clone());
            async move {
                let row = super::job::load(tx, &job_id).await?;
                let written = write(tx, &row, &step, outcome, &message, kept).await?;
                Ok((row.owner_id, written))
            }
            .boxed()
        })
        .await?;
    domain.feed.tell(&owner_id, ephemeral);
    Ok(())
}

async fn write(
    tx: &Tx,
    row: &publish_jobs::Model,
    step: &str,
    outcome: StepOutcome,
    message: &str,
    kept: Kept,
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
    let (screenshot_key, screenshot_bytes) = kept.screenshot.unzip();
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
        page_text_key: Set(kept.page_text),
        selector: Set(kept.selector.clone()),
        thumbnail_key: Set(kept.thumbnail.clone()),
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
        selector: kept.selector,
        thumbnail_key: kept.thumbnail,
    })
}
