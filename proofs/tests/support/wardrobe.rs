//! Import of the items that an account already has on the site: each once, despite repeated calls and kills.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::time::{Instant, sleep};
use vintedbot_sdk::v1::import_session_request::Source;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::wardrobe_import::State as Import;
use vintedbot_sdk::v1::{
    Account, EventKind, ImportSessionRequest, ListListingsRequest, Listing, WardrobeImport, listing,
};
use vintedbot_sdk::{Code, ErrorReason, money};

use super::hand::Hand;
use super::refusals::refused;
use super::world::{World, seller};

/// Runs the chapter of the wardrobe.
///
/// # Errors
///
/// Fails if an expectation is not met.
pub async fn run_chapter(world: &mut World) -> Result<()> {
    let account = seller(&world.client, "Nadia", 60).await?;
    let hand = Hand::of(world, &account).await?;
    for number in 1..=3 {
        put(world, &hand, &format!("Pull importé {number}"), number == 3).await?;
    }
    imported(world, &account).await.context("imported")?;
    compared(world, &account, &hand).await.context("compared")?;
    published_from_its_draft(world, &account)
        .await
        .context("its draft")?;
    another_member(world, &account).await.context("another member")?;
    killed(world, &account, &hand).await.context("killed")
}

async fn put(world: &World, hand: &Hand, title: &str, is_draft: bool) -> Result<()> {
    let item = json!({
        "title": title,
        "description": "Doux et chaud.",
        "price": "15.00",
        "currency": "EUR",
        "catalog_id": 7001,
        "brand_id": 53,
        "package_size_id": 1,
        "color_ids": [2],
        "item_attributes": [{"code": "size", "ids": [205]}, {"code": "condition", "ids": [3]}],
    });
    let body = json!({"member_id": hand.member_id, "item": item, "photos": 2, "is_draft": is_draft});
    world.site.put_item(&body).await?;
    Ok(())
}

async fn ended(world: &World, account: &Account) -> Result<WardrobeImport> {
    let wardrobe = world.client.wardrobe();
    let import = wardrobe.import(&account.id).await?;
    let import = wardrobe.ended(&import.id).await?;
    ensure!(import.state() == Import::Done, "{import:?}");
    ensure!(import.problems.is_empty(), "{:?}", import.problems);
    Ok(import)
}

async fn listings(world: &World, account: &Account) -> Result<Vec<Listing>> {
    let request = ListListingsRequest {
        account_id: account.id.clone(),
        ..Default::default()
    };
    Ok(world.client.listings().list(request).try_collect().await?)
}

fn titled<'a>(listings: &'a [Listing], title: &str) -> Result<&'a Listing> {
    let mut found = listings.iter().filter(|listing| listing.title == title);
    let first = found.next().with_context(|| format!("there is no {title}"))?;
    ensure!(found.next().is_none(), "{title} is here twice");
    Ok(first)
}

/// Items and drafts become listings with their photos. Two concurrent calls are one import, and a repeated import
/// creates no duplicates.
async fn imported(world: &World, account: &Account) -> Result<()> {
    let wardrobe = world.client.wardrobe();
    let (first, second) = tokio::join!(wardrobe.import(&account.id), wardrobe.import(&account.id));
    let (first, second) = (first?, second?);
    ensure!(first.id == second.id, "two imports at once");
    let import = wardrobe.ended(&first.id).await?;
    ensure!(
        import.state() == Import::Done && (import.total, import.done, import.created) == (3, 3, 3),
        "{import:?}"
    );
    world
        .watched
        .wait_for(EventKind::WardrobeImportEnded, &import.id)
        .await?;
    let here = listings(world, account).await?;
    ensure!(here.len() == 3, "{here:?}");
    let item = titled(&here, "Pull importé 1")?;
    ensure!(
        item.state() == listing::State::Published
            && item.price == Some(money(1_500, "EUR"))
            && item.photo_ids.len() == 2
            && item
                .category
                .as_ref()
                .is_some_and(|named| named.name.ends_with("Sweats"))
            && item.brand.as_ref().is_some_and(|named| !named.name.is_empty()),
        "{item:?}"
    );
    let draft = titled(&here, "Pull importé 3")?;
    ensure!(
        draft.state() == listing::State::Draft && draft.remote.as_ref().is_some_and(|remote| remote.draft),
        "{draft:?}"
    );
    let again = ended(world, account).await?;
    ensure!((again.created, again.differing) == (0, 0), "{again:?}");
    ensure!(listings(world, account).await?.len() == 3);
    Ok(())
}

