//! Invalid input: each call gets a typed error with its reason, and stores nothing.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::TryStreamExt as _;
use tokio::time::{Instant, sleep};
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::listing_service_client::ListingServiceClient;
use vintedbot_sdk::v1::violation::Code as Mistake;
use vintedbot_sdk::v1::{
    CreateAccountRequest, CreateApiTokenRequest, CreateListingRequest, CreateUploadUrlRequest,
    ListListingsRequest, ListPhotosRequest, ListPublishJobsRequest, Listing, ListingInput,
};
use vintedbot_sdk::{Client, Code, Error, ErrorReason, Timestamp, Upload, money, name};

use super::consent;
use super::world::World;

/// Runs the chapter of refusals.
///
/// # Errors
///
/// Fails if a call is accepted, refused for another reason, or stores anything.
pub async fn run_chapter(world: &World) -> Result<()> {
    // Jobs that ended a moment ago may still store evidence.
    sleep(Duration::from_millis(500)).await;
    let before = Stored::of(world).await?;
    photos(world).await.context("photos")?;
    listings(world).await.context("listings")?;
    tokens(world).await.context("API tokens")?;
    let after = Stored::of(world).await?;
    ensure!(
        before == after,
        "a refused call changed something: {before:?}, then {after:?}"
    );
    repeated(world).await.context("calls made again")?;
    consent::stale(world).await.context("confirmations")?;
    consent::limited(world).await.context("limits")?;
    consent::foreign(world).await.context("another workspace")
}

/// Returns the error of a call that must be refused with this code and reason.
pub fn refused<T: Debug>(answer: vintedbot_sdk::Result<T>, code: Code, reason: ErrorReason) -> Result<Error> {
    match answer {
        Ok(answer) => bail!("accepted instead of {}: {answer:?}", reason.as_str_name()),
        Err(error) if error.reason() == reason && error.code() == Some(code) => Ok(error),
        Err(error) => bail!(
            "instead of {code:?} {}: {:?} {error}",
            reason.as_str_name(),
            error.code()
        ),
    }
}

/// Returns the value of a metadata key of an error.
///
/// # Errors
///
/// Fails if the key is missing.
pub fn metadata(error: &Error, key: &str) -> Result<String> {
    match error {
        Error::Api { metadata, .. } => metadata
            .get(key)
            .cloned()
            .with_context(|| format!("no {key} with {error}")),
        other => bail!("{other}"),
    }
}

fn mistakes(error: &Error) -> Vec<(String, Mistake)> {
    match error {
        Error::Api { violations, .. } => violations
            .iter()
            .map(|found| (found.field.clone(), found.code()))
            .collect(),
        _ => Vec::new(),
    }
}

/// The numbers of stored resources.
#[derive(Debug, PartialEq, Eq)]
struct Stored {
    photos: Vec<String>,
    listings: Vec<String>,
    jobs: Vec<String>,
    files: Vec<String>,
}

impl Stored {
    async fn of(world: &World) -> Result<Self> {
        let client = &world.client;
        let photos: Vec<_> = client
            .media()
            .list(ListPhotosRequest::default())
            .try_collect()
            .await?;
        let listings: Vec<Listing> = client
            .listings()
            .list(ListListingsRequest::default())
            .try_collect()
            .await?;
        let jobs: Vec<_> = client
            .publish()
            .list(ListPublishJobsRequest::default())
            .try_collect()
            .await?;
        let mut files = Vec::new();
        let mut folders = vec![world.media_dir.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path.display().to_string());
                }
            }
        }
        files.sort();
        Ok(Self {
            photos: photos.into_iter().map(|photo| photo.id).collect(),
            listings: listings.into_iter().map(|listing| listing.id).collect(),
            jobs: jobs.into_iter().map(|job| job.id).collect(),
            files,
        })
    }
}

