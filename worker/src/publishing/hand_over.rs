//! The person's own hand: the form is filled and read back, then its window is left to the person, who publishes there, or
//! not. This attempt only watches: the window for when to stop, the site for what became of it.

use std::time::Duration;

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::hand_over::{self, Closed, Turn};
use vintedbot_domain::publishing::outcome::{self, Next};
use vintedbot_domain::publishing::{EffectKind, WaitReason, reconcile, steps};
use vintedbot_domain::store::entities::effects;
use vintedbot_marketplace::{Error as SiteError, FillStep, Window};

use super::attempt::{kept, limited};
use super::compose::{self, Running};
use super::observer::Observer;
use super::prepare::proposal;
use super::stopped;
use crate::{Worker, effects as writes};

const HANDED_OVER: &str = "HANDED_OVER";
const WINDOW_WATCHED: &str = "WINDOW_WATCHED";

/// How an attempt at the window ended.
enum End {
    /// Before the window was the person's, or with everything written down.
    Known(Next),
    /// Nobody is at the window any more, and the site is to be read; or what else follows.
    Settles {
        effect_id: String,
        why: Closed,
        instead: Option<Next>,
    },
}

/// One attempt: its window is always closed at the end, and only then does the site have the last word.
pub async fn run(worker: &Worker, claim: &Claim, work: &Work) -> Result<Next> {
    let domain = &worker.domain;
    if let Err(next) = compose::end_leftovers(worker, &work.seat.account_id).await? {
        return Ok(next);
    }
    let mut running = match compose::start(worker, claim, work).await? {
        Ok(running) => running,
        Err(error) => return stopped(worker, &work.job_id, "COMPOSER_STARTED", &error).await,
    };
    let ended = kept(
        worker,
        claim,
        work,
        at_the_window(worker, claim, work, &mut running),
    )
    .await;
    compose::quit(domain, running).await?;
    match ended? {
        End::Known(next) => Ok(next),
        End::Settles {
            effect_id,
            why,
            instead,
        } => {
            hand_over::closed(domain, &effect_id, why).await?;
            steps::note(domain, &work.job_id, WINDOW_WATCHED, described(why)).await?;
            Ok(match instead {
                Some(next) => next,
                None => Next::Later {
                    until: domain.store.now().await?,
                    why: WaitReason::Settling,
                },
            })
        }
    }
}

fn described(why: Closed) -> &'static str {
    match why {
        Closed::ByPerson => "the window was closed or left",
        Closed::InTime => "the window was closed: its time was over",
        Closed::Cancelled => "the window was closed: the job is to be cancelled",
        Closed::WithUs => "the window was closed: this program is to end",
    }
}

async fn at_the_window(worker: &Worker, claim: &Claim, work: &Work, running: &mut Running) -> Result<End> {
    let domain = &worker.domain;
    let observer = Observer {
        worker,
        claim,
        job_id: &work.job_id,
    };
    // Always a form of its own, a draft of an earlier window or not: what the person gets is what was read back just now.
    let filled = match limited(worker, running.composer.fill(&observer)).await {
        Ok(filled) => filled,
        Err(error) => {
            return stopped(worker, &work.job_id, "FILL", &error)
                .await
                .map(End::Known);
        }
    };
    let step = FillStep::ScreenshotTaken.name();
    let screenshot_key = steps::photographed(domain, &work.job_id, step, &filled.evidence).await?;
    hand_over::shown(domain, claim, &work.job_id, &filled.read_back, screenshot_key).await?;
    let before = async {
        let wardrobe = worker.marketplace.wardrobe(&work.seat).await?;
        running.composer.look().await?;
        Ok(wardrobe)
    };
    let wardrobe = match limited(worker, before).await {
        Ok(wardrobe) => wardrobe,
        Err(error) => {
            return stopped(worker, &work.job_id, HANDED_OVER, &error)
                .await
                .map(End::Known);
        }
    };
    let proposal = proposal(work, running, EffectKind::HandOver, &wardrobe, None);
    match writes::hand_over(worker, claim, proposal, &mut *running.composer).await? {
        Ok(effect_id) => {
            steps::note(domain, &work.job_id, HANDED_OVER, "the window is the person's").await?;
            watch(worker, claim, work, running, effect_id).await
        }
        Err(next) => Ok(End::Known(next)),
    }
}

