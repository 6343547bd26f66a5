//! The step timeline of the demo: every step of every attempt, on one self-contained page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::publish_step::Outcome;
use vintedbot_sdk::v1::{PublishJob, PublishStep};

use super::story::Progress;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#222}h2{margin:2.5rem 0 0}\
    h3{margin:1.2rem 0 .4rem;font-weight:600}.timeline{display:flex;flex-wrap:wrap;gap:.8rem}\
    figure{width:13rem;margin:0;padding:.5rem;border:1px solid #ddd;border-radius:.4rem;overflow-wrap:anywhere}\
    figure img{width:100%;border:1px solid #eee}figcaption{font-size:.8em}code{font-size:.95em;color:#555}\
    .failed,.challenged{background:#fde8e8;border-color:#d66}.none{color:#999}";

/// Writes the step timeline of all jobs. Returns the path of the page.
///
/// # Errors
///
/// Fails if the instance does not answer or the file cannot be written.
pub async fn write(progress: &Progress, client: &Client, folder: &Path) -> Result<PathBuf> {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>The demo, step by step</title>\
         <style>{STYLE}</style></head><body><h1>The demo, step by step</h1>"
    );
    for act in progress.acts.iter().filter(|act| !act.job.id.is_empty()) {
        let job = client.publish().get(&act.job.id).await?;
        section(&mut page, &act.listing.title, &job).await?;
    }
    page.push_str("</body></html>");
    let file = folder.join("step-timeline.html");
    tokio::fs::write(&file, page).await?;
    Ok(file)
}

async fn section(page: &mut String, title: &str, job: &PublishJob) -> Result<()> {
    ensure!(
        !job.step_timeline.is_empty(),
        "job {} has no step timeline",
        job.id
    );
    let state = job.state().as_str_name().trim_start_matches("STATE_");
    write!(page, "<h2>{}</h2><p>{state}", escape(title))?;
    if !job.reason_message.is_empty() {
        write!(page, ": {}", escape(&job.reason_message))?;
    }
    page.push_str("</p>");
    let mut attempts: BTreeMap<i32, Vec<&PublishStep>> = BTreeMap::new();
    for step in &job.step_timeline {
        attempts.entry(step.attempt).or_default().push(step);
    }
    for (attempt, steps) in attempts {
        write!(page, "<h3>Attempt {attempt}</h3><div class=\"timeline\">")?;
        for step in steps {
            frame(page, step).await?;
        }
        page.push_str("</div>");
    }
    Ok(())
}

async fn frame(page: &mut String, step: &PublishStep) -> Result<()> {
    let verdict = match step.outcome() {
        Outcome::Failed => "failed",
        Outcome::Challenged => "challenged",
        Outcome::Started => "started",
        Outcome::Done | Outcome::Unspecified => "done",
    };
    write!(page, "<figure class=\"{verdict}\">")?;
    if step.thumbnail_url.is_empty() {
        page.push_str("<p class=\"none\">no picture</p>");
    } else {
        let picture = reqwest::get(&step.thumbnail_url).await?.error_for_status()?;
        let picture = STANDARD.encode(picture.bytes().await?);
        write!(page, "<img alt=\"\" src=\"data:image/jpeg;base64,{picture}\">")?;
    }
    let time = step.time.context("a step has no time")?;
    write!(
        page,
        "<figcaption>{} <b>{}</b>: {verdict}",
        escape(&time.to_string()),
        escape(&step.step)
    )?;
    if !step.selector.is_empty() {
        write!(page, "<br><code>{}</code>", escape(&step.selector))?;
    }
    if !step.message.is_empty() {
        write!(page, "<br>{}", escape(&step.message))?;
    }
    page.push_str("</figcaption></figure>");
    Ok(())
}

/// Escapes a text for HTML, because texts come from the site and from people.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