async fn photos(world: &World) -> Result<()> {
    let media = world.client.media();
    let good = world.photo()?;
    let half = good[..good.len() / 2].to_vec();
    // A GIF header states its size in four bytes: 65,535 x 65,535 pixels.
    let bomb =
        b"GIF89a\xff\xff\xff\xff\x00\x00\x00\x2c\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x02\x44\x01\x00\x3b"
            .to_vec();
    let cases = [
        (b"certainly no picture".to_vec(), ErrorReason::PhotoNotAnImage),
        (half.clone(), ErrorReason::PhotoTruncated),
        (bomb, ErrorReason::PhotoTooManyPixels),
    ];
    for (bytes, reason) in cases {
        let error = refused(
            media.upload(Upload::bytes(bytes.clone()).named("it.jpg")).await,
            Code::InvalidArgument,
            reason,
        )?;
        ensure!(metadata(&error, "file_name")? == "it.jpg");
        // If one of several photos is bad, no photo is stored.
        let several = [Upload::bytes(good.clone()), Upload::bytes(bytes.clone())];
        let error = refused(media.upload_all(several).await, Code::InvalidArgument, reason)?;
        ensure!(metadata(&error, "index")? == "1");
        let several = [Upload::bytes(good.clone()), Upload::bytes(bytes.clone())];
        let listings = world.client.listings();
        let made = listings.create_from_photos(&world.account.id, several, ListingInput::default());
        refused(made.await, Code::InvalidArgument, reason)?;

        let request = CreateUploadUrlRequest {
            size_bytes: i64::try_from(bytes.len())?,
            ..Default::default()
        };
        let url = media.create_upload_url(request).await?.url;
        let (status, text) = put(&url, bytes).await?;
        ensure!(
            (400..500).contains(&status) && text.contains(reason.as_str_name()),
            "{status} {text}"
        );
        let (status, text) = put(&format!("{url}x"), good.clone()).await?;
        ensure!(
            status == 403 && text.contains("UPLOAD_URL_INVALID"),
            "{status} {text}"
        );
    }
    let too_many = ListingInput {
        photo_ids: (0..21).map(|_| SystemIds.id()).collect(),
        ..Default::default()
    };
    let error = refused(
        create(world, too_many, "").await,
        Code::InvalidArgument,
        ErrorReason::TooManyPhotos,
    )?;
    ensure!(metadata(&error, "max_photos")? == "20");
    Ok(())
}

/// Sends a photo to a signed address, as a browser would.
///
/// # Errors
///
/// Fails if there is no answer.
#[expect(
    clippy::disallowed_methods,
    reason = "it talks to the instance on this machine, by an address that it gave"
)]
pub async fn put(url: &str, bytes: Vec<u8>) -> Result<(u16, String)> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let answer = http.put(url).body(bytes).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

async fn create(world: &World, listing: ListingInput, request_id: &str) -> vintedbot_sdk::Result<Listing> {
    let request = CreateListingRequest {
        account_id: world.account.id.clone(),
        listing: Some(listing),
        request_id: request_id.to_owned(),
    };
    world.client.listings().create(request).await
}

async fn listings(world: &World) -> Result<()> {
    let whole = || world.content("Sweat bleu");
    let wrong = [
        (
            ListingInput {
                title: "x".repeat(101),
                ..whole()
            },
            ("listing.title", Mistake::TooMany),
        ),
        (
            ListingInput {
                title: "SWEAT BLEU TRES BEAU".into(),
                ..whole()
            },
            ("listing.title", Mistake::TooManyCapitals),
        ),
        (
            ListingInput {
                price: Some(money(99, "EUR")),
                ..whole()
            },
            ("listing.price", Mistake::OutOfRange),
        ),
    ];
    let validation = ErrorReason::ValidationFailed;
    for (input, (field, mistake)) in wrong {
        let error = refused(create(world, input, "").await, Code::InvalidArgument, validation)?;
        ensure!(mistakes(&error) == [(field.to_owned(), mistake)], "{error}");
    }
    let input = ListingInput {
        title: "x".repeat(101),
        price: Some(money(99, "EUR")),
        ..whole()
    };
    let error = refused(
        create(world, input, "no UUID").await,
        Code::InvalidArgument,
        validation,
    )?;
    ensure!(!mistakes(&error).is_empty(), "{error}");

    let ambiguous = ListingInput {
        category: Some(name("Sweats")),
        ..whole()
    };
    let error = refused(
        create(world, ambiguous, "").await,
        Code::InvalidArgument,
        ErrorReason::NameAmbiguous,
    )?;
    let candidates = metadata(&error, "candidates")?;
    ensure!(
        candidates.lines().count() >= 2 && candidates.contains("Homme"),
        "{candidates:?}"
    );
    let unknown = ListingInput {
        category: Some(name("Fusées")),
        ..whole()
    };
    refused(
        create(world, unknown, "").await,
        Code::InvalidArgument,
        ErrorReason::NameUnknown,
    )?;

    let long = CreateAccountRequest {
        display_name: "x".repeat(5 << 20),
        ..Default::default()
    };
    let made = world.client.accounts().create(long).await;
    let error = refused(made, Code::ResourceExhausted, ErrorReason::MessageTooLarge)?;
    ensure!(metadata(&error, "max_bytes")? == "4194304");

    let unknown = SystemIds.id();
    let error = refused(
        world.client.listings().get(&unknown).await,
        Code::NotFound,
        ErrorReason::NotFound,
    )?;
    ensure!(metadata(&error, "resource_id")? == unknown);
    refused(
        world.client.publish().prepare(&unknown).await,
        Code::NotFound,
        ErrorReason::NotFound,
    )?;
    Ok(())
}

