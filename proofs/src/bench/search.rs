//! Measures searches in a million messages on each engine, while the instance is idle and while a sync writes.
//!
//! The messages are written directly into the database of a stopped instance. `vintedbot search rebuild` then indexes
//! them, as it does for every incomplete index.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sea_orm::{ConnectionTrait as _, EntityTrait as _, IntoActiveModel as _};
use serde_json::json;
use tokio::time::Instant;
use vintedbot_domain::inbox::{Author, MessageKind};
use vintedbot_domain::store::Store;
use vintedbot_domain::store::entities::{messages, people, threads, workspaces};
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::SearchRequest;

use super::fixture;
use super::table::{Row, percentile, time};
use crate::instance::{Browser, Instance, Practice, Setup};
use crate::postgres::Postgres;

const MESSAGES: u32 = 1_000_000;
pub(super) const THREADS: u32 = 20_000;
const PEOPLE: u32 = 2_000;
/// The rows of one statement; few enough for every engine's limit of parameters.
const CHUNK: u32 = 500;
/// The number of words. Most of them are rare, as in any language.
const VOCABULARY: u32 = 30_000;
/// The number of terms of each kind, so that searches vary.
const TERMS: u32 = 20;
const P99_BAR: Duration = Duration::from_millis(20);
const SEARCHES: u32 = 400;
/// The time of the newest message, and the interval between two messages.
const NEWEST: i64 = 1_790_000_000_000;
const APART: i64 = 60_000;

