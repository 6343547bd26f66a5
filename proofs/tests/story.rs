//! The story: photos on disk become one listing, published exactly once. The whole product, as its users meet it, on every
//! database engine that it runs on, and once with a real browser; counted by what the practice site wrote down.
//!
//! A new chapter is a function that is called by [`chapters`]. What it takes to tell it is in `support`.

mod support;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use support::canary;
use support::postgres::Postgres;
use support::refusals;
use support::refusals::{put, refused};
use support::world::World;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::keys::sha256_hex;
use vintedbot_proofs::instance::Browser;
use vintedbot_proofs::photos;
use vintedbot_proofs::records::What;
use vintedbot_sdk::v1::account;
use vintedbot_sdk::v1::listing;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::resolve_names_request::Query;
use vintedbot_sdk::v1::resource::Resource as Content;
use vintedbot_sdk::v1::{
    ConfirmPublishRequest, CreateListingRequest, CreateUploadUrlRequest, EventKind, ListScreenshotsRequest,
    Listing, ListingInput, NameKind, Photo, PublishJob,
};
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

#[tokio::test(flavor = "multi_thread")]
async fn the_story_with_a_real_browser() -> Result<()> {
    tell(World::open(None, Browser::Required).await?).await
}

async fn tell(mut world: World) -> Result<()> {
    let told = chapters(&mut world).await;
    world.close(told).await
}

async fn chapters(world: &mut World) -> Result<()> {
    let began = Instant::now();
    let done = |chapter: &str| eprintln!("{:>5.1} s  {chapter}", began.elapsed().as_secs_f64());
    published(world).await.context("published")?;
    done("published");
    if !world.is_browser {
        // What is refused never comes as far as the form.
        refusals::tell(world).await.context("refused")?;
        done("refused");
    }
    cancelled(world).await.context("cancelled")?;
    challenged(world).await.context("challenged")?;
    done("challenged");
    reconciled(world).await.context("reconciled")?;
    done("reconciled");
    asked(world).await.context("asked")?;
    done("asked");
    restarted(world).await.context("restarted")?;
    done("restarted");
    if !world.is_browser {
        expired(world).await.context("expired")?;
    }
    watched(world).await.context("watched")?;
    canary::search(world).await.context("canaries")?;
    done("searched");
    Ok(())
}

/// Photos become a listing, which is prepared, looked at, confirmed and published.
async fn published(world: &World) -> Result<()> {
    resolves(world).await?;
    let photos = uploaded(world).await?;
    let content = ListingInput {
        photo_ids: photos.iter().map(|photo| photo.id.clone()).collect(),
        ..world.content(&world.published_title)
    };
    let request = CreateListingRequest {
        account_id: world.account.id.clone(),
        listing: Some(content),
        ..Default::default()
    };
    let listing = world.client.listings().create(request).await?;
    let category = listing.category.as_ref().context("the category")?;
    ensure!(
        category.name.contains("Homme") && category.name.ends_with("Sweats"),
        "{category:?}"
    );

    let preview = world.client.listings().preview(&listing.id).await?;
    ensure!(preview.violations.is_empty(), "{:?}", preview.violations);
    ensure!(
        preview.title == world.published_title && preview.price_text == "29,00\u{a0}€",
        "{preview:?}"
    );
    for (shown, photo) in preview.photos.iter().zip(&photos) {
        ensure!(
            sha256_hex(world.fetch(&shown.url).await?) == photo.sha256,
            "a preview shows another photo"
        );
    }

    let publish = world.client.publish();
    let job = publish.prepare(&listing.id).await?;
    let event = world
        .watched
        .wait_for(EventKind::PublishJobReady, &job.id)
        .await?;
    let Some(Content::PublishJob(told)) = event.resource.and_then(|resource| resource.resource) else {
        anyhow::bail!("the event does not hold its job");
    };
    ensure!(
        !told.preview_url.is_empty() && told.confirmation.is_none(),
        "{told:?}"
    );
    let (job, confirmation) = world.ready(&job.id).await?;
    ensure!(
        !job.read_back.is_empty() && job.read_back.iter().all(|field| field.matches),
        "{:?}",
        job.read_back
    );
    let page = String::from_utf8(world.fetch(&job.preview_url).await?)?;
    ensure!(
        page.contains(&world.published_title),
        "the page does not show the title: {page}"
    );
    ensure!(
        !page.contains(&confirmation.confirm_token),
        "the page shows the confirmation"
    );
    evidence(world, &job).await?;

    let before = world.site.last_seq().await?;
    let mut request = ConfirmPublishRequest {
        job_id: job.id.clone(),
        confirmation: Some(confirmation.clone()),
        ..Default::default()
    };
    let dry = publish.confirm_publish(request.clone()).await?;
    ensure!(
        dry.dry_run && !dry.checks.is_empty() && dry.checks.iter().all(|check| check.passed),
        "{dry:?}"
    );
    ensure!(
        publish.get(&job.id).await?.state() == State::AwaitingConfirmation,
        "a dry run moved the job"
    );
    ensure!(
        world.site.last_seq().await? == before,
        "a dry run reached the site"
    );

    request.dry_run = Some(false);
    request.request_id = SystemIds.id();
    let real = publish.confirm_publish(request.clone()).await?;
    ensure!(!real.dry_run && real.publish_job.is_some_and(|told| told.id == job.id));
    let again = publish.confirm_publish(request.clone()).await?;
    ensure!(
        again.publish_job.is_some_and(|told| told.id == job.id),
        "the same request_id got another answer"
    );
    let ended = world.settled(&job.id, State::Published).await?;
    ensure!(
        !ended.remote_item_id.is_empty() && ended.remote_url.contains(&ended.remote_item_id),
        "{ended:?}"
    );
    let stored = world.client.listings().get(&listing.id).await?;
    ensure!(
        stored.state() == listing::State::Published && stored.active_publish_job_id.is_empty(),
        "{stored:?}"
    );
    witnessed(world, &ended, &photos).await?;

    publish
        .confirm_publish(request.clone())
        .await
        .context("the same request_id, much later")?;
    request.request_id = SystemIds.id();
    let used = publish.confirm_publish(request).await;
    refused(used, Code::FailedPrecondition, ErrorReason::ConfirmationUsed)?;
    let twice = publish.prepare(&listing.id).await;
    refused(twice, Code::FailedPrecondition, ErrorReason::AlreadyPublished)?;
    Ok(())
}

