//! The step timeline of a job, and its deletion.

use bytes::Bytes;
use vintedbot_domain::publishing::attempt::Plan;
use vintedbot_domain::publishing::outcome::FollowUp;
use vintedbot_domain::publishing::steps::{self, Reached};
use vintedbot_domain::publishing::{self, StepOutcome, timeline};
use vintedbot_domain::{Reason, events};
use vintedbot_marketplace::Evidence;

use super::fixture::Fixture;
use super::support::{picture, reason};

const RETENTION: i64 = 30 * 24 * 3_600_000;

fn reached(step: &'static str, picture: Option<Bytes>) -> Reached {
    Reached {
        step,
        message: "Sweat".to_owned(),
        selector: Some("#title".to_owned()),
        picture,
    }
}

/// Returns the id of a job with one step, one broken picture and one screenshot of a failure. The job has ended if
/// `ends`, and waits otherwise.
async fn recorded(fixture: &Fixture, title: &str, ends: bool) -> String {
    let listing_id = fixture.listing(title).await;
    let job = fixture.try_prepare(&listing_id, None).await.expect("is queued");
    let context = &fixture.world.context;
    let (claim, Plan::Prepare(work)) = fixture.next().await.expect("is due") else {
        panic!("to be prepared")
    };
    for picture in [Some(picture(3).bytes), Some(Bytes::from_static(b"broken")), None] {
        steps::reached(context, &claim, &job.id, reached("TITLE_FILLED", picture))
            .await
            .expect("is written")
            .expect("continues");
    }
    let evidence = Evidence {
        url: "http://site.invalid/items/new".to_owned(),
        screenshot: Some(picture(4).bytes),
        page_text: "a page".to_owned(),
    };
    steps::stopped(
        context,
        &job.id,
        "FILL",
        StepOutcome::Failed,
        "no field",
        Some(&evidence),
    )
    .await
    .expect("is written");
    let next = if ends {
        FollowUp::Failed {
            reason: Reason::FieldNotFound,
            message: "no field".to_owned(),
        }
    } else {
        FollowUp::Prepared {
            read_back: Vec::new(),
            screenshot_key: None,
        }
    };
    fixture.conclude(&claim, &work, next).await;
    job.id
}

async fn steps_of(fixture: &Fixture, job_id: &str) -> Vec<publishing::Step> {
    publishing::step_timeline(&fixture.world.context, &fixture.world.caller, job_id)
        .await
        .expect("is there")
}

#[tokio::test]
async fn step_shows_its_selector_and_picture() {
    let fixture = Fixture::open().await;
    let job_id = recorded(&fixture, "Filmed", true).await;
    let steps = steps_of(&fixture, &job_id).await;
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
    let jpeg = fixture.world.context.files.get(key).await.expect("is stored");
    image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).expect("a JPEG");
    let stranger = fixture.world.stranger().await;
    let hidden = publishing::step_timeline(&fixture.world.context, &stranger, &job_id).await;
    assert_eq!(reason(hidden), Some(Reason::NotFound));
}

#[tokio::test]
async fn only_pictures_of_old_ended_jobs_are_deleted() {
    let fixture = Fixture::open()
        .await
        .with(|settings| settings.confirm_token_ms = 2 * RETENTION);
    let old = recorded(&fixture, "Old", true).await;
    let open = recorded(&fixture, "Open", false).await;
    fixture.world.clock.advance(RETENTION / 2);
    let recent = recorded(&fixture, "Recent", true).await;
    let context = &fixture.world.context;
    // A worker that died left this file before it wrote the row.
    let orphan = format!("screenshots/{old}/orphan.jpg");
    context
        .files
        .put(&orphan, Bytes::from_static(b"x"))
        .await
        .expect("is stored");
    fixture.world.clock.advance(RETENTION / 2 + 1);
    let before = context.clock.now() - RETENTION;
    assert_eq!(timeline::forget(context, before).await.expect("is done"), 1);
    assert_eq!(timeline::forget(context, before).await.expect("is done"), 0);
    assert!(
        context
            .files
            .list(&format!("screenshots/{old}"))
            .await
            .expect("a list")
            .is_empty()
    );
    assert!(
        steps_of(&fixture, &old)
            .await
            .iter()
            .all(|step| step.thumbnail_key.is_none()
                && step.screenshot_key.is_none()
                && step.page_text_key.is_none()),
        "a missing picture is not shown"
    );
    assert_eq!(
        steps_of(&fixture, &old).await.len(),
        4,
        "the steps are still shown"
    );
    for retained in [&open, &recent] {
        for step in steps_of(&fixture, retained).await {
            for key in [step.thumbnail_key, step.screenshot_key].into_iter().flatten() {
                assert!(context.files.exists(&key).await.expect("answers"));
            }
        }
    }
    assert!(
        events::head(&context.store, &fixture.world.caller.workspace_id)
            .await
            .is_ok()
    );
}

/// The rows were deleted, and the process died before it removed the files.
#[tokio::test]
async fn interrupted_picture_cleanup_is_completed_later() {
    let fixture = Fixture::open().await;
    let job_id = recorded(&fixture, "Cut off", true).await;
    fixture
        .sql("UPDATE publish_steps SET thumbnail_key = NULL, screenshot_key = NULL, page_text_key = NULL")
        .await;
    fixture.world.clock.advance(RETENTION + 1);
    let context = &fixture.world.context;
    assert_eq!(
        timeline::forget(context, context.clock.now() - RETENTION)
            .await
            .expect("is done"),
        1
    );
    let folder = format!("screenshots/{job_id}");
    assert!(context.files.list(&folder).await.expect("a list").is_empty());
}

#[tokio::test]
async fn resumed_job_keeps_its_pictures() {
    let fixture = Fixture::open().await;
    let job_id = recorded(&fixture, "Retried", true).await;
    fixture.world.clock.advance(RETENTION + 1);
    publishing::retry(&fixture.world.context, &fixture.world.caller, &job_id, None)
        .await
        .expect("continues");
    let context = &fixture.world.context;
    assert_eq!(
        timeline::forget(context, context.clock.now() - RETENTION)
            .await
            .expect("is done"),
        0
    );
    assert!(steps_of(&fixture, &job_id).await[0].thumbnail_key.is_some());
}
