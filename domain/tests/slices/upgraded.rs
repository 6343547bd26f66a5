//! An instance of version 0.1 on this version: nothing is lost, and nothing but names changes.
//!
//! `instance_0_1.sql` holds the rows that the seed of 0.1 wrote (without the catalogue and the search index, which are
//! rebuilt). [`RARE`] adds the states and columns that the seed does not produce.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;
use vintedbot_domain::events::ResourceType;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::inbox::{self, Reply, Thread};
use vintedbot_domain::keys::sha256_hex;
use vintedbot_domain::listings::Listing;
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::publishing::{self, PublishJob, State};
use vintedbot_domain::store::{self, Store};
use vintedbot_domain::transfer::{self, Places};
use vintedbot_domain::{Reason, accounts, events, identity, listings, webhooks};
use vintedbot_migrations::{Migrator, MigratorTrait as _, names, run_locked};

use crate::postgres::Postgres;
use crate::support::{TestClock, World};

const INSTANCE: &str = include_str!("../data/instance_0_1.sql");
/// The API token that the seed of 0.1 printed.
const TOKEN: &str = "vb_oUTzviRUCRQr94hPjNs8Br_2JcIv1ROeI0r_5IzRAr4";
/// The migration that renames.
const RENAMES: &str = "m20261203_names";
const REQUEST_ID: &str = "0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b18";

/// Rows and values of 0.1 that the seed does not produce.
const RARE: [&str; 17] = [
    "UPDATE events SET kind = 'PUBLISH_JOB_HANDED_OVER', \
     payload = REPLACE(REPLACE(payload, '\"state\":\"AWAITING_CONFIRMATION\"', '\"state\":\"HANDED_OVER\"'), \
     '\"reason\":null', '\"reason\":\"SITE_CHANGED\"') WHERE kind = 'PUBLISH_JOB_READY'",
    "UPDATE publish_jobs SET state = 'HANDED_OVER', hand_over = TRUE, needs_manual = TRUE, reason = 'SITE_CHANGED', \
     wait_reason = 'BACK_OFF' \
     WHERE state = 'AWAITING_CONFIRMATION'",
    "UPDATE effects SET note = 'the site shows nothing of it' WHERE id = (SELECT MIN(id) FROM effects)",
    "UPDATE effects SET note = 'nothing of it in the first reading after the settling window' \
     WHERE id = (SELECT MAX(id) FROM effects)",
    "UPDATE effects SET kind = 'HAND_OVER', seen = '{\"pairing\":1}' WHERE id = (SELECT MIN(id) FROM effects)",
    "UPDATE accounts SET quiet_until = 1796007773143, pause_reason = 'SITE_CHANGED'",
    "UPDATE listings SET title = 'A title with \"here\": in it', \
     remote_differences = '[{\"field\":\"title\",\"here\":\"A title with \\\"here\\\": in it\",\"there\":\"b\"}]', \
     remote_seen = '{\"item\":null,\"pairing\":{\"there\":[\"7001\"],\"here\":[\"p1\"]},\"fetched\":null,\"closed\":true}' \
     WHERE id = (SELECT MIN(id) FROM listings)",
    "INSERT INTO webhook_endpoints (id, owner_id, url, description, event_types, scopes, ordered, state, secrets, \
     log_position, create_time, update_time, sequence) SELECT 'endpoint', id, 'https://example.com/', 'mine', \
     '[\"publish_job_handed_over\",\"publish_job_done\"]', '[]', TRUE, 'DISABLED', '[]', 0, 1, 1, 1 FROM owners",
    "INSERT INTO replies (id, owner_id, account_id, thread_id, site, state, text, photo_ids, content_hash, number, manual, \
     prepare_number, needs_manual, reason, attempts, create_time, update_time, sequence) SELECT \
     '0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b19', owner_id, account_id, id, site, 'UNCONFIRMED', 'needs_manual', '[]', 'h', 1, \
     FALSE, 1, TRUE, 'SITE_CHANGED', 1, 1, 1, 1 FROM threads ORDER BY id LIMIT 1",
    "UPDATE publish_steps SET step = 'COMPOSER_STARTED' WHERE number = 1",
    "UPDATE threads SET removal_reason = 'SITE_CHANGED'",
    "INSERT INTO webhook_deliveries (id, owner_id, endpoint_id, webhook_id, event_type, event_time, resource_type, body, \
     state, attempts, failures, due_time, create_time, update_time) SELECT 'delivery', owner_id, id, 'webhook', \
     'publish_job_handed_over', 1, 'PUBLISH_JOB', '{\"type\":\"publish_job_handed_over\",\"data\":{\"kind\":\
     \"PUBLISH_JOB_HANDED_OVER\",\"resource\":{\"needs_manual\":true,\"reason\":\"REMOTE_ITEM_TAKEN\",\"state\":\
     \"HANDED_OVER\"}}}', 'DELIVERED', 1, 0, 1, 1, 1 FROM webhook_endpoints",
    "UPDATE events SET resource_type = 'WEBHOOK_ENDPOINT', payload = '{\"event_types\":[\"publish_job_handed_over\"]}' \
     WHERE sequence = (SELECT MIN(sequence) FROM events WHERE resource_type = 'PHOTO')",
    "UPDATE inbox_syncs SET late_reason = 'SESSION_OTHER_MEMBER'",
    "UPDATE schedules SET enabled = FALSE WHERE id = 'ledger_watch'",
    "UPDATE jobs SET outcome = '{\"refused\":{\"reason\":\"SESSION_OTHER_MEMBER\",\"message\":\"m\",\"metadata\":{}}}' \
     WHERE id = (SELECT MIN(id) FROM jobs)",
    "UPDATE composers SET identity = REPLACE(identity, '\"driver_url\":null', '\"driver_url\":\"owner\"')",
];