/// A kind of search: its name, a query by number, and whether the bar applies to it.
type Look = (&'static str, fn(u32) -> String, bool);

const LOOKS: [Look; 6] = [
    ("10 hits", |number| format!("dizaine{} ", number % TERMS), true),
    ("1,000 hits", |number| format!("millier{} ", number % TERMS), true),
    (
        "10,000 hits",
        |number| format!("myriade{} ", number % TERMS),
        true,
    ),
    (
        "10,000 hits, being typed",
        |number| format!("myriade{}", number % TERMS),
        true,
    ),
    ("the commonest word", |_| "bonjour ".to_owned(), false),
    (
        "two letters",
        |number| ["bo", "my", "ca", "de"][number as usize % 4].to_owned(),
        false,
    ),
];

/// Measures both engines.
pub async fn measure(folder: &Path) -> Result<Vec<Row>> {
    let mut rows = measure_engine("SQLite", folder, None).await?;
    let server = Postgres::own().await?;
    rows.extend(measure_engine("PostgreSQL", folder, Some(server.url())).await?);
    server.stop().await?;
    Ok(rows)
}

async fn measure_engine(engine: &str, folder: &Path, url: Option<String>) -> Result<Vec<Row>> {
    let folder = folder.join(format!("search-{engine}"));
    std::fs::create_dir_all(&folder)?;
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let data_dir = folder.join("data");
    let mut settings = vec![("SYNC_NOW_PER_MINUTE".to_owned(), "100000".to_owned())];
    settings.extend(url.clone().map(|url| ("DATABASE_URL".to_owned(), url)));
    let mut instance = Instance::new(Setup {
        data_dir: data_dir.clone(),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings,
    })?;
    instance.start().await?;
    let account_id = fixture::sample(&fixture::client(&instance).await?)
        .await?
        .account_id;
    instance.stop().await?;

    let url = url.unwrap_or_else(|| format!("sqlite://{}", data_dir.join("vintedbot.sqlite").display()));
    let store = fixture::store(&url).await?;
    fill(&store, &account_id).await?;
    drop(store);
    let began = Instant::now();
    instance.run(&["search", "rebuild"]).await?;
    let mut rows = vec![Row {
        what: format!("search, {engine}: indexing 1,000,000 messages"),
        measured: format!("{:.0} s", began.elapsed().as_secs_f64()),
        yardstick: String::new(),
        ratio: String::new(),
        bar: "none".to_owned(),
        is_met: true,
    }];

    instance.start().await?;
    let client = fixture::client(&instance).await?;
    let mut idle = Vec::new();
    for look in LOOKS {
        idle.push(searches(&client, look).await?);
    }
    let mut busy = Vec::new();
    let syncing = syncs(&client, &practice, &account_id);
    let searching = async {
        for look in LOOKS {
            busy.push(searches(&client, look).await?);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        ended = syncing => ended?,
        searched = searching => searched?,
    }
    for (((name, _, has_bar), idle), busy) in LOOKS.into_iter().zip(idle).zip(busy) {
        let summary = |times: &[Duration]| {
            let [p50, p99] = [0.5, 0.99].map(|part| time(percentile(times, part)));
            format!("p50 {p50}, p99 {p99}")
        };
        let slowest = percentile(&idle, 0.99).max(percentile(&busy, 0.99));
        rows.push(Row {
            what: format!("search, {engine}: {name}"),
            measured: format!("{}; while a sync writes {}", summary(&idle), summary(&busy)),
            yardstick: String::new(),
            ratio: String::new(),
            bar: if has_bar {
                format!("p99 {}", time(P99_BAR))
            } else {
                "none".to_owned()
            },
            is_met: !has_bar || slowest <= P99_BAR,
        });
    }
    instance.stop().await?;
    practice.stop().await?;
    Ok(rows)
}

/// Returns the sorted durations of first pages.
async fn searches(client: &Client, (name, query, _): Look) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 0..SEARCHES + TERMS {
        let request = SearchRequest {
            query: query(number),
            ..Default::default()
        };
        let began = Instant::now();
        let found = client.inbox().search_page(request).await?;
        // The first search of each term is a warm-up.
        if number >= TERMS {
            times.push(began.elapsed());
        }
        ensure!(found.index_complete, "the index is not complete");
        let expected = if name == "10 hits" { 10 } else { 50 };
        ensure!(
            found.results.len() == expected,
            "{name}: {} results",
            found.results.len()
        );
    }
    times.sort_unstable();
    Ok(times)
}

/// Creates new conversations and reads them, until it is dropped.
async fn syncs(client: &Client, practice: &Practice, account_id: &str) -> Result<()> {
    let member_id: u64 = client.accounts().get(account_id).await?.member_id.parse()?;
    loop {
        let many = json!({"member_id": member_id, "count": 5, "messages": 3});
        practice.site.post("conversations/many", &many).await?;
        client.inbox().sync_now(account_id).await?;
    }
}

async fn fill(store: &Store, account_id: &str) -> Result<()> {
    let workspace_id = fill_threads(store, account_id).await?;
    let writer = store.writer();
    let mut random = StdRng::seed_from_u64(1);
    for first in (0..MESSAGES).step_by(CHUNK as usize) {
        let rows: Vec<_> = (first..first + CHUNK)
            .map(|number| message(&workspace_id, account_id, number, &mut random).into_active_model())
            .collect();
        messages::Entity::insert_many(rows)
            .exec_without_returning(writer)
            .await?;
    }
    writer.execute_unprepared("ANALYZE").await?;
    Ok(())
}

/// Creates [`THREADS`] threads without messages. Returns the workspace id.
pub(super) async fn fill_threads(store: &Store, account_id: &str) -> Result<String> {
    let workspace = workspaces::Entity::find().one(store.reader()).await?;
    let workspace_id = workspace.context("there is no workspace")?.id;
    let writer = store.writer();
    let people = (0..PEOPLE).map(|number| people::Model {
        id: id(1, number),
        workspace_id: workspace_id.clone(),
        site: "elsewhere".to_owned(),
        member_id: number.to_string(),
        login: format!("member{number}"),
        is_system: false,
        create_time: NEWEST,
    });
    let people: Vec<_> = people.map(|row| row.into_active_model()).collect();
    people::Entity::insert_many(people)
        .exec_without_returning(writer)
        .await?;
    for first in (0..THREADS).step_by(CHUNK as usize) {
        let rows = (first..first + CHUNK)
            .map(|number| thread(&workspace_id, account_id, number).into_active_model());
        threads::Entity::insert_many(rows)
            .exec_without_returning(writer)
            .await?;
    }
    Ok(workspace_id)
}

/// Returns an id that sorts by time, like real ids.
fn id(kind: u32, number: u32) -> String {
    format!(
        "{:08x}-0000-7000-8000-{kind:04x}{number:08x}",
        0x0190_0000 + number
    )
}

fn thread(workspace_id: &str, account_id: &str, number: u32) -> threads::Model {
    threads::Model {
        id: id(2, number),
        workspace_id: workspace_id.to_owned(),
        account_id: account_id.to_owned(),
        site: "elsewhere".to_owned(),
        remote_id: number.to_string(),
        person_id: id(1, number % PEOPLE),
        subject: "Sweat gris chiné".to_owned(),
        listing_id: None,
        transaction_state: None,
        snippet: String::new(),
        last_message_time: NEWEST - i64::from(number) * APART,
        unread_count: 0,
        unread: false,
        remote_unread: false,
        waiting_for_me: false,
        has_offer: false,
        archived: false,
        snooze_until: None,
        labels: "[]".to_owned(),
        note: String::new(),
        draft_text: None,
        draft_version: 0,
        draft_time: None,
        reply_allowed: true,
        read_by_person: false,
        message_count: i64::from(MESSAGES / THREADS),
        listed: None,
        create_time: NEWEST,
        update_time: NEWEST,
        delete_time: None,
        sequence: 0,
        removal_state: None,
        removal_number: 0,
        removal_hash: None,
        removal_reason: None,
        removal_message: None,
        removal_time: None,
    }
}

fn message(workspace_id: &str, account_id: &str, number: u32, random: &mut StdRng) -> messages::Model {
    messages::Model {
        id: id(3, number),
        workspace_id: workspace_id.to_owned(),
        account_id: account_id.to_owned(),
        thread_id: id(2, number % THREADS),
        remote_key: format!("message:{number}"),
        remote_id: Some(number.to_string()),
        kind: MessageKind::Message,
        author: Author::Person,
        text: text(number, random),
        content: None,
        attachments: "[]".to_owned(),
        time: NEWEST - i64::from(MESSAGES - number) * APART,
        position: i64::from(number / THREADS),
        read: true,
        hidden: false,
        reply_id: None,
        sequence: 0,
    }
}

/// Returns six to twenty words. One text in three contains "bonjour". The search terms are spread evenly.
fn text(number: u32, random: &mut StdRng) -> String {
    let mut words = Vec::new();
    if number.is_multiple_of(3) {
        words.push("Bonjour,".to_owned());
    }
    for _ in 0..random.random_range(6..20) {
        let place = f64::from(VOCABULARY).powf(random.random::<f64>()) as u32;
        words.push(word(place));
    }
    for (term, hits) in [("Dizaine", 10), ("Millier", 1_000), ("Myriade", 10_000)] {
        let every = MESSAGES / hits;
        for which in 0..TERMS {
            // Spreads the messages of one term apart from those of another.
            if number % every == which * (every / TERMS) {
                words.push(format!("{term}{which}"));
            }
        }
    }
    words.join(" ")
}

/// Returns a pronounceable word.
fn word(place: u32) -> String {
    let syllables = [
        "bo", "ca", "dé", "fi", "gu", "la", "mi", "no", "pê", "ri", "so", "tu", "va", "ché", "plo", "tri",
    ];
    let mut word = String::new();
    let mut rest = place.wrapping_mul(2_654_435_761) >> 12;
    for _ in 0..2 + place % 3 {
        word.push_str(syllables[rest as usize % 16]);
        rest /= 16;
    }
    word.push_str(&place.to_string());
    word
}
