//! Changes of published items: edit, hide, unhide and delete. Each is made once and never overwrites the site's state
//! unseen.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::time::sleep;
use vintedbot_proofs::records::{Item, What};
use vintedbot_sdk::v1::prepare_change_request::{Change, Edit};
use vintedbot_sdk::v1::publish_job::{Kind, State};
use vintedbot_sdk::v1::{
    Listing, ListingInput, PrepareChangeRequest, PublishJob, UpdateListingRequest, account, listing,
};
use vintedbot_sdk::{Code, ErrorReason, Upload, money};

use super::hand::Hand;
use super::refusals::refused;
use super::world::World;

/// Runs the chapter of changes.
///
/// # Errors
///
/// Fails if an expectation is not met.
pub async fn run_chapter(world: &World) -> Result<()> {
    let listing = published(world, "Sweat vert, à revoir").await?;
    edited(world, &listing).await.context("edited")?;
    with_other_photos(world, &listing).await.context("other photos")?;
    hidden(world, &listing).await.context("hidden")?;
    changed_there(world, &listing)
        .await
        .context("changed on the site")?;
    for (number, action) in [
        json!({"accept_then_500": true}),
        json!({"accept_then_cut": true}),
        json!({"accept_then_cut": true, "delay_visible_ms": 1_500}),
        json!({"reset": true}),
    ]
    .into_iter()
    .enumerate()
    {
        let price = 3_100 + i64::try_from(number)?;
        answer_lost(world, &listing, action.clone(), price)
            .await
            .with_context(|| action.to_string())?;
    }
    challenged(world, &listing).await.context("challenged")?;
    cancelled(world, &listing).await.context("cancelled")?;
    altered(world, &listing).await.context("altered")?;
    shown_late(world, &listing).await.context("shown late")?;
    deleted(world, &listing).await.context("deleted")?;
    gone(world).await.context("gone")
}

/// Publishes a listing.
///
/// # Errors
///
/// Fails if the listing is not published.
pub async fn published(world: &World, title: &str) -> Result<Listing> {
    let (listing, job, confirmation) = world.prepared(&world.account, title).await?;
    world.client.publish().confirm(&job.id, &confirmation).await?;
    world.settled(&job.id, State::Published).await?;
    Ok(world.client.listings().get(&listing.id).await?)
}

fn item_id(listing: &Listing) -> Result<String> {
    Ok(listing
        .remote
        .as_ref()
        .context("it is on the site")?
        .item_id
        .clone())
}

/// Returns the site's records of an item, of the kinds that `pick` selects.
async fn witnessed(world: &World, listing: &Listing, pick: fn(&What) -> Option<&Item>) -> Result<Vec<Item>> {
    let id = item_id(listing)?;
    let records = world.site.records(0).await?;
    let items = records.iter().filter_map(|record| pick(&record.what));
    Ok(items
        .filter(|item| item.item_id.to_string() == id)
        .cloned()
        .collect())
}

fn edits(what: &What) -> Option<&Item> {
    match what {
        What::ItemEdited(item) => Some(item),
        _ => None,
    }
}

fn hidings(what: &What) -> Option<&Item> {
    match what {
        What::ItemHidden(item) | What::ItemUnhidden(item) => Some(item),
        _ => None,
    }
}

fn deletions(what: &What) -> Option<&Item> {
    match what {
        What::ItemDeleted(item) => Some(item),
        _ => None,
    }
}

fn priced(minor_units: i64) -> ListingInput {
    ListingInput {
        price: Some(money(minor_units, "EUR")),
        ..Default::default()
    }
}

async fn confirmed(world: &World, job: &PublishJob, wanted: State) -> Result<PublishJob> {
    let (_, confirmation) = world.ready(&job.id).await?;
    world.client.publish().confirm(&job.id, &confirmation).await?;
    world.settled(&job.id, wanted).await
}