async fn tokens(world: &World) -> Result<()> {
    let auth = world.client.auth();
    let make = async |scope: &str, expire_time: Option<i64>| -> Result<(String, Client)> {
        let request = CreateApiTokenRequest {
            name: format!("story, {scope}"),
            scopes: vec![scope.to_owned()],
            expire_time: expire_time.map(|time| Timestamp {
                seconds: time / 1000,
                nanos: (time % 1000) as i32 * 1_000_000,
            }),
            ..Default::default()
        };
        let answer = auth.create_api_token(request).await?;
        world.secret(scope, &answer.secret);
        let client = Client::builder(world.instance.url())
            .token(answer.secret)
            .lazy()?;
        Ok((answer.api_token.context("the token")?.id, client))
    };
    let (id, reader) = make("listings:read", None).await?;
    let request = || CreateListingRequest {
        account_id: world.account.id.clone(),
        ..Default::default()
    };
    let error = refused(
        reader.listings().create(request()).await,
        Code::PermissionDenied,
        ErrorReason::InsufficientScope,
    )?;
    ensure!(metadata(&error, "scope")? == "listings:write");
    auth.revoke_api_token(&id).await?;
    let asked = reader.listings().create(request()).await;
    refused(asked, Code::Unauthenticated, ErrorReason::TokenInvalid)?;

    let (_, passing) = make("listings:write", Some(SystemClock.now() + 1_500)).await?;
    let until = Instant::now() + Duration::from_secs(15);
    let error = loop {
        match passing.auth().get_me().await {
            Err(error) => break error,
            Ok(_) => ensure!(Instant::now() < until, "a token outlives its time"),
        }
        sleep(Duration::from_millis(50)).await;
    };
    refused(
        Err::<(), _>(error),
        Code::Unauthenticated,
        ErrorReason::TokenExpired,
    )?;
    let anybody = Client::builder(world.instance.url()).lazy()?;
    refused(
        anybody.auth().get_me().await,
        Code::Unauthenticated,
        ErrorReason::TokenMissing,
    )?;
    Ok(())
}

async fn repeated(world: &World) -> Result<()> {
    let id = SystemIds.id();
    let first = create(world, world.content("Sweat vert"), &id).await?;
    let second = create(world, world.content("Sweat vert"), &id).await?;
    ensure!(first == second, "the same request_id got another answer");
    let other = create(world, world.content("Sweat jaune"), &id).await;
    refused(other, Code::AlreadyExists, ErrorReason::RequestIdReused)?;
    create(world, world.content("Sweat rouge"), "").await?;

    let mut lists = ListingServiceClient::new(world.client.channel());
    let page = ListListingsRequest {
        page_size: 1,
        ..Default::default()
    };
    let token = lists.list_listings(page).await?.into_inner().next_page_token;
    ensure!(!token.is_empty(), "there is only one page");
    let elsewhere = |page_token: &str| ListListingsRequest {
        page_size: 1,
        page_token: page_token.to_owned(),
        title_contains: "Sweat".to_owned(),
        ..Default::default()
    };
    for token in [token.as_str(), "nonsense"] {
        let answer = lists.list_listings(elsewhere(token)).await.map_err(Error::from);
        refused(answer, Code::InvalidArgument, ErrorReason::PageTokenInvalid)?;
    }
    Ok(())
}