/// Watches until the person has published, or nobody is at the window any more.
async fn watch(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    running: &mut Running,
    effect_id: String,
) -> Result<End> {
    let domain = &worker.domain;
    let settles = |why, instead| End::Settles {
        effect_id: effect_id.clone(),
        why,
        instead,
    };
    let Window::Open(form) = running.composer.window().await else {
        return Ok(settles(Closed::ByPerson, None));
    };
    // The seller may take a quarter of an hour, and other accounts have work too.
    crate::queue::free_hand();
    let mut left_since = None;
    loop {
        pause(worker).await;
        let now = match hand_over::turn(domain, claim, &effect_id).await? {
            Turn::Theirs(now) => now,
            Turn::Over(why) => return Ok(settles(why, None)),
            Turn::Lost => return Ok(End::Known(Next::AsItIs)),
        };
        if worker.drain.is_cancelled() {
            return Ok(settles(Closed::WithUs, None));
        }
        let Window::Open(address) = running.composer.window().await else {
            return Ok(settles(Closed::ByPerson, None));
        };
        match look(worker, work, &effect_id).await? {
            Ok(true) => return Ok(End::Known(Next::AsItIs)),
            Ok(false) => {}
            Err(error @ SiteError::Challenge { .. }) => {
                // It asks for the person, who is there; what asks the site by itself stops.
                let next = stopped(worker, &work.job_id, WINDOW_WATCHED, &error).await?;
                return Ok(settles(Closed::WithUs, Some(next)));
            }
            Err(error) => {
                tracing::warn!(job_id = work.job_id, %error, "the site could not be read; looked at again");
            }
        }
        if is_form(&address, &form) {
            left_since = None;
        } else if now - *left_since.get_or_insert(now) >= domain.settings.settle_ms {
            return Ok(settles(Closed::ByPerson, None));
        }
    }
}

async fn pause(worker: &Worker) {
    let poll = u64::try_from(worker.domain.settings.settle_poll_ms).unwrap_or(1_000);
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(poll)) => {}
        () = worker.drain.cancelled() => {}
    }
}

/// Reads the site once, and writes down what the person did there. `true`: it is published.
async fn look(worker: &Worker, work: &Work, effect_id: &str) -> Result<std::result::Result<bool, SiteError>> {
    let domain = &worker.domain;
    let Some(effect) = outcome::effect(domain, effect_id).await? else {
        return Ok(Ok(true));
    };
    let wardrobe = match limited(worker, worker.marketplace.wardrobe(&work.seat)).await {
        Ok(wardrobe) => wardrobe,
        Err(error) => return Ok(Err(error)),
    };
    let claimed = reconcile::claimed(domain, &work.seat.account_id).await?;
    let seen = hand_over::seen(&effect, &work.revision.content, &claimed, &wardrobe);
    if let [item] = seen.published.as_slice() {
        let note = "published by the person";
        outcome::published(domain, effect_id, &item.id, &item.url, item.is_hidden, note).await?;
        steps::note(
            domain,
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

/// Takes note of the one draft that came of the window.
pub async fn note_draft(
    worker: &Worker,
    work: &Work,
    effect: &effects::Model,
    seen: &hand_over::Seen<'_>,
) -> Result<()> {
    let domain = &worker.domain;
    let [draft] = seen.drafts.as_slice() else {
        return Ok(());
    };
    if hand_over::draft_saved(domain, &effect.id, &draft.id).await? {
        let message = format!("saved by the person as draft {}", draft.id);
        steps::note(domain, &work.job_id, WINDOW_WATCHED, &message).await?;
    }
    Ok(())
}

/// Whether the window still shows a form that something can be published from: the one that was filled, or the editor of
/// a draft that was saved from it.
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
    fn the_form_and_a_drafts_editor_are_places_to_publish_from() {
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