/// Table and column names that the migration changes: in 0.1, and now.
const TABLES: [(&str, &str); 2] = [("owners", "workspaces"), ("composers", "listing_form_sessions")];
const COLUMNS: [(&str, &str); 9] = [
    ("owner_id", "workspace_id"),
    ("composer_id", "form_session_id"),
    ("effects.seen", "remote_snapshot"),
    ("hand_over", "manual_takeover"),
    ("needs_manual", "requires_action"),
    ("quiet_until", "cooldown_until"),
    ("remote_seen", "remote_snapshot"),
    ("search_indexes.place", "position"),
    ("move_positions.place", "position"),
];
/// Values and quoted JSON keys that the migration changes.
const VALUES: [(&str, &str); 19] = [
    ("BACK_OFF", "BACKOFF"),
    ("\"owner_id\":", "\"workspace_id\":"),
    ("\"owner\":", "\"worker\":"),
    ("\"needs_manual\":", "\"requires_action\":"),
    ("\"hand_over\":", "\"manual_takeover\":"),
    ("\"quiet_until\":", "\"cooldown_until\":"),
    ("\"here\":", "\"local\":"),
    ("\"there\":", "\"remote\":"),
    ("PUBLISH_JOB_HANDED_OVER", "PUBLISH_JOB_MANUAL_TAKEOVER"),
    ("publish_job_handed_over", "publish_job_manual_takeover"),
    ("HANDED_OVER", "MANUAL_TAKEOVER"),
    ("HAND_OVER", "MANUAL_TAKEOVER"),
    ("SITE_CHANGED", "SITE_RESPONSE_UNEXPECTED"),
    ("SESSION_OTHER_MEMBER", "SESSION_MEMBER_MISMATCH"),
    ("REMOTE_ITEM_TAKEN", "REMOTE_ITEM_ALREADY_LINKED"),
    ("COMPOSER_STARTED", "FORM_SESSION_STARTED"),
    ("ledger_watch", "effect_watch"),
    ("the site shows nothing of it", "no effect observed on the site"),
    (
        "nothing of it in the first reading after the settling window",
        "no effect observed in the first reading after the settling window",
    ),
];

/// The JSON keys of `listings.remote_snapshot` that the migration changes.
const SNAPSHOT_KEYS: [(&str, &str); 3] = [
    ("\"pairing\":", "\"photo_mapping\":"),
    ("\"there\":", "\"remote_photo_ids\":"),
    ("\"here\":", "\"photo_ids\":"),
];

/// The rows of each table, each as its sorted columns with their values as text.
type Contents = BTreeMap<String, Vec<Vec<(String, Option<String>)>>>;

#[tokio::test]
async fn instance_of_0_1_keeps_everything_on_sqlite() {
    let folder = TempDir::new().expect("a folder");
    let world = upgraded(&sqlite(&folder)).await;
    check_reads(&world).await;
}