/// A preparation shows the new values beside the site's values and changes nothing. After the confirmation the site has
/// the change once, and so has the listing.
async fn edited(world: &World, listing: &Listing) -> Result<()> {
    let publish = world.client.publish();
    let same = publish.edit(&listing.id, priced(2_900)).await;
    refused(same, Code::InvalidArgument, ErrorReason::ValidationFailed)?;
    let wrong = ListingInput {
        title: "X".repeat(101),
        price: Some(money(1, "EUR")),
        ..Default::default()
    };
    let wrong = publish.edit(&listing.id, wrong).await;
    refused(wrong, Code::InvalidArgument, ErrorReason::ValidationFailed)?;
    let here = UpdateListingRequest {
        id: listing.id.clone(),
        listing: Some(priced(2_500)),
        ..Default::default()
    };
    let here = world.client.listings().update(here).await;
    refused(here, Code::FailedPrecondition, ErrorReason::AlreadyPublished)?;

    let input = ListingInput {
        description: "Porté une seule fois.".to_owned(),
        ..priced(2_500)
    };
    let job = publish.edit(&listing.id, input).await?;
    ensure!(job.kind() == Kind::Edit, "{job:?}");
    let (ready, _) = world.ready(&job.id).await?;
    let mut fields: Vec<_> = ready.changes.iter().map(|change| change.field.as_str()).collect();
    fields.sort_unstable();
    ensure!(fields == ["description", "price"], "{:?}", ready.changes);
    ensure!(
        ready.read_back.iter().all(|field| field.matches),
        "{:?}",
        ready.read_back
    );
    let other = publish.hide(&listing.id).await;
    refused(other, Code::FailedPrecondition, ErrorReason::PublishJobOpen)?;
    let again = publish.edit(&listing.id, priced(2_600)).await?;
    ensure!(
        again.id == job.id && again.prepare_number == 2,
        "not prepared again under the same id: {again:?}"
    );
    let before = world.client.listings().get(&listing.id).await?;
    ensure!(before.price == Some(money(2_900, "EUR")), "{before:?}");
    ensure!(
        witnessed(world, listing, edits).await?.is_empty(),
        "changed before the yes"
    );

    confirmed(world, &job, State::Done).await?;
    let items = witnessed(world, listing, edits).await?;
    ensure!(
        items.len() == 1 && items[0].price_minor == Some(2_600),
        "{items:?}"
    );
    ensure!(items[0].push_up != Some(true), "the paid bump was bought");
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(
        after.price == Some(money(2_600, "EUR")) && after.state() == listing::State::Published,
        "{after:?}"
    );
    ensure!(after.active_publish_job_id.is_empty(), "{after:?}");
    let remote = after.remote.context("it is on the site")?;
    ensure!(remote.differences.is_empty(), "{:?}", remote.differences);
    Ok(())
}

async fn with_other_photos(world: &World, listing: &Listing) -> Result<()> {
    let media = world.client.media();
    let photo = media.upload(Upload::bytes(world.photo()?)).await?;
    let photo = photo.photo.context("the photo")?;
    let input = ListingInput {
        photo_ids: vec![photo.id.clone()],
        ..Default::default()
    };
    let job = world.client.publish().edit(&listing.id, input).await?;
    confirmed(world, &job, State::Done).await?;
    let items = witnessed(world, listing, edits).await?;
    let last = items.last().context("it was changed")?;
    ensure!(
        last.photo_sha256s == [photo.sha256],
        "other photos than approved: {last:?}"
    );
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(after.photo_ids == [photo.id], "{after:?}");
    Ok(())
}

async fn hidden(world: &World, listing: &Listing) -> Result<()> {
    let publish = world.client.publish();
    let shown = publish.unhide(&listing.id).await;
    refused(shown, Code::InvalidArgument, ErrorReason::ValidationFailed)?;
    let job = publish.hide(&listing.id).await?;
    confirmed(world, &job, State::Done).await?;
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(
        after.remote.is_some_and(|remote| remote.hidden),
        "it is not hidden here"
    );
    let job = publish.unhide(&listing.id).await?;
    confirmed(world, &job, State::Done).await?;
    let items = witnessed(world, listing, hidings).await?;
    ensure!(items.len() == 2, "{items:?}");
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(
        after.remote.is_some_and(|remote| !remote.hidden),
        "it is not shown here"
    );
    Ok(())
}