/// A change on the site is shown and changes nothing here until it is accepted. The same applies to a missing item.
async fn compared(world: &World, account: &Account, hand: &Hand) -> Result<()> {
    let here = listings(world, account).await?;
    let (first, second) = (titled(&here, "Pull importé 1")?, titled(&here, "Pull importé 2")?);
    let id = |listing: &Listing| listing.remote.as_ref().map(|remote| remote.item_id.clone());
    hand.set_price(&id(first).context("an id")?, "18.50").await?;
    hand.delete(&id(second).context("an id")?).await?;
    let import = ended(world, account).await?;
    ensure!((import.created, import.differing) == (0, 2), "{import:?}");
    let seen = world.client.listings().get(&first.id).await?;
    let remote = seen.remote.context("it is on the site")?;
    ensure!(
        seen.price == Some(money(1_500, "EUR"))
            && remote.differences.len() == 1
            && remote.differences[0].field == "price"
            && remote.read_time.is_some(),
        "{remote:?}"
    );
    let accepted = world.client.wardrobe().accept(&first.id).await?;
    ensure!(accepted.price == Some(money(1_850, "EUR")), "{accepted:?}");
    let seen = world.client.listings().get(&second.id).await?;
    let remote = seen.remote.context("it was on the site")?;
    ensure!(
        remote.differences.iter().any(|each| each.field == "gone"),
        "{remote:?}"
    );
    let accepted = world.client.wardrobe().accept(&second.id).await?;
    ensure!(accepted.state() == listing::State::Deleted, "{accepted:?}");
    let import = ended(world, account).await?;
    ensure!((import.created, import.differing) == (0, 0), "{import:?}");
    Ok(())
}

/// A listing that was imported from a draft is published from that draft, so the site has one item.
async fn published_from_its_draft(world: &World, account: &Account) -> Result<()> {
    let here = listings(world, account).await?;
    let draft = titled(&here, "Pull importé 3")?;
    let draft_id = draft.remote.as_ref().context("a draft there")?.item_id.clone();
    let publish = world.client.publish();
    let job = publish.prepare(&draft.id).await?;
    let (job, confirmation) = world.ready(&job.id).await?;
    publish.confirm(&job.id, &confirmation).await?;
    let job = world.settled(&job.id, State::Published).await?;
    let items = world.published("Pull importé 3").await?;
    ensure!(
        items.len() == 1 && items[0].draft_id.map(|id| id.to_string()) == Some(draft_id),
        "{items:?} {job:?}"
    );
    let import = ended(world, account).await?;
    ensure!((import.created, import.differing) == (0, 0), "{import:?}");
    Ok(())
}

/// A wardrobe of another member neither affects nor changes the listings of the account's earlier member.
async fn another_member(world: &World, account: &Account) -> Result<()> {
    let here = listings(world, account).await?;
    let first = titled(&here, "Pull importé 1")?;
    become_member(world, account, "somebody-else").await?;
    let import = ended(world, account).await?;
    ensure!((import.created, import.differing) == (0, 0), "{import:?}");
    let seen = world.client.listings().get(&first.id).await?;
    let remote = seen.remote.context("it is on the site")?;
    ensure!(remote.differences.is_empty(), "{:?}", remote.differences);
    let publish = world.client.publish();
    let hidden = publish.hide(&first.id).await;
    refused(
        hidden,
        Code::FailedPrecondition,
        ErrorReason::SessionMemberMismatch,
    )?;

    become_member(world, account, &account.member_login).await?;
    let import = ended(world, account).await?;
    ensure!((import.created, import.differing) == (0, 0), "{import:?}");
    let job = publish.hide(&first.id).await?;
    world.ready(&job.id).await?;
    publish.cancel(&job.id).await?;
    Ok(())
}

async fn become_member(world: &World, account: &Account, login: &str) -> Result<()> {
    let signed_in = world.site.sign_in(login).await?;
    let request = ImportSessionRequest {
        account_id: account.id.clone(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0".to_owned(),
        source: Some(Source::CookieHeader(signed_in.header())),
        accept_other_member: true,
        ..Default::default()
    };
    world.client.accounts().import_session(request).await?;
    Ok(())
}

/// The process is killed while it reads. Its successor continues, and nothing is duplicated.
async fn killed(world: &mut World, account: &Account, hand: &Hand) -> Result<()> {
    for number in 4..=12 {
        put(world, hand, &format!("Pull importé {number}"), false).await?;
    }
    let slow = json!({"on": "item", "title_contains": "Pull importé", "do": {"latency_ms": 150}});
    world.site.add_rule(&slow).await?;
    let import = world.client.wardrobe().import(&account.id).await?;
    let until = Instant::now() + Duration::from_secs(60);
    while listings(world, account).await?.len() < 6 {
        ensure!(Instant::now() < until, "nothing is imported");
        sleep(Duration::from_millis(50)).await;
    }
    world.instance.kill().await?;
    world.restart().await?;
    let import = world.client.wardrobe().ended(&import.id).await?;
    ensure!(
        import.state() == Import::Done && import.created == 9 && import.problems.is_empty(),
        "{import:?}"
    );
    let here = listings(world, account).await?;
    ensure!(here.len() == 12, "{} listings", here.len());
    for number in 1..=12 {
        titled(&here, &format!("Pull importé {number}"))?;
    }
    Ok(())
}