#[tokio::test]
async fn instance_of_0_1_keeps_everything_on_postgresql() {
    let server = Postgres::start().await.expect("a server");
    let world = upgraded(&server.url()).await;
    check_reads(&world).await;
    drop(world);
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn instance_of_0_1_moves_to_postgresql() {
    let folder = TempDir::new().expect("a folder");
    let server = Postgres::start().await.expect("a server");
    let source = old_instance(&sqlite(&folder)).await;
    run_locked(source.writer()).await.expect("migrates");
    let target = connect(&server.url()).await;
    run_locked(target.writer()).await.expect("migrates");
    let places = Places {
        from: "sqlite:///old".to_owned(),
        to: "postgres://new".to_owned(),
    };
    transfer::run(&source, &target, &places, &|_| {})
        .await
        .expect("moves");
    check_log(&target).await;
    drop((source, target));
    check_reads(&World::on(&server.url()).await).await;
    server.stop().await.expect("stops");
}

fn sqlite(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("old.sqlite").display())
}

async fn connect(url: &str) -> Store {
    store::connect(url, Arc::new(TestClock::default()), Arc::new(SystemIds))
        .await
        .expect("opens")
}

/// Returns a database as version 0.1 left it.
async fn old_instance(url: &str) -> Store {
    let store = connect(url).await;
    let before = names().iter().position(|name| name == RENAMES).expect("is there");
    Migrator::up(store.writer(), Some(u32::try_from(before).expect("few")))
        .await
        .expect("migrates to 0.1");
    for statement in INSTANCE.lines().map(str::to_owned) {
        run(&store, &statement).await;
    }
    for statement in RARE {
        run(&store, statement).await;
    }
    let parameters = "{\"listing_id\":\"L\",\"dry_run\":true,\"hand_over\":null}";
    let request = format!(
        "INSERT INTO requests (owner_id, request_id, method, parameters_hash, resource_id, create_time) \
         SELECT owner_id, '{REQUEST_ID}', 'PreparePublish', '{}', id, 1 FROM publish_jobs WHERE state = 'HANDED_OVER'",
        sha256_hex(parameters)
    );
    run(&store, &request).await;
    store
}

/// Migrates an instance of 0.1, compares all rows, and starts it.
async fn upgraded(url: &str) -> World {
    let store = old_instance(url).await;
    let before = contents(&store).await;
    run_locked(store.writer()).await.expect("migrates");
    let after = contents(&store).await;
    for (table, rows) in before {
        let name = renamed(&TABLES, &table);
        let expected = sorted(rows.iter().map(|row| renamed_row(&table, row)).collect());
        let found = &after[name];
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{name}");
        }
    }
    check_log(&store).await;
    drop(store);
    World::on(url).await
}

fn renamed_row(table: &str, row: &[(String, Option<String>)]) -> Vec<(String, Option<String>)> {
    let mut row: Vec<_> = row
        .iter()
        .map(|(column, value)| {
            let qualified = format!("{table}.{column}");
            let name = match renamed(&COLUMNS, &qualified) {
                same if same == qualified => renamed(&COLUMNS, column),
                other => other,
            };
            // A confirmed revision and what a person wrote never change.
            let is_fixed = matches!(name, "revision" | "text" | "title" | "title_lower");
            let values: &[(&str, &str)] = match qualified.as_str() {
                _ if is_fixed => &[],
                "effects.seen" => &[],
                "listings.remote_seen" => &SNAPSHOT_KEYS,
                _ => &VALUES,
            };
            let value = value.clone().map(|value| {
                let replace = |value: String, (old, new): &(&str, &str)| value.replace(old, new);
                values.iter().fold(value, replace)
            });
            (name.to_owned(), value)
        })
        .collect();
    row.sort();
    row
}

fn renamed<'a>(names: &'a [(&str, &'a str)], name: &'a str) -> &'a str {
    let found = names.iter().find(|(old, _)| *old == name);
    found.map_or(name, |(_, new)| new)
}

fn sorted(mut rows: Vec<Vec<(String, Option<String>)>>) -> Vec<Vec<(String, Option<String>)>> {
    rows.sort();
    rows
}

