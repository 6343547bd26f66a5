//! Invalid input for publishing: void confirmations, exhausted limits, and resources of another workspace.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{
    ConfirmPublishRequest, Confirmation, ListListingsRequest, Listing, ListingInput, UpdateListingRequest,
};
use vintedbot_sdk::{Client, Code, ErrorReason, RetryPolicy, Upload, mask};

use super::refusals::{metadata, refused};
use super::world::{World, seller};

async fn confirm(world: &World, job_id: &str, token: &str, dry_run: bool) -> vintedbot_sdk::Result<()> {
    let confirmation = Confirmation {
        confirm_token: token.to_owned(),
        ..Default::default()
    };
    let request = ConfirmPublishRequest {
        job_id: job_id.to_owned(),
        confirmation: Some(confirmation),
        dry_run: Some(dry_run),
        ..Default::default()
    };
    world.client.publish().confirm_publish(request).await.map(drop)
}

/// A confirmation is valid for one preparation of one job with the listing's content at that time.
///
/// # Errors
///
/// Fails if a call is accepted, or refused for another reason.
pub async fn stale(world: &World) -> Result<()> {
    let publish = world.client.publish();
    let (title, other_title) = ("Sweat orange", "Sweat violet");
    let (listing, job, first) = world.prepared(&world.account, title).await?;
    let (_, _, others) = world.prepared(&world.account, other_title).await?;
    for dry_run in [true, false] {
        let answer = confirm(world, &job.id, &others.confirm_token, dry_run).await;
        refused(answer, Code::PermissionDenied, ErrorReason::ConfirmationInvalid).context("foreign")?;
        let altered = format!("{}A", first.confirm_token);
        refused(
            confirm(world, &job.id, &altered, dry_run).await,
            Code::PermissionDenied,
            ErrorReason::ConfirmationInvalid,
        )?;
        refused(
            confirm(world, &job.id, "", dry_run).await,
            Code::InvalidArgument,
            ErrorReason::ConfirmationRequired,
        )?;
    }
    refused(
        world.client.listings().delete(&listing.id).await,
        Code::FailedPrecondition,
        ErrorReason::PublishJobOpen,
    )?;
    let change = ListingInput {
        description: "Porté une seule fois.".into(),
        ..Default::default()
    };
    let update = UpdateListingRequest {
        id: listing.id.clone(),
        listing: Some(change),
        update_mask: Some(mask(["description"])),
        ..Default::default()
    };
    world.client.listings().update(update).await?;
    for dry_run in [true, false] {
        let answer = confirm(world, &job.id, &first.confirm_token, dry_run).await;
        refused(answer, Code::FailedPrecondition, ErrorReason::ConfirmationStale).context("edited")?;
    }
    // The job is prepared again under the same id. No other preparation can run at the same time.
    world.script("photo", None, json!({"latency_ms": 800})).await?;
    ensure!(
        publish.prepare(&listing.id).await?.id == job.id,
        "it became another job"
    );
    let again = publish.prepare(&listing.id).await;
    refused(again, Code::FailedPrecondition, ErrorReason::PublishJobOpen)?;
    let (_, second) = world.ready(&job.id).await?;
    let answer = confirm(world, &job.id, &first.confirm_token, false).await;
    refused(answer, Code::FailedPrecondition, ErrorReason::ConfirmationStale).context("prepared again")?;
    publish.check(&job.id, &second).await?;
    publish.cancel(&job.id).await?;
    ensure!(
        confirm(world, &job.id, &second.confirm_token, false)
            .await
            .is_err(),
        "a cancelled job is published"
    );
    ensure!(world.published(title).await?.is_empty() && world.published(other_title).await?.is_empty());
    Ok(())
}

