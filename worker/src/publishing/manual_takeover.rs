//! Manual takeover: the attempt fills the form and reads it back, then leaves the window to the person, who publishes
//! there or not. After that, the attempt only watches: the window, to know when to stop, and the site, for the outcome.

use std::time::Duration;

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::manual_takeover::{self, Closed, Turn};
use vintedbot_domain::publishing::outcome::{self, FollowUp};
use vintedbot_domain::publishing::{EffectKind, WaitReason, reconcile, steps};
use vintedbot_domain::store::entities::effects;
use vintedbot_marketplace::{BrowserWindow, Error as SiteError, FillStep};

use super::attempt::{limited, with_lease};
use super::form_session::{self, Running};
use super::observer::Observer;
use super::prepare::proposal;
use super::stopped;
use crate::{Worker, effects as writes};

const MANUAL_TAKEOVER: &str = "MANUAL_TAKEOVER";
const WINDOW_WATCHED: &str = "WINDOW_WATCHED";

/// The end of an attempt at a manual takeover.
enum End {
    /// The window was never given to the person, or the outcome is recorded.
    Known(FollowUp),
    /// The window is closed or left, and the site must be read. `instead` is the follow-up if it differs from that.
    Settles {
        effect_id: String,
        why: Closed,
        instead: Option<FollowUp>,
    },
}

/// Runs one attempt. The window is always closed at the end; after that, the outcome is read from the site.
pub async fn run(worker: &Worker, claim: &Claim, work: &Work) -> Result<FollowUp> {
    let context = &worker.context;
    if let Err(next) = form_session::end_leftovers(worker, &work.account_context.account_id).await? {
        return Ok(next);
    }
    let mut running = match form_session::start(worker, claim, work).await? {
        Ok(running) => running,
        Err(error) => return stopped(worker, &work.job_id, "FORM_SESSION_STARTED", &error).await,
    };
    let ended = with_lease(
        worker,
        claim,
        work,
        fill_and_watch(worker, claim, work, &mut running),
    )
    .await;
    form_session::quit(context, running).await?;
    match ended? {
        End::Known(next) => Ok(next),
        End::Settles {
            effect_id,
            why,
            instead,
        } => {
            manual_takeover::closed(context, &effect_id, why).await?;
            steps::note(context, &work.job_id, WINDOW_WATCHED, close_reason(why)).await?;
            Ok(match instead {
                Some(next) => next,
                None => FollowUp::Later {
                    until: context.store.now().await?,
                    why: WaitReason::Settling,
                },
            })
        }
    }
}

fn close_reason(why: Closed) -> &'static str {
    match why {
        Closed::ByPerson => "the window was closed or left",
        Closed::InTime => "the window was closed: its time limit was reached",
        Closed::Cancelled => "the window was closed: the job is being cancelled",
        Closed::WithUs => "the window was closed by the worker",
    }
}

async fn fill_and_watch(worker: &Worker, claim: &Claim, work: &Work, running: &mut Running) -> Result<End> {
    let context = &worker.context;
    let observer = Observer {
        worker,
        claim,
        job_id: &work.job_id,
    };
    // Fills a new form even if an earlier window saved a draft, so the person gets exactly the form that was read back.
    let filled = match limited(worker, running.form_driver.fill(&observer)).await {
        Ok(filled) => filled,
        Err(error) => {
            return stopped(worker, &work.job_id, "FILL", &error)
                .await
                .map(End::Known);
        }
    };
    let step = FillStep::ScreenshotTaken.name();
    let screenshot_key = steps::photographed(context, &work.job_id, step, &filled.evidence).await?;
    manual_takeover::shown(context, claim, &work.job_id, &filled.read_back, screenshot_key).await?;
    let before = async {
        let wardrobe = worker.marketplace.wardrobe(&work.account_context).await?;
        running.form_driver.look().await?;
        Ok(wardrobe)
    };
    let wardrobe = match limited(worker, before).await {
        Ok(wardrobe) => wardrobe,
        Err(error) => {
            return stopped(worker, &work.job_id, MANUAL_TAKEOVER, &error)
                .await
                .map(End::Known);
        }
    };
    let proposal = proposal(work, running, EffectKind::ManualTakeover, &wardrobe, None);
    match writes::manual_takeover(worker, claim, proposal, &mut *running.form_driver).await? {
        Ok(effect_id) => {
            steps::note(
                context,
                &work.job_id,
                MANUAL_TAKEOVER,
                "the window is open for the person",
            )
            .await?;
            watch(worker, claim, work, running, effect_id).await
        }
        Err(next) => Ok(End::Known(next)),
    }
}