/// Names as a person writes them are understood in the account's language.
async fn resolves(world: &World) -> Result<()> {
    let ask = |kind: NameKind, name: &str| Query {
        kind: kind.into(),
        name: name.to_owned(),
        category_id: None,
    };
    let names = [
        ask(NameKind::Category, "Homme > Sweats"),
        ask(NameKind::Condition, "bon"),
    ];
    let answers = world.client.catalog().resolve(&world.account.id, names).await?;
    let found: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.r#match.as_ref().map(|found| &found.name))
        .collect();
    ensure!(found.len() == 2 && found[1] == "Bon état", "{answers:?}");
    Ok(())
}

/// Photos come in by each of the three ways; one that looks like another is told of.
async fn uploaded(world: &World) -> Result<Vec<Photo>> {
    let media = world.client.media();
    let unary = media
        .upload(Upload::bytes(photos::jpeg(7, 300, 400)?).named("face.jpg"))
        .await?;
    let streamed = media
        .upload_all([
            Upload::bytes(world.photo()?),
            Upload::bytes(photos::jpeg(7, 330, 440)?),
        ])
        .await?;
    let bytes = world.photo()?;
    let request = CreateUploadUrlRequest {
        size_bytes: i64::try_from(bytes.len())?,
        ..Default::default()
    };
    let url = media.create_upload_url(request).await?.url;
    let (status, answer) = put(&url, bytes).await?;
    ensure!(status == 200, "{status} {answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let id = answer["photo"]["id"]
        .as_str()
        .context("the answer to a PUT names its photo")?;

    let mut stored: Vec<Photo> = [unary]
        .into_iter()
        .chain(streamed)
        .filter_map(|answer| answer.photo)
        .collect();
    stored.push(media.get(id).await?);
    ensure!(stored.len() == 4);
    ensure!(
        (stored[0].width, stored[0].height) == (300, 400),
        "it still lies sideways: {:?}",
        stored[0]
    );
    let near = stored[2]
        .near_duplicates
        .iter()
        .any(|near| near.photo_id == stored[0].id);
    ensure!(near, "a near-duplicate is not told of: {:?}", stored[2]);
    ensure!(stored.iter().all(|photo| !photo.sha256.is_empty()));
    Ok(stored)
}

/// What the practice site wrote down about the first listing.
async fn witnessed(world: &World, job: &PublishJob, photos: &[Photo]) -> Result<()> {
    let items = world.published(&world.published_title).await?;
    ensure!(items.len() == 1, "published {} times", items.len());
    let item = &items[0];
    ensure!(
        item.item_id.to_string() == job.remote_item_id && item.price_minor == Some(2_900),
        "{item:?}"
    );
    let hashes: Vec<_> = photos.iter().map(|photo| photo.sha256.as_str()).collect();
    ensure!(
        item.photo_sha256s == hashes,
        "other photos than were approved: {item:?}"
    );
    ensure!(item.push_up != Some(true), "the paid bump was bought");
    ensure!(
        !world.is_browser || item.trusted == Some(true),
        "the click was not a trusted one: {item:?}"
    );
    for record in world.site.records(0).await? {
        if let What::Photo(photo) = record.what {
            ensure!(
                photo.metadata.is_empty(),
                "a photo reached the site with {:?}",
                photo.metadata
            );
        }
    }
    Ok(())
}

/// With a browser, a job shows what its page looked like; without one there is nothing to photograph.
async fn evidence(world: &World, job: &PublishJob) -> Result<()> {
    let mut lists =
        vintedbot_sdk::v1::publish_service_client::PublishServiceClient::new(world.client.channel());
    let request = ListScreenshotsRequest {
        job_id: job.id.clone(),
        ..Default::default()
    };
    let screenshots = lists.list_screenshots(request).await?.into_inner().screenshots;
    ensure!(screenshots.is_empty() != world.is_browser, "{screenshots:?}");
    for screenshot in &screenshots {
        let picture = world.fetch(&screenshot.url).await?;
        ensure!(picture.starts_with(b"\x89PNG"), "a screenshot is no picture");
        ensure!(
            !screenshot.page_text_url.is_empty(),
            "no page text: {screenshot:?}"
        );
        ensure!(!world.fetch(&screenshot.page_text_url).await?.is_empty());
    }
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
    let folder = world.data_dir().join("media").join("screenshots").join(&job.id);
    let kept: Vec<_> = std::fs::read_dir(folder)
        .context("evidence")?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    ensure!(
        kept.iter()
            .any(|path| path.extension().is_some_and(|ending| ending == "txt")),
        "no page text in {kept:?}"
    );
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
