//! The film strip of a job, and forgetting it.

use bytes::Bytes;
use vintedbot_domain::publishing::attempt::Plan;
use vintedbot_domain::publishing::outcome::Next;
use vintedbot_domain::publishing::steps::{self, Reached};
use vintedbot_domain::publishing::{self, StepOutcome, film};
use vintedbot_domain::{Reason, events};
use vintedbot_marketplace::Evidence;

use super::desk::Desk;
use super::support::{picture, reason};

const KEPT: i64 = 30 * 24 * 3_600_000;

fn reached(step: &'static str, picture: Option<Bytes>) -> Reached {
    Reached {
        step,
        message: "Sweat".to_owned(),
        selector: Some("#title".to_owned()),
        picture,
    }
}

/// A job with a step, a broken picture, and a failure that was photographed; ended, unless it is to wait.
async fn filmed(desk: &Desk, title: &str, ends: bool) -> String {
    let listing_id = desk.listing(title).await;
    let job = desk.try_prepare(&listing_id, None).await.expect("is queued");
    let domain = &desk.world.domain;
    let (claim, Plan::Prepare(work)) = desk.next().await.expect("is due") else {
        panic!("to be prepared")
    };
    for picture in [Some(picture(3).bytes), Some(Bytes::from_static(b"broken")), None] {
        steps::reached(domain, &claim, &job.id, reached("TITLE_FILLED", picture))
            .await
            .expect("is written")
            .expect("goes on");
    }
    let evidence = Evidence {
        url: "http://site.invalid/items/new".to_owned(),
        screenshot: Some(picture(4).bytes),
        page_text: "a page".to_owned(),
    };
    steps::stopped(
        domain,
        &job.id,
        "FILL",
        StepOutcome::Failed,
        "no field",
        Some(&evidence),
    )
    .await
    .expect("is written");
    let next = if ends {
        Next::Failed {
            reason: Reason::FieldNotFound,
            message: "no field".to_owned(),
        }
    } else {
        Next::Prepared {
            read_back: Vec::new(),
            screenshot_key: None,
        }
    };
    desk.conclude(&claim, &work, next).await;
    job.id
}

async fn strip(desk: &Desk, job_id: &str) -> Vec<publishing::Step> {
    publishing::film_strip(&desk.world.domain, &desk.world.caller, job_id)
        .await
        .expect("is there")
}

#[tokio::test]
async fn every_step_shows_its_selector_and_a_small_picture_where_there_was_one() {
    let desk = Desk::open().await;
    let job_id = filmed(&desk, "Filmed", true).await;
    let steps = strip(&desk, &job_id).await;
    let shown: Vec<_> = steps
        .iter()
        .map(|step| {
            (
                step.step.as_str(),
                step.selector.as_deref(),
                step.thumbnail_key.is_some(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("TITLE_FILLED", Some("#title"), true),
            ("TITLE_FILLED", Some("#title"), false),
            ("TITLE_FILLED", Some("#title"), false),
            ("FILL", None, true),
        ]
    );
    let key = steps[0].thumbnail_key.as_deref().expect("a picture");
    assert!(
        key.starts_with(&format!("screenshots/{job_id}/")) && key.ends_with(".jpg"),
        "{key}"
    );
    let jpeg = desk.world.domain.files.get(key).await.expect("is kept");
    image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).expect("a JPEG");
    let stranger = desk.world.stranger().await;
    let hidden = publishing::film_strip(&desk.world.domain, &stranger, &job_id).await;
    assert_eq!(reason(hidden), Some(Reason::NotFound));
}

#[tokio::test]
async fn pictures_of_jobs_that_ended_long_ago_are_forgotten_and_no_others() {
    let desk = Desk::open()
        .await
        .with(|settings| settings.confirm_token_ms = 2 * KEPT);
    let old = filmed(&desk, "Old", true).await;
    let open = filmed(&desk, "Open", false).await;
    desk.world.clock.advance(KEPT / 2);
    let recent = filmed(&desk, "Recent", true).await;
    let domain = &desk.world.domain;
    // What a dead process wrote before it could say so.
    let orphan = format!("screenshots/{old}/orphan.jpg");
    domain
        .files
        .put(&orphan, Bytes::from_static(b"x"))
        .await
        .expect("is kept");
    desk.world.clock.advance(KEPT / 2 + 1);
    let before = domain.clock.now() - KEPT;
    assert_eq!(film::forget(domain, before).await.expect("is done"), 1);
    assert_eq!(film::forget(domain, before).await.expect("is done"), 0);
    assert!(
        domain
            .files
            .list(&format!("screenshots/{old}"))
            .await
            .expect("a list")
            .is_empty()
    );
    assert!(
        strip(&desk, &old)
            .await
            .iter()
            .all(|step| step.thumbnail_key.is_none()
                && step.screenshot_key.is_none()
                && step.page_text_key.is_none()),
        "nobody is shown what is not there"
    );
    assert_eq!(strip(&desk, &old).await.len(), 4, "what was done is still told");
    for kept in [&open, &recent] {
        for step in strip(&desk, kept).await {
            for key in [step.thumbnail_key, step.screenshot_key].into_iter().flatten() {
                assert!(domain.files.exists(&key).await.expect("answers"));
            }
        }
    }
    assert!(
        events::head(&domain.store, &desk.world.caller.owner_id)
            .await
            .is_ok()
    );
}

/// The rows were cleared, and the process died before it had removed the files.
#[tokio::test]
async fn what_a_forgetting_that_was_cut_off_left_is_removed_by_the_next() {
    let desk = Desk::open().await;
    let job_id = filmed(&desk, "Cut off", true).await;
    desk.sql("UPDATE publish_steps SET thumbnail_key = NULL, screenshot_key = NULL, page_text_key = NULL")
        .await;
    desk.world.clock.advance(KEPT + 1);
    let domain = &desk.world.domain;
    assert_eq!(
        film::forget(domain, domain.clock.now() - KEPT)
            .await
            .expect("is done"),
        1
    );
    let folder = format!("screenshots/{job_id}");
    assert!(domain.files.list(&folder).await.expect("a list").is_empty());
}

#[tokio::test]
async fn a_job_that_goes_on_again_keeps_its_pictures() {
    let desk = Desk::open().await;
    let job_id = filmed(&desk, "Retried", true).await;
    desk.world.clock.advance(KEPT + 1);
    publishing::retry(&desk.world.domain, &desk.world.caller, &job_id, None)
        .await
        .expect("goes on");
    let domain = &desk.world.domain;
    assert_eq!(
        film::forget(domain, domain.clock.now() - KEPT)
            .await
            .expect("is done"),
        0
    );
    assert!(strip(&desk, &job_id).await[0].thumbnail_key.is_some());
}
