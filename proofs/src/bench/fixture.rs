//! An instance with a hundred thousand listings. One listing is created through the API. The others are copies of it,
//! written directly into the database of the stopped instance.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use rusqlite::{Connection, params};
use tokio::time::{sleep, timeout};
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::store::{self, Store};
use vintedbot_sdk::v1::{
    Account, CreateAccountRequest, CreateListingRequest, ListConditionsRequest, Listing, ListingInput,
    account,
};
use vintedbot_sdk::{Client, ErrorReason, Upload};

use crate::instance::Instance;
use crate::{contents, photos};

const LISTINGS: u32 = 100_000;
const SECOND: i64 = 1_000;
const CATALOG_TAKES_AT_MOST: Duration = Duration::from_secs(60);

/// Opens the database of an instance, in addition to the instance's own connections.
pub async fn store(url: &str) -> Result<Store> {
    Ok(store::connect(url, Arc::new(SystemClock), Arc::new(SystemIds)).await?)
}

/// Returns a client with the first token of an instance.
pub async fn client(instance: &Instance) -> Result<Client> {
    let client = Client::builder(instance.url()).token_file(instance.token_file());
    Ok(client.build().await?)
}

/// Creates an account and a listing with a value in every field.
pub async fn sample(client: &Client) -> Result<Listing> {
    let account = account(client).await?;
    let uploads = (1..=3).map(|seed| {
        let photo = photos::jpeg(seed, 300, 400)?;
        Ok(Upload::bytes(photo))
    });
    let answers = client
        .media()
        .upload_all(uploads.collect::<Result<Vec<_>>>()?)
        .await?;
    let photo_ids = answers
        .into_iter()
        .filter_map(|answer| answer.photo)
        .map(|photo| photo.id);
    let listing = ListingInput {
        photo_ids: photo_ids.collect(),
        ..input()
    };
    let request = CreateListingRequest {
        account_id: account.id,
        listing: Some(listing),
        ..Default::default()
    };
    Ok(client.listings().create(request).await?)
}

/// Returns a listing with a value in every field except the photos.
pub fn input() -> ListingInput {
    let description = "Porté deux fois, comme neuf. Coton épais, coupe droite, taille bien. Lavé à trente degrés, sans \
                       adoucissant, dans une maison sans animaux ni fumée. Envoi sous deux jours ouvrés.";
    ListingInput {
        description: description.to_owned(),
        ..contents::whole("Sweat gris chiné, coupe droite", Vec::new())
    }
}

/// Creates an account and waits until its catalogue is read.
pub async fn account(client: &Client) -> Result<Account> {
    let request = CreateAccountRequest {
        display_name: "Bench".to_owned(),
        market: "fr".to_owned(),
        language: "fr".to_owned(),
        mode: Some(account::Mode::Mock.into()),
        ..Default::default()
    };
    let account = client.accounts().create(request).await?;
    let has_catalog = async {
        while !has_catalog(client, &account).await? {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(account)
    };
    timeout(CATALOG_TAKES_AT_MOST, has_catalog)
        .await
        .context("the site's catalogue was not read in time")?
}

async fn has_catalog(client: &Client, account: &Account) -> Result<bool> {
    let request = ListConditionsRequest {
        account_id: account.id.clone(),
        ..Default::default()
    };
    match client.catalog().conditions(request).try_next().await {
        Ok(first) => Ok(first.is_some()),
        Err(error) if error.reason() == ErrorReason::CatalogNotReady => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Fills the database with copies of a listing, each one second older than the previous one. Returns their ids.
pub fn fill(database: &Path, sample: &Listing) -> Result<Vec<String>> {
    let mut connection = Connection::open(database)?;
    let transaction = connection.transaction()?;
    transaction.execute(
        "CREATE TEMP TABLE copy AS SELECT * FROM listings WHERE id = ?1",
        [&sample.id],
    )?;
    let mut ids = Vec::new();
    {
        let mut change = transaction.prepare(
            "UPDATE copy SET id = ?1, title = ?2, title_lower = lower(?2), create_time = create_time - ?3,
                update_time = create_time - ?3",
        )?;
        let mut insert = transaction.prepare("INSERT INTO listings SELECT * FROM copy")?;
        for number in 1..LISTINGS {
            // The id begins with the time, like real ids.
            let id = format!("{:08x}-0000-7000-8000-{number:012x}", 0x019A_0000 - number);
            change.execute(params![id, format!("{} {number}", sample.title), SECOND])?;
            insert.execute([])?;
            ids.push(id);
        }
    }
    transaction.execute("DROP TABLE temp.copy", [])?;
    transaction.commit()?;
    Ok(ids)
}