/// A change that the member made on the site is shown, and is overwritten only on explicit request.
async fn changed_there(world: &World, listing: &Listing) -> Result<()> {
    let hand = Hand::of(world, &world.account).await?;
    let (publish, listings) = (world.client.publish(), world.client.listings());
    let id = item_id(listing)?;
    hand.set_price(&id, "33.00").await?;
    let job = publish.edit(&listing.id, priced(2_700)).await?;
    let job = world.settled(&job.id, State::Failed).await?;
    ensure!(job.reason() == ErrorReason::RemoteChanged, "{job:?}");
    let seen = listings.get(&listing.id).await?;
    let differences = seen.remote.context("it is on the site")?.differences;
    ensure!(
        differences.len() == 1
            && differences[0].field == "price"
            && differences[0].remote.starts_with("33,00"),
        "{differences:?}"
    );
    let accepted = world.client.wardrobe().accept(&listing.id).await?;
    ensure!(
        accepted.price == Some(money(3_300, "EUR"))
            && accepted
                .remote
                .as_ref()
                .is_some_and(|remote| remote.differences.is_empty()),
        "{accepted:?}"
    );

    // The same applies to a change between the confirmation and the click.
    let job = publish.edit(&listing.id, priced(2_750)).await?;
    let (_, confirmation) = world.ready(&job.id).await?;
    hand.set_price(&id, "34.00").await?;
    publish.confirm(&job.id, &confirmation).await?;
    let job = world.settled(&job.id, State::Failed).await?;
    ensure!(job.reason() == ErrorReason::RemoteChanged, "{job:?}");

    let request = PrepareChangeRequest {
        listing_id: listing.id.clone(),
        change: Some(Change::Edit(Edit {
            listing: Some(priced(2_750)),
            overwrite_remote: true,
            ..Default::default()
        })),
        ..Default::default()
    };
    let job = publish.prepare_change(request).await?;
    confirmed(world, &job, State::Done).await?;
    let after = listings.get(&listing.id).await?;
    ensure!(
        after.price == Some(money(2_750, "EUR"))
            && after.remote.is_some_and(|remote| remote.differences.is_empty()),
        "it was not overwritten"
    );
    Ok(())
}

/// The answer is lost. Reconciliation reads the outcome, and the change is made once.
async fn answer_lost(world: &World, listing: &Listing, action: serde_json::Value, price: i64) -> Result<()> {
    world.script("edit_item", Some(&listing.title), action).await?;
    let job = world.client.publish().edit(&listing.id, priced(price)).await?;
    confirmed(world, &job, State::Done).await?;
    let items = witnessed(world, listing, edits).await?;
    let times = items
        .iter()
        .filter(|item| item.price_minor == Some(price))
        .count();
    ensure!(times == 1, "made {times} times");
    Ok(())
}

/// A challenge on the click leaves the outcome in doubt. After a person has dealt with it, the site is read and the
/// change is made.
async fn challenged(world: &World, listing: &Listing) -> Result<()> {
    let action = json!({"challenge": "bot_check_on_call"});
    world.script("edit_item", Some(&listing.title), action).await?;
    let publish = world.client.publish();
    let job = publish.edit(&listing.id, priced(3_500)).await?;
    let stopped = confirmed(world, &job, State::Unconfirmed).await?;
    ensure!(
        stopped.requires_action && stopped.reason() == ErrorReason::ChallengeBotCheck,
        "{stopped:?}"
    );
    let paused = world.client.accounts().get(&world.account.id).await?;
    ensure!(paused.state() == account::State::Paused, "{paused:?}");
    let busy = publish.retry(&job.id).await;
    ensure!(busy.is_err(), "a change in doubt was tried again");
    world.client.accounts().resume(&world.account.id).await?;
    world.settled(&job.id, State::Done).await?;
    let items = witnessed(world, listing, edits).await?;
    let times = items
        .iter()
        .filter(|item| item.price_minor == Some(3_500))
        .count();
    ensure!(times == 1, "made {times} times");
    Ok(())
}

