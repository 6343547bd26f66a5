//! The story: photos on disk become one listing, published exactly once. The whole product, as its users meet it, on every
//! database engine that it runs on, and once with a real browser; counted by what the practice site wrote down.
//!
//! A new chapter is a function that is called by [`chapters`]. What it takes to tell it is in `support`.

mod support;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use support::bucket::Bucket;
use support::postgres::Postgres;
use support::published::evidence;
use support::refusals::refused;
use support::world::World;
use support::{
    canary, changes, inbox, inbox_killed, kinds, published, refusals, removal, scheduled, sessions, wardrobe,
    windows,
};
use tokio::time::{Instant, sleep, timeout};
use vintedbot_proofs::instance::Browser;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{EventKind, Listing, account, listing};
use vintedbot_sdk::{Code, ErrorReason, Upload};

/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_sqlite() -> Result<()> {
    tell(World::open(None, Browser::Off).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_postgresql() -> Result<()> {
    let server = Postgres::start().await?;
    tell(World::open(Some(server.url()), Browser::Off).await?).await?;
    server.stop().await
}

/// The second engine for files is told with the second one for rows.
#[tokio::test(flavor = "multi_thread")]
async fn the_story_with_its_photos_in_a_bucket() -> Result<()> {
    let server = Postgres::start().await?;
    let mut bucket = Bucket::start().await?;
    let world = World::open_with(Some(server.url()), Browser::Off, Some(&bucket)).await?;
    world.secret("the key to the bucket", support::bucket::SECRET);
    let own_folder = world.data_dir().join("media");
    tell(world).await?;
    ensure!(
        !own_folder.exists(),
        "files are kept in the data folder all the same"
    );
    ensure!(
        !bucket.keys("photos").is_empty() && !bucket.keys("screenshots").is_empty(),
        "the bucket is empty"
    );
    bucket.go_away().await;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_with_a_real_browser() -> Result<()> {
    tell(World::open(None, Browser::Required).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_in_the_persons_own_hands() -> Result<()> {
    let mut world = World::open(None, Browser::Required).await?;
    let told = windows::tell(&mut world).await;
    world.close(told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_was_put_off_is_made_in_its_second_by_another_process() -> Result<()> {
    let server = Postgres::start().await?;
    let mut world = World::open(Some(server.url()), Browser::Off).await?;
    let told = scheduled::elsewhere(&mut world, &server.url()).await;
    world.close(told).await?;
    server.stop().await
}

async fn tell(mut world: World) -> Result<()> {
    let told = chapters(&mut world).await;
    world.close(told).await
}

async fn chapters(world: &mut World) -> Result<()> {
    let began = Instant::now();
    let done = |chapter: &str| eprintln!("{:>5.1} s  {chapter}", began.elapsed().as_secs_f64());
    published::tell(world).await.context("published")?;
    done("published");
    if !world.is_browser {
        // What is refused never comes as far as the form.
        refusals::tell(world).await.context("refused")?;
        done("refused");
    }
    if !world.is_browser {
        changes::tell(world).await.context("changes")?;
        done("changed");
        wardrobe::tell(world).await.context("wardrobe")?;
        done("wardrobe");
        inbox::tell(world).await.context("inbox")?;
        inbox_killed::tell(world).await.context("inbox, killed")?;
        removal::tell(world).await.context("removal")?;
        done("inbox");
    }
    cancelled(world).await.context("cancelled")?;
    challenged(world).await.context("challenged")?;
    if !world.is_browser {
        kinds::tell(world).await.context("kinds of challenges")?;
    }
    done("challenged");
    reconciled(world).await.context("reconciled")?;
    done("reconciled");
    sessions::tell(world).await.context("sessions")?;
    done("sessions");
    asked(world).await.context("asked")?;
    done("asked");
    restarted(world).await.context("restarted")?;
    done("restarted");
    scheduled::tell(world).await.context("scheduled")?;
    done("scheduled");
    if !world.is_browser {
        expired(world).await.context("expired")?;
    }
    watched(world).await.context("watched")?;
    canary::search(world).await.context("canaries")?;
    done("searched");
    Ok(())
}

/// What is cancelled is not published, whoever confirms it then.
async fn cancelled(world: &World) -> Result<()> {
    let title = "Sweat à rayures, col rond";
    let (listing, job, confirmation) = world.prepared(&world.account, title).await?;
    let publish = world.client.publish();
    let job = publish.cancel(&job.id).await?;
    ensure!(
        job.state() == State::Cancelled && job.reason() == ErrorReason::CancelledByPerson,
        "{job:?}"
    );
    publish.cancel(&job.id).await.context("cancelling twice")?;
    ensure!(
        publish.confirm(&job.id, &confirmation).await.is_err(),
        "a cancelled job was confirmed"
    );
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(
        after.state() == listing::State::Draft && after.active_publish_job_id.is_empty(),
        "{after:?}"
    );
    ensure!(world.published(title).await?.is_empty());
    Ok(())
}

/// A captcha stops the job, pauses the account and is shown; once a person has dealt with it, the job goes on.
async fn challenged(world: &World) -> Result<()> {
    let (title, waiting) = ("Sweat à capuche, peu porté", "Sweat zippé");
    let other: Listing = world.listing(&world.account, waiting).await?;
    let listing = world.listing(&world.account, title).await?;
    // Without a browser the form is its calls, of which the first is about a photo.
    let (on, expected) = if world.is_browser {
        ("form", ErrorReason::ChallengeCaptcha)
    } else {
        ("photo", ErrorReason::ChallengeBotCheck)
    };
    world.script(on, None, json!({"captcha_page": true})).await?;
    let publish = world.client.publish();
    let job = publish.prepare(&listing.id).await?;
    let job = world.settled(&job.id, State::Blocked).await?;
    ensure!(job.needs_manual && job.reason() == expected, "{job:?}");
    let account = world.client.accounts().get(&world.account.id).await?;
    ensure!(account.state() == account::State::Paused, "{account:?}");
    ensure!(account.pause.is_some_and(|pause| pause.publish_job_id == job.id));
    evidence(world, &job).await?;
    let steps: Vec<_> = publish.steps(&job.id).try_collect().await?;
    let stopped = steps
        .iter()
        .any(|step| step.outcome().as_str_name() == "OUTCOME_CHALLENGED");
    ensure!(stopped, "{steps:?}");

    refused(
        publish.retry(&job.id).await,
        Code::FailedPrecondition,
        ErrorReason::AccountPaused,
    )?;
    refused(
        publish.prepare(&other.id).await,
        Code::FailedPrecondition,
        ErrorReason::AccountPaused,
    )?;
    ensure!(world.published(title).await?.is_empty());

    let account = world.client.accounts().resume(&world.account.id).await?;
    ensure!(
        account.state() == account::State::Active && account.pause.is_none(),
        "{account:?}"
    );
    publish.retry(&job.id).await?;
    let (job, confirmation) = world.ready(&job.id).await?;
    publish.confirm(&job.id, &confirmation).await?;
    world.settled(&job.id, State::Published).await?;
    ensure!(world.published(title).await?.len() == 1);
    Ok(())
}

/// The site publishes and answers that it failed: that is found out by reading, and nothing is clicked again.
async fn reconciled(world: &World) -> Result<()> {
    let title = "Sweat noir, logo brodé";
    world
        .script("publish", Some(title), json!({"accept_then_500": true}))
        .await?;
    let (_, job, confirmation) = world.prepared(&world.account, title).await?;
    let publish = world.client.publish();
    publish.confirm(&job.id, &confirmation).await?;
    let job = world.settled(&job.id, State::Published).await?;
    let items = world.published(title).await?;
    ensure!(
        items.len() == 1 && items[0].item_id.to_string() == job.remote_item_id,
        "{items:?} {job:?}"
    );
    Ok(())
}

/// The site publishes under an id that it never shows: a person is asked, nothing is tried again, and the answer counts.
async fn asked(world: &World) -> Result<()> {
    let title = "Sweat blanc, jamais porté";
    let withheld = json!({"new_id_on_publish": true, "never_list": true, "accept_then_500": true});
    world.script("publish", Some(title), withheld).await?;
    let (listing, job, confirmation) = world.prepared(&world.account, title).await?;
    let publish = world.client.publish();
    publish.confirm(&job.id, &confirmation).await?;
    let job = world.settled(&job.id, State::Unconfirmed).await?;
    ensure!(
        job.needs_manual && job.reason() == ErrorReason::OutcomeUnknown,
        "{job:?}"
    );
    refused(
        publish.retry(&job.id).await,
        Code::FailedPrecondition,
        ErrorReason::JobState,
    )?;
    refused(
        publish.cancel(&job.id).await,
        Code::FailedPrecondition,
        ErrorReason::TooLate,
    )?;

    let first = world.published(&world.published_title).await?[0]
        .item_id
        .to_string();
    let taken = publish.resolve_published(&job.id, first).await;
    refused(taken, Code::FailedPrecondition, ErrorReason::RemoteItemTaken)?;
    let items = world.published(title).await?;
    ensure!(items.len() == 1, "{items:?}");
    let id = items[0].item_id.to_string();
    let job = publish.resolve_published(&job.id, &id).await?;
    ensure!(
        job.state() == State::Published && job.remote_item_id == id && !job.needs_manual,
        "{job:?}"
    );
    ensure!(world.client.listings().get(&listing.id).await?.state() == listing::State::Published);
    ensure!(world.published(title).await?.len() == 1);
    Ok(())
}

/// The process is asked to end while it prepares, and killed while it publishes: the jobs go on, and once.
async fn restarted(world: &mut World) -> Result<()> {
    let title = "Sweat bordeaux, taille ample";
    let listing = world.listing(&world.account, title).await?;
    let on = if world.is_browser { "form" } else { "photo" };
    world.script(on, None, json!({"latency_ms": 1_500})).await?;
    let job = world.client.publish().prepare(&listing.id).await?;
    world.comes_by(&job.id, State::Preparing).await?;
    timeout(DRAIN, world.instance.stop())
        .await
        .context("the drain takes too long")??;
    world.restart().await?;
    let (job, confirmation) = world.ready(&job.id).await?;
    ensure!(world.published(title).await?.is_empty());

    world
        .script("publish", Some(title), json!({"latency_ms": 1_500}))
        .await?;
    world.client.publish().confirm(&job.id, &confirmation).await?;
    world.comes_by(&job.id, State::Publishing).await?;
    world.instance.kill().await?;
    world.restart().await?;
    let job = world.settled(&job.id, State::Published).await?;
    let items = world.published(title).await?;
    ensure!(
        items.len() == 1 && items[0].item_id.to_string() == job.remote_item_id,
        "{items:?} {job:?}"
    );
    Ok(())
}

/// A confirmation that nobody gives in time ends the job, and is worth nothing then.
async fn expired(world: &mut World) -> Result<()> {
    timeout(DRAIN, world.instance.stop())
        .await
        .context("the drain takes too long")??;
    world.instance.set("CONFIRM_TOKEN_MS", "2500");
    world.restart().await?;
    let title = "Sweat turquoise";
    let (_, job, confirmation) = world.prepared(&world.account, title).await?;
    world
        .watched
        .wait_for(EventKind::PublishJobExpired, &job.id)
        .await?;
    let publish = world.client.publish();
    let late = publish.confirm(&job.id, &confirmation).await;
    refused(late, Code::FailedPrecondition, ErrorReason::ConfirmationExpired)?;
    let late = publish.check(&job.id, &confirmation).await;
    refused(late, Code::FailedPrecondition, ErrorReason::ConfirmationExpired)?;
    ensure!(world.published(title).await?.is_empty());
    Ok(())
}

/// One watch saw it all.
async fn watched(world: &World) -> Result<()> {
    let last = world
        .client
        .media()
        .upload(Upload::bytes(world.photo()?))
        .await?
        .photo
        .context("the photo")?;
    world.watched.wait_for(EventKind::PhotoCreated, &last.id).await?;
    // Work that ended a moment ago may still say so.
    sleep(Duration::from_millis(300)).await;
    let events = world.watched.check(&world.client).await?;
    ensure!(events > 40, "only {events} events");
    Ok(())
}
