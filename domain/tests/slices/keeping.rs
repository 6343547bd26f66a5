//! What runs by itself, once for each of its turns, and what is cleared away by it.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::jobs::{self, Cadence};
use vintedbot_domain::listings::{self, ListingInput};
use vintedbot_domain::media::{self, files, pipeline};
use vintedbot_domain::store::{self, Store};
use vintedbot_domain::{Error, events};

use crate::postgres::Postgres;
use crate::support::{START, TestClock, World};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

async fn another(url: &str, clock: &Arc<TestClock>) -> Store {
    store::connect(url, clock.clone(), Arc::new(SystemIds))
        .await
        .expect("opens")
}

async fn one_of_many_takes_each_turn(url: &str) {
    let world = World::on(url).await;
    let zone = world.domain.settings.zone();
    let defaults = [
        ("often", Cadence::Every(1_000)),
        ("daily", Cadence::at_hour(2)),
        ("other", Cadence::Every(1_000)),
    ];
    jobs::write_defaults(&world.domain.store, &defaults, &zone)
        .await
        .expect("are written");
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(another(url, &world.clock).await);
    }
    for turn in 0..10 {
        // On PostgreSQL its own clock counts; every schedule is made due.
        let due = "UPDATE schedules SET next_run = 0";
        sea_orm::ConnectionTrait::execute_unprepared(world.domain.store.writer(), due)
            .await
            .expect("are due");
        let callers = processes.iter().flat_map(|store| [store, store]).map(|store| {
            let (store, zone) = (store.clone(), zone.clone());
            tokio::spawn(async move { jobs::take_due(&store, &zone, &HashSet::new()).await })
        });
        let mut taken = Vec::new();
        for caller in callers.collect::<Vec<_>>() {
            let due = caller.await.expect("ends").expect("is asked");
            taken.extend(due.into_iter().map(|due| due.id));
        }
        taken.sort();
        assert_eq!(taken, ["daily", "often", "other"], "turn {turn}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_one_takes_each_turn_on_sqlite() {
    let folder = TempDir::new().expect("a folder");
    one_of_many_takes_each_turn(&format!("sqlite://{}", folder.path().join("a.sqlite").display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_one_takes_each_turn_on_postgresql() {
    let server = Postgres::start().await.expect("a server");
    one_of_many_takes_each_turn(&server.url()).await;
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn a_schedule_runs_once_after_a_pause_says_how_it_went_and_can_be_made_daily() {
    let world = World::new().await;
    let (store, zone) = (&world.domain.store, world.domain.settings.zone());
    let defaults = [("often", Cadence::Every(1_000)), ("nightly", Cadence::at_hour(2))];
    jobs::write_defaults(store, &defaults, &zone)
        .await
        .expect("are written");
    let take = async |busy: &[&str]| {
        let busy = busy.iter().map(|&id| id.to_owned()).collect();
        let due = jobs::take_due(store, &zone, &busy).await.expect("is asked");
        due.into_iter().map(|due| due.id).collect::<Vec<_>>()
    };
    let row = async |id: &str| {
        let rows = jobs::list_schedules(store).await.expect("schedules");
        rows.into_iter().find(|row| row.id == id).expect("is there")
    };
    assert_eq!(take(&[]).await, ["often"], "a daily one waits for its time");
    assert_eq!(row("often").await.last_outcome.as_deref(), Some("RUNNING"));
    let failed = Err(Error::Internal("the disk is full".to_owned()));
    jobs::complete(store, "often", &failed).await.expect("is noted");
    let often = row("often").await;
    assert_eq!(often.last_outcome.as_deref(), Some("FAILED"));
    assert!(
        often
            .last_message
            .is_some_and(|message| message.contains("the disk is full"))
    );

    world.clock.advance(3 * DAY);
    assert_eq!(
        take(&["often"]).await,
        ["nightly"],
        "a busy process takes it no second time"
    );
    assert_eq!(take(&[]).await, ["often"]);
    assert!(
        take(&[]).await.is_empty(),
        "three days were missed, and one run makes up for them"
    );
    let next = row("nightly").await.next_run;
    assert!((1..=DAY).contains(&(next - START - 3 * DAY)), "{next}");

    let daily = Some(Cadence::daily("04:30").expect("a time"));
    let changed = jobs::update_schedule(store, "often", daily, None, &zone).await;
    let changed = changed.expect("is changed");
    assert_eq!(changed.daily_at.as_deref(), Some("04:30"));
    assert!(changed.next_run > START + 3 * DAY);
    // What a person changed is left as it is by the next start, but for the time zone.
    let tokyo = jiff::tz::TimeZone::get("Asia/Tokyo").expect("a zone");
    jobs::write_defaults(store, &defaults, &tokyo)
        .await
        .expect("are written");
    let moved = row("often").await;
    assert_eq!(moved.daily_at.as_deref(), Some("04:30"));
    assert_ne!(moved.next_run, changed.next_run);
    for interval in [10, i64::MAX] {
        let cadence = Some(Cadence::Every(interval));
        let refused = jobs::update_schedule(store, "often", cadence, None, &zone).await;
        assert!(refused.is_err(), "{interval}");
    }
}

#[tokio::test]
async fn both_engines_give_back_what_was_removed() {
    let (server, folder) = (
        Postgres::start().await.expect("a server"),
        TempDir::new().expect("a folder"),
    );
    let file = format!("sqlite://{}", folder.path().join("a.sqlite").display());
    for url in [file, server.url()] {
        let world = World::on(&url).await;
        for seed in 0..3 {
            world.photo(seed).await;
        }
        events::retain(&world.domain.store, i64::MAX)
            .await
            .expect("are removed");
        let said = world.domain.store.vacuum().await.expect("vacuums");
        assert!(
            said.starts_with("gave back") || said.starts_with("vacuumed"),
            "{said}"
        );
        let gone = jobs::purge_workers(&world.domain.store, i64::MAX).await;
        assert_eq!(gone.expect("is asked"), 0);
    }
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn photos_that_nothing_ever_used_go_after_a_day_and_no_others() {
    let (world, account) = World::with_account().await;
    let domain = &world.domain;
    let mut photos = Vec::new();
    for seed in 0..4 {
        photos.push(world.photo(seed).await);
    }
    let [unused, listed, told, again] = &photos[..] else {
        panic!("four photos")
    };
    let input = ListingInput {
        photo_ids: vec![listed.id.clone()],
        ..ListingInput::default()
    };
    let listing = world.listing(&account, input).await;
    listings::delete(domain, &world.caller, &listing.id, None)
        .await
        .expect("is deleted");
    // A text that refers to it, wherever it stands.
    let owner = &world.caller.owner_id;
    let template = format!(
        "INSERT INTO templates (id, owner_id, name, text, create_time, update_time, sequence) \
         VALUES ('1', '{owner}', 'x', 'see {}.', 0, 0, 0)",
        told.id
    );
    sea_orm::ConnectionTrait::execute_unprepared(domain.store.writer(), &template)
        .await
        .expect("is written");
    assert!(
        media::upload(domain, &world.caller, crate::support::picture(3), None)
            .await
            .expect("is sent again")
            .existing
    );
    let clean = async |before| media::clean(domain, before).await;
    assert!(
        clean(START)
            .await
            .expect("cleans")
            .contains("removed 0 unused photos"),
        "too young"
    );
    world.clock.advance(DAY);
    let said = clean(START + DAY).await.expect("cleans");
    assert!(said.contains("removed 1 unused photos and 0 files"), "{said}");
    let left = async |photo: &media::Photo| {
        let key = files::photo_key(&photo.sha256).expect("a key");
        let row = media::get(domain, &world.caller, &photo.id).await.is_ok();
        (row, domain.files.exists(&key).await.expect("answers"))
    };
    assert_eq!(left(unused).await, (false, false));
    for kept in [listed, told, again] {
        assert_eq!(left(kept).await, (true, true));
    }
    let told = world.events().await;
    let gone = told
        .iter()
        .filter(|event| event.kind == events::Kind::PhotoDeleted);
    assert_eq!(gone.count(), 1, "clients are told");
}

#[tokio::test]
async fn files_of_nothing_go_when_they_are_old_and_not_where_all_are() {
    let world = World::new().await;
    let domain = &world.domain;
    world.photo(1).await;
    let put = async |seed: u32| {
        let bytes = Bytes::from(seed.to_le_bytes().repeat(9));
        let sha256 = pipeline::sha256(&bytes);
        domain.files.put_photo(&sha256, bytes).await.expect("is stored")
    };
    let key = put(1).await;
    let said = media::clean(domain, START).await.expect("cleans");
    assert!(
        said.ends_with("0 files of nothing"),
        "somebody may be about to name it: {said}"
    );
    let late = START + 10_000 * DAY;
    let said = media::clean(domain, late).await;
    // The photo itself was never used either.
    assert!(
        said.as_ref()
            .is_ok_and(|said| said.ends_with("1 files of nothing")),
        "{said:?}"
    );
    assert!(!domain.files.exists(&key).await.expect("answers"));
    for seed in 10..70 {
        put(seed).await;
    }
    let refused = media::clean(domain, late)
        .await
        .expect_err("is refused")
        .to_string();
    assert!(refused.contains("60 of 60 files"), "{refused}");
    assert_eq!(domain.files.list("photos").await.expect("lists").len(), 60);
}
