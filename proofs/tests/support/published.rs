//! The first chapter: photos become a listing that is published once.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::keys::sha256_hex;
use vintedbot_proofs::photos;
use vintedbot_proofs::records::What;
use vintedbot_sdk::v1::listing;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::publish_service_client::PublishServiceClient;
use vintedbot_sdk::v1::resolve_names_request::Query;
use vintedbot_sdk::v1::resource::Resource as Content;
use vintedbot_sdk::v1::{
    ConfirmPublishRequest, CreateListingRequest, CreateUploadUrlRequest, EventKind, ListScreenshotsRequest,
    ListingInput, NameKind, Photo, PublishJob,
};
use vintedbot_sdk::{Code, ErrorReason, Upload};

use super::refusals::{put, refused};
use super::world::World;

/// Uploads photos, creates a listing, prepares, reviews, confirms and publishes it.
///
/// # Errors
///
/// Fails if an expectation is not met.
pub async fn run_chapter(world: &World) -> Result<()> {
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
    let Some(Content::PublishJob(current)) = event.resource.and_then(|resource| resource.resource) else {
        bail!("the event does not hold its job");
    };
    ensure!(
        !current.preview_url.is_empty() && current.confirmation.is_none(),
        "{current:?}"
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
    ensure!(!real.dry_run && real.publish_job.is_some_and(|current| current.id == job.id));
    let again = publish.confirm_publish(request.clone()).await?;
    ensure!(
        again.publish_job.is_some_and(|current| current.id == job.id),
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

/// Names as a person writes them resolve in the account's language.
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

/// Uploads photos by each of the three ways. A near duplicate is reported.
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
    let answer: Value = serde_json::from_str(&answer)?;
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
    ensure!(near, "a near duplicate is not reported: {:?}", stored[2]);
    ensure!(stored.iter().all(|photo| !photo.sha256.is_empty()));
    Ok(stored)
}

/// Checks the practice site's records of the first listing.
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

/// A job has evidence of its page: a screenshot and the text with a browser, only the text without one.
///
/// # Errors
///
/// Fails if the evidence is missing.
pub async fn evidence(world: &World, job: &PublishJob) -> Result<()> {
    let mut lists = PublishServiceClient::new(world.client.channel());
    let request = ListScreenshotsRequest {
        job_id: job.id.clone(),
        ..Default::default()
    };
    let screenshots = lists.list_screenshots(request).await?.into_inner().screenshots;
    ensure!(!screenshots.is_empty(), "no evidence of the page was stored");
    for screenshot in &screenshots {
        ensure!(screenshot.url.is_empty() != world.is_browser, "{screenshot:?}");
        if world.is_browser {
            let picture = world.fetch(&screenshot.url).await?;
            ensure!(picture.starts_with(b"\x89PNG"), "a screenshot is not a PNG");
        }
        ensure!(
            !screenshot.page_text_url.is_empty(),
            "no page text: {screenshot:?}"
        );
        ensure!(!world.fetch(&screenshot.page_text_url).await?.is_empty());
    }
    Ok(())
}