async fn cancelled(world: &World, listing: &Listing) -> Result<()> {
    let publish = world.client.publish();
    let job = publish.edit(&listing.id, priced(3_600)).await?;
    let (_, confirmation) = world.ready(&job.id).await?;
    let job = publish.cancel(&job.id).await?;
    ensure!(job.state() == State::Cancelled, "{job:?}");
    ensure!(
        publish.confirm(&job.id, &confirmation).await.is_err(),
        "a cancelled change was confirmed"
    );
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(
        after.price == Some(money(3_500, "EUR")) && after.state() == listing::State::Published,
        "{after:?}"
    );
    Ok(())
}

/// If the site alters what it accepts, the finished job shows that, as an import does.
async fn altered(world: &World, listing: &Listing) -> Result<()> {
    let (listings, wardrobe) = (world.client.listings(), world.client.wardrobe());
    let action = json!({"alter": {"price": 41.5}});
    world.script("edit_item", Some(&listing.title), action).await?;
    let job = world.client.publish().edit(&listing.id, priced(3_800)).await?;
    confirmed(world, &job, State::Done).await?;
    let after = listings.get(&listing.id).await?;
    ensure!(after.price == Some(money(3_800, "EUR")), "{after:?}");
    let shown = after.remote.context("it is on the site")?.differences;
    ensure!(
        shown.len() == 1 && shown[0].field == "price" && shown[0].remote.starts_with("41,50"),
        "{shown:?}"
    );
    let import = wardrobe.import(&world.account.id).await?;
    wardrobe.ended(&import.id).await?;
    let read = listings.get(&listing.id).await?;
    let read = read.remote.context("it is on the site")?.differences;
    ensure!(read == shown, "an import shows {read:?}, the job {shown:?}");
    let accepted = wardrobe.accept(&listing.id).await?;
    ensure!(accepted.price == Some(money(4_150, "EUR")), "{accepted:?}");
    Ok(())
}

/// A value that the site shows late is not a difference.
async fn shown_late(world: &World, listing: &Listing) -> Result<()> {
    let late = Duration::from_secs(2);
    let action = json!({"delay_visible_ms": 2_000});
    world.script("edit_item", Some(&listing.title), action).await?;
    let job = world.client.publish().edit(&listing.id, priced(3_900)).await?;
    confirmed(world, &job, State::Done).await?;
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(
        after.price == Some(money(3_900, "EUR"))
            && after.remote.is_some_and(|remote| remote.differences.is_empty()),
        "it is taken for altered"
    );
    sleep(late).await;
    Ok(())
}

async fn deleted(world: &World, listing: &Listing) -> Result<()> {
    let publish = world.client.publish();
    let action = json!({"accept_then_cut": true});
    world.script("delete_item", Some(&listing.title), action).await?;
    let job = publish.delete(&listing.id).await?;
    confirmed(world, &job, State::Done).await?;
    ensure!(witnessed(world, listing, deletions).await?.len() == 1);
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(after.state() == listing::State::Deleted, "{after:?}");
    let again = publish.edit(&listing.id, priced(3_700)).await;
    refused(again, Code::FailedPrecondition, ErrorReason::NotPublished)?;
    let again = publish.prepare(&listing.id).await;
    refused(again, Code::FailedPrecondition, ErrorReason::NotPublished)?;
    world.client.listings().delete(&listing.id).await?;
    Ok(())
}

/// An item that the member deleted on the site cannot be changed. The listing becomes DELETED when that is accepted.
async fn gone(world: &World) -> Result<()> {
    let listing = published(world, "Sweat que l'on retire à la main").await?;
    let hand = Hand::of(world, &world.account).await?;
    hand.delete(&item_id(&listing)?).await?;
    let job = world.client.publish().hide(&listing.id).await?;
    let job = world.settled(&job.id, State::Failed).await?;
    ensure!(job.reason() == ErrorReason::NotPublished, "{job:?}");
    let seen = world.client.listings().get(&listing.id).await?;
    let differences = seen.remote.context("it was on the site")?.differences;
    ensure!(
        seen.state == i32::from(listing::State::Published)
            && differences.len() == 1
            && differences[0].field == "gone",
        "{differences:?}"
    );
    let accepted = world.client.wardrobe().accept(&listing.id).await?;
    ensure!(accepted.state() == listing::State::Deleted, "{accepted:?}");
    Ok(())
}
