//! Scheduled tasks: each runs once per due time. Retention and cleanup are among them.

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

async fn one_process_takes_each_run(url: &str) {
    let world = World::on(url).await;
    let zone = world.context.settings.zone();
    let defaults = [
        ("often", Cadence::Every(1_000)),
        ("daily", Cadence::at_hour(2)),
        ("other", Cadence::Every(1_000)),
    ];
    jobs::write_defaults(&world.context.store, &defaults, &zone)
        .await
        .expect("are written");
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(another(url, &world.clock).await);
    }
    for turn in 0..10 {
        // On PostgreSQL the database clock counts, so every schedule is made due.
        let due = "UPDATE schedules SET next_run = 0";
        sea_orm::ConnectionTrait::execute_unprepared(world.context.store.writer(), due)
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
async fn one_process_takes_each_scheduled_run_on_sqlite() {
    let folder = TempDir::new().expect("a folder");
    one_process_takes_each_run(&format!("sqlite://{}", folder.path().join("a.sqlite").display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_takes_each_scheduled_run_on_postgresql() {
    let server = Postgres::start().await.expect("a server");
    one_process_takes_each_run(&server.url()).await;
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn schedule_runs_once_after_downtime_and_reports_its_result() {
    let world = World::new().await;
    let (store, zone) = (&world.context.store, world.context.settings.zone());
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
    // The next start leaves a person's changes alone, except for the time zone.
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
async fn both_engines_release_deleted_space() {
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
        events::retain(&world.context.store, i64::MAX)
            .await
            .expect("are removed");
        let summary = world.context.store.vacuum().await.expect("vacuums");
        assert!(
            summary.starts_with("gave back") || summary.starts_with("vacuumed"),
            "{summary}"
        );
        let gone = jobs::purge_workers(&world.context.store, i64::MAX).await;
        assert_eq!(gone.expect("is asked"), 0);
    }
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn only_unused_photos_are_deleted_after_a_day() {
    let (world, account) = World::with_account().await;
    let context = &world.context;
    let mut photos = Vec::new();
    for seed in 0..4 {
        photos.push(world.photo(seed).await);
    }
    let [unused, listed, mentioned, again] = &photos[..] else {
        panic!("four photos")
    };
    let input = ListingInput {
        photo_ids: vec![listed.id.clone()],
        ..ListingInput::default()
    };
    let listing = world.listing(&account, input).await;
    listings::delete(context, &world.caller, &listing.id, None)
        .await
        .expect("is deleted");
    // A reference to the file in any text column counts.
    let workspace = &world.caller.workspace_id;
    let template = format!(
        "INSERT INTO templates (id, workspace_id, name, text, create_time, update_time, sequence) \
         VALUES ('1', '{workspace}', 'x', 'see {}.', 0, 0, 0)",
        mentioned.id
    );
    sea_orm::ConnectionTrait::execute_unprepared(context.store.writer(), &template)
        .await
        .expect("is written");
    assert!(
        media::upload(context, &world.caller, crate::support::picture(3), None)
            .await
            .expect("is sent again")
            .existing
    );
    let clean = async |before| media::clean(context, before).await;
    assert!(
        clean(START)
            .await
            .expect("cleans")
            .contains("removed 0 unused photos"),
        "too young"
    );
    world.clock.advance(DAY);
    let summary = clean(START + DAY).await.expect("cleans");
    assert!(
        summary.contains("removed 1 unused photos and 0 files"),
        "{summary}"
    );
    let left = async |photo: &media::Photo| {
        let key = files::photo_key(&photo.sha256).expect("a key");
        let row = media::get(context, &world.caller, &photo.id).await.is_ok();
        (row, context.files.exists(&key).await.expect("answers"))
    };
    assert_eq!(left(unused).await, (false, false));
    for kept in [listed, mentioned, again] {
        assert_eq!(left(kept).await, (true, true));
    }
    let logged = world.events().await;
    let gone = logged
        .iter()
        .filter(|event| event.kind == events::Kind::PhotoDeleted);
    assert_eq!(gone.count(), 1, "clients get one event");
}

#[tokio::test]
async fn old_orphan_files_are_deleted_unless_all_are_orphans() {
    let world = World::new().await;
    let context = &world.context;
    world.photo(1).await;
    let put = async |seed: u32| {
        let bytes = Bytes::from(seed.to_le_bytes().repeat(9));
        let sha256 = pipeline::sha256(&bytes);
        context.files.put_photo(&sha256, bytes).await.expect("is stored")
    };
    let key = put(1).await;
    let summary = media::clean(context, START).await.expect("cleans");
    assert!(
        summary.ends_with("0 files without a photo"),
        "a caller may be about to use it: {summary}"
    );
    let late = START + 10_000 * DAY;
    let summary = media::clean(context, late).await;
    // The photo row was never used either.
    assert!(
        summary
            .as_ref()
            .is_ok_and(|summary| summary.ends_with("1 files without a photo")),
        "{summary:?}"
    );
    assert!(!context.files.exists(&key).await.expect("answers"));
    for seed in 10..70 {
        put(seed).await;
    }
    let refused = media::clean(context, late)
        .await
        .expect_err("is refused")
        .to_string();
    assert!(refused.contains("60 of 60 files"), "{refused}");
    assert_eq!(context.files.list("photos").await.expect("lists").len(), 60);
}