/// The error of an exhausted limit says when to retry.
///
/// # Errors
///
/// Fails if a call is accepted, or refused for another reason.
pub async fn limited(world: &World) -> Result<()> {
    let account = seller(&world.client, "Claire", 1).await?;
    let (_, first, yes) = world.prepared(&account, "Sweat beige").await?;
    let (_, second, later) = world.prepared(&account, "Sweat marron").await?;
    world.client.publish().confirm(&first.id, &yes).await?;
    let hasty = Client::builder(world.instance.url())
        .token_file(world.instance.token_file())
        .retry(RetryPolicy::never())
        .lazy()?;
    let error = refused(
        hasty.publish().confirm(&second.id, &later).await,
        Code::ResourceExhausted,
        ErrorReason::RateLimited,
    )?;
    let wait = error.retry_after().context("it does not say when it frees")?;
    ensure!(
        wait > Duration::from_secs(20) && wait <= Duration::from_secs(60),
        "{wait:?}"
    );
    metadata(&error, "available_time")?;
    let dry = world.client.publish().check(&second.id, &later).await?;
    let limited = dry
        .checks
        .iter()
        .find(|check| check.reason() == ErrorReason::RateLimited);
    ensure!(
        limited.is_some_and(|check| !check.passed && check.available_time.is_some()),
        "{:?}",
        dry.checks
    );
    world.settled(&first.id, State::Published).await?;
    Ok(())
}

/// A resource of another workspace is not found. An instance has one workspace, so the test inserts the second one by
/// SQL.
///
/// # Errors
///
/// Fails if a call is accepted, or refused for another reason.
pub async fn foreign(world: &World) -> Result<()> {
    let account = seller(&world.client, "Manon", 60).await?;
    let photo = world
        .client
        .media()
        .upload(Upload::bytes(world.photo()?))
        .await?
        .photo
        .context("the photo")?;
    let (listing, job, confirmation) = world.prepared(&account, "Sweat rose").await?;
    let database = world.database().await?;
    let other = SystemIds.id();
    database
        .execute(&format!(
            "INSERT INTO workspaces (id, name, create_time) VALUES ('{other}', 'other', 0)"
        ))
        .await?;
    for (table, id) in [
        ("accounts", &account.id),
        ("photos", &photo.id),
        ("listings", &listing.id),
        ("publish_jobs", &job.id),
    ] {
        database
            .execute(&format!(
                "UPDATE {table} SET workspace_id = '{other}' WHERE id = '{id}'"
            ))
            .await?;
    }
    database.close().await?;

    let client = &world.client;
    let not_found =
        |answer: vintedbot_sdk::Result<()>| refused(answer, Code::NotFound, ErrorReason::NotFound).map(drop);
    not_found(client.accounts().get(&account.id).await.map(drop))?;
    not_found(client.accounts().resume(&account.id).await.map(drop))?;
    not_found(client.accounts().delete(&account.id).await)?;
    not_found(client.media().get(&photo.id).await.map(drop))?;
    not_found(client.media().delete(&photo.id).await)?;
    not_found(client.listings().get(&listing.id).await.map(drop))?;
    not_found(client.listings().preview(&listing.id).await.map(drop))?;
    not_found(client.listings().delete(&listing.id).await)?;
    not_found(world.listing(&account, "Sweat rose").await.map(drop).map_err(
        |error| match error.downcast() {
            Ok(error) => error,
            Err(other) => panic!("{other}"),
        },
    ))?;
    not_found(client.publish().get(&job.id).await.map(drop))?;
    not_found(client.publish().prepare(&listing.id).await.map(drop))?;
    not_found(client.publish().confirm(&job.id, &confirmation).await.map(drop))?;
    not_found(client.publish().check(&job.id, &confirmation).await.map(drop))?;
    not_found(client.publish().cancel(&job.id).await.map(drop))?;
    not_found(client.publish().retry(&job.id).await.map(drop))?;
    not_found(client.publish().resolve_not_published(&job.id).await.map(drop))?;
    not_found(
        client
            .publish()
            .steps(&job.id)
            .try_collect::<Vec<_>>()
            .await
            .map(drop),
    )?;
    let listed: Vec<Listing> = client
        .listings()
        .list(ListListingsRequest::default())
        .try_collect()
        .await?;
    ensure!(
        listed.iter().all(|each| each.id != listing.id),
        "another workspace's listing is listed"
    );
    ensure!(world.published("Sweat rose").await?.is_empty());
    Ok(())
}
