//! A new instance in mock mode has a wardrobe, which is the same each time.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use futures::TryStreamExt as _;
use vintedbot_sdk::v1::{
    Account, ListListingsRequest, ListPhotosRequest, ListPublishJobsRequest, Listing, Photo, PublishJob,
    account, listing, publish_job,
};

use crate::rig::{Home, Instance, PATIENCE};

struct Contents {
    accounts: Vec<Account>,
    photos: Vec<Photo>,
    listings: Vec<Listing>,
    jobs: Vec<PublishJob>,
}

async fn contents(instance: &Instance) -> Contents {
    let client = instance.client().await;
    Contents {
        accounts: client.accounts().list().try_collect().await.expect("accounts"),
        photos: client
            .media()
            .list(ListPhotosRequest::default())
            .try_collect()
            .await
            .expect("photos"),
        listings: client
            .listings()
            .list(ListListingsRequest::default())
            .try_collect()
            .await
            .expect("listings"),
        jobs: client
            .publish()
            .list(ListPublishJobsRequest::default())
            .try_collect()
            .await
            .expect("jobs"),
    }
}

#[tokio::test]
async fn first_start_seeds_listings_in_every_state() {
    let home = Home::new();
    let instance = home.start(&["--seed"], &[]).await;
    assert_eq!(instance.browser, "off, browserless driver");
    let Contents {
        accounts,
        photos,
        listings,
        jobs,
    } = contents(&instance).await;

    let paused = accounts
        .iter()
        .filter(|account| account.state() == account::State::Paused);
    assert_eq!((accounts.len(), paused.count()), (2, 1));
    assert!(photos.len() >= 24, "{} photos", photos.len());
    assert_eq!(listings.len(), 15);
    let mut states = BTreeMap::<_, usize>::new();
    for job in &jobs {
        *states.entry(job.state().as_str_name()).or_default() += 1;
    }
    let expected = [
        publish_job::State::AwaitingConfirmation,
        publish_job::State::Blocked,
        publish_job::State::Cancelled,
        publish_job::State::Expired,
        publish_job::State::Failed,
    ]
    .map(|state| (state.as_str_name(), 1));
    let mut expected = BTreeMap::from(expected);
    expected.insert(publish_job::State::Published.as_str_name(), 4);
    assert_eq!(states, expected);

    let published = listings
        .iter()
        .filter(|listing| listing.state() == listing::State::Published);
    assert_eq!(published.count(), 4);
    assert_eq!(instance.records("item_published").await.len(), 4);
    assert!(instance.stop().await.success());

    // The second start finds the wardrobe and does not change it.
    let instance = home.start(&["--seed"], &[]).await;
    assert_eq!(contents(&instance).await.listings.len(), 15);
    assert!(instance.stop().await.success());
}

#[tokio::test]
async fn two_instances_get_the_same_seed_data() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let home = Home::new();
        let filled = home
            .command(&["seed"], &[])
            .output()
            .await
            .expect("the program starts");
        assert!(
            filled.status.success(),
            "{}",
            String::from_utf8_lossy(&filled.stderr)
        );
        let again = home
            .command(&["seed"], &[])
            .output()
            .await
            .expect("the program starts");
        assert!(!again.status.success(), "an instance is filled once");
        let instance = home.start(&[], &[]).await;
        let Contents { photos, listings, .. } = contents(&instance).await;
        let mut titles: Vec<_> = listings
            .into_iter()
            .map(|listing| (listing.title, listing.price))
            .collect();
        titles.sort_by(|left, right| left.0.cmp(&right.0));
        let mut hashes: Vec<_> = photos
            .into_iter()
            .map(|photo| (photo.file_name, photo.sha256))
            .collect();
        hashes.sort();
        seen.push((titles, hashes));
        assert!(instance.stop().await.success());
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn interrupted_seeding_is_reported_as_incomplete() {
    let home = Home::new();
    let mut child = home
        .command(&["serve", "--seed"], &[])
        .spawn()
        .expect("it starts");
    let begins = async {
        // The first photo belongs to the first account.
        while !fs::read_dir(home.data().join("media")).is_ok_and(|mut files| files.next().is_some()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, begins)
        .await
        .expect("it is being filled");
    child.kill().await.expect("is killed");
    home.start(&["--seed"], &[]).await.stop().await;
    let reports = home.log().matches("the example data is incomplete").count();
    assert_eq!(reports, 1, "{}", home.log());
    fs::remove_file(home.data().join("seeding")).expect("there is a mark");
    home.start(&["--seed"], &[]).await.stop().await;
    assert_eq!(home.log().matches("incomplete").count(), 1, "{}", home.log());
}

#[tokio::test]
async fn interrupted_seeding_is_completed_at_next_start() {
    let home = Home::new();
    let refused = home
        .command(&["serve", "--seed"], &[("REDIS_URL", "redis://127.0.0.1:1")])
        .output()
        .await;
    assert!(!refused.expect("it ends").status.success());
    let instance = home.start(&["--seed"], &[]).await;
    assert_eq!(contents(&instance).await.listings.len(), 15);
    instance.stop().await;
    assert!(!home.log().contains("incomplete"), "{}", home.log());
}