/// Reads through the domain what 0.1 stored.
async fn check_reads(world: &World) {
    let context = &world.context;
    let caller = identity::authenticate(context, Some(TOKEN))
        .await
        .expect("the token works");
    let all = PageRequest::default();

    let jobs = publishing::list(context, &caller, &publishing::Filter::default(), None, 100)
        .await
        .expect("jobs");
    assert_eq!(jobs.len(), 9);
    let taken_over = jobs.iter().find(|job| job.state == State::ManualTakeover);
    let taken_over = taken_over.expect("the job that was handed over");
    assert!(taken_over.manual_takeover && taken_over.requires_action);
    assert_eq!(taken_over.reason, Some(Reason::SiteResponseUnexpected));
    for job in &jobs {
        let revision = publishing::get_revision(context, &caller, &job.id).await;
        assert_eq!(revision.expect("has its hash").workspace_id, caller.workspace_id);
    }
    let repeated = publishing::Prepare {
        listing_id: "L".to_owned(),
        dry_run: true,
        manual_takeover: None,
        request_id: Some(REQUEST_ID.to_owned()),
    };
    let repeated = publishing::prepare(context, &caller, repeated).await;
    assert_eq!(repeated.expect("is a repetition").id, taken_over.id);

    let accounts = accounts::list(context, &caller, &all).await.expect("accounts");
    assert_eq!(accounts.items.len(), 2);
    for account in &accounts.items {
        assert_eq!(account.cooldown_until, Some(1_796_007_773_143));
    }
    let threads = inbox::list_all(context, &caller, &all).await.expect("threads");
    assert_eq!(threads.items.len(), 6);
    let reply = inbox::replies::get(context, &caller, "0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b19").await;
    let reply = reply.expect("the reply");
    assert!(reply.requires_action && reply.text == "needs_manual");
    let endpoints = webhooks::list(context, &caller, &all).await.expect("endpoints");
    assert_eq!(
        endpoints.items[0].event_types,
        ["publish_job_manual_takeover", "publish_job_done"]
    );

    let listings = listings::list(context, &caller, &listings::Filter::default(), &all).await;
    let listings = listings.expect("listings").items;
    assert_eq!(listings.len(), 15);
    let differing: Vec<_> = listings
        .iter()
        .filter_map(|listing| listing.remote.as_ref())
        .collect();
    assert!(!differing.is_empty());
}

/// Every event of 0.1 is there, in order, and its resource can be read.
async fn check_log(store: &Store) {
    let workspaces = texts(store, "SELECT id AS name FROM workspaces").await;
    let page = events::read(store, &workspaces[0], 0, 1_000).await;
    let log = page.expect("the log").events;
    assert_eq!(log.len(), 126);
    for (event, sequence) in log.iter().zip(1..) {
        assert_eq!(event.sequence, sequence);
        let payload = event.payload.as_str();
        let read = match event.resource_type {
            ResourceType::PublishJob => serde_json::from_str::<PublishJob>(payload).map(drop),
            ResourceType::Listing => serde_json::from_str::<Listing>(payload).map(drop),
            ResourceType::Thread => serde_json::from_str::<Thread>(payload).map(drop),
            ResourceType::Reply => serde_json::from_str::<Reply>(payload).map(drop),
            ResourceType::Account => serde_json::from_str::<accounts::Account>(payload).map(drop),
            _ => Ok(()),
        };
        read.unwrap_or_else(|error| panic!("{error}: {payload}"));
    }
}

async fn run(store: &Store, sql: &str) {
    let result = store.writer().execute_unprepared(sql).await;
    result.unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// Reads all tables except the migrations and the search index.
async fn contents(store: &Store) -> Contents {
    let engine = store.writer().get_database_backend();
    let tables = match engine {
        DbBackend::Postgres => {
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    };
    let mut contents = Contents::new();
    for table in texts(store, tables).await {
        if table == "seaql_migrations" || table.starts_with("search_") {
            continue;
        }
        let columns = match engine {
            DbBackend::Postgres => {
                format!(
                    "SELECT column_name AS name FROM information_schema.columns WHERE table_name = '{table}'"
                )
            }
            _ => format!("SELECT name FROM pragma_table_info('{table}')"),
        };
        let mut columns = texts(store, &columns).await;
        columns.sort();
        let list: Vec<_> = columns
            .iter()
            .map(|column| format!("CAST({column} AS TEXT) AS {column}"))
            .collect();
        let rows = query(store, &format!("SELECT {} FROM {table}", list.join(", "))).await;
        let rows = rows.iter().map(|row| {
            let cell = |column: &String| {
                let value: Option<String> = row.try_get("", column).expect("text");
                (column.clone(), value)
            };
            columns.iter().map(cell).collect()
        });
        contents.insert(table, sorted(rows.collect()));
    }
    contents
}

async fn query(store: &Store, sql: &str) -> Vec<sea_orm::QueryResult> {
    let statement = Statement::from_string(store.writer().get_database_backend(), sql);
    store.writer().query_all_raw(statement).await.expect("rows")
}

async fn texts(store: &Store, sql: &str) -> Vec<String> {
    let rows = query(store, sql).await;
    rows.iter()
        .map(|row| row.try_get("", "name").expect("text"))
        .collect()
}