/// Watches until the person has published or has left the window.
async fn watch(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    running: &mut Running,
    effect_id: String,
) -> Result<End> {
    let context = &worker.context;
    let needs_reading = |why, instead| End::Settles {
        effect_id: effect_id.clone(),
        why,
        instead,
    };
    let BrowserWindow::Open(form) = running.form_driver.window().await else {
        return Ok(needs_reading(Closed::ByPerson, None));
    };
    // A takeover may take a quarter of an hour, and other accounts have work too.
    crate::queue::free_hand();
    let mut left_since = None;
    loop {
        pause(worker).await;
        let now = match manual_takeover::turn(context, claim, &effect_id).await? {
            Turn::Theirs(now) => now,
            Turn::Over(why) => return Ok(needs_reading(why, None)),
            Turn::Lost => return Ok(End::Known(FollowUp::NoChange)),
        };
        if worker.drain.is_cancelled() {
            return Ok(needs_reading(Closed::WithUs, None));
        }
        let BrowserWindow::Open(address) = running.form_driver.window().await else {
            return Ok(needs_reading(Closed::ByPerson, None));
        };
        match read_site(worker, work, &effect_id).await? {
            Ok(true) => return Ok(End::Known(FollowUp::NoChange)),
            Ok(false) => {}
            Err(error @ SiteError::Challenge { .. }) => {
                // The person is present to handle the challenge. The automatic reading of the site stops.
                let next = stopped(worker, &work.job_id, WINDOW_WATCHED, &error).await?;
                return Ok(needs_reading(Closed::WithUs, Some(next)));
            }
            Err(error) => {
                tracing::warn!(job_id = work.job_id, %error, "the site could not be read; retrying");
            }
        }
        if is_form(&address, &form) {
            left_since = None;
        } else if now - *left_since.get_or_insert(now) >= context.settings.effects.settle_ms {
            return Ok(needs_reading(Closed::ByPerson, None));
        }
    }
}

async fn pause(worker: &Worker) {
    let poll = u64::try_from(worker.context.settings.effects.settle_poll_ms).unwrap_or(1_000);
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(poll)) => {}
        () = worker.drain.cancelled() => {}
    }
}

/// Reads the site once and records the person's writes. Returns true if the item is published.
async fn read_site(
    worker: &Worker,
    work: &Work,
    effect_id: &str,
) -> Result<std::result::Result<bool, SiteError>> {
    let context = &worker.context;
    let Some(effect) = outcome::effect(context, effect_id).await? else {
        return Ok(Ok(true));
    };
    let wardrobe = match limited(worker, worker.marketplace.wardrobe(&work.account_context)).await {
        Ok(wardrobe) => wardrobe,
        Err(error) => return Ok(Err(error)),
    };
    let claimed = reconcile::claimed(context, &work.account_context.account_id).await?;
    let seen = manual_takeover::seen(&effect, &work.revision.content, &claimed, &wardrobe);
    if let [item] = seen.published.as_slice() {
        let note = "published by the person";
        outcome::published(context, effect_id, &item.id, &item.url, item.is_hidden, note).await?;
        steps::note(
            context,
            &work.job_id,
            WINDOW_WATCHED,
            &format!("published by the person as {}", item.id),
        )
        .await?;
        return Ok(Ok(true));
    }
    note_draft(worker, work, &effect, &seen).await?;
    Ok(Ok(false))
}

/// Records the draft that the person saved in the window, if there is exactly one.
pub async fn note_draft(
    worker: &Worker,
    work: &Work,
    effect: &effects::Model,
    seen: &manual_takeover::TakeoverReading<'_>,
) -> Result<()> {
    let context = &worker.context;
    let [draft] = seen.drafts.as_slice() else {
        return Ok(());
    };
    if manual_takeover::draft_saved(context, &effect.id, &draft.id).await? {
        let message = format!("saved by the person as draft {}", draft.id);
        steps::note(context, &work.job_id, WINDOW_WATCHED, &message).await?;
    }
    Ok(())
}

/// Returns whether the window still shows a form from which the item can be published: the filled form, or the editor
/// of a draft that was saved from it.
fn is_form(address: &str, form: &str) -> bool {
    let path = path_of(address);
    path == path_of(form) || (path.starts_with("/items/") && path.ends_with("/edit"))
}

fn path_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |start| &rest[start..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_and_draft_editor_allow_publishing() {
        let form = "http://127.0.0.1:50052/items/new";
        for (address, expected) in [
            ("http://127.0.0.1:50052/items/new", true),
            ("http://127.0.0.1:50052/items/new?from=menu#photos", true),
            ("http://127.0.0.1:50052/items/17/edit", true),
            ("http://127.0.0.1:50052/items/17", false),
            ("http://127.0.0.1:50052/member/3", false),
            ("http://127.0.0.1:50052", false),
            ("about:blank", false),
        ] {
            assert_eq!(is_form(address, form), expected, "{address}");
        }
    }
}
