//! The start of every run: a schema, a workspace, an account, a catalogue and one listing with a photo. It is created
//! once per thread. Between two runs, only the rows that a run writes are reset.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use sea_orm::{ConnectionTrait, Database, EntityTrait, IdenStatic, Iterable, Statement};
use tempfile::TempDir;
use vintedbot_domain::accounts::{self, NewAccount};
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::Millis;
use vintedbot_domain::events::Feed;
use vintedbot_domain::identity::{Caller, People, Scopes};
use vintedbot_domain::jobs::JobNotifier;
use vintedbot_domain::keys::{Keys, sha256_hex};
use vintedbot_domain::listings::{self, ListingInput, NameOrId, NewListing};
use vintedbot_domain::media::{files::PhotoFiles, pipeline};
use vintedbot_domain::settings::Settings;
use vintedbot_domain::store::Store;
use vintedbot_domain::store::entities::{accounts as accounts_table, listings as listings_table};
use vintedbot_domain::{Context, instance, store};
use vintedbot_marketplace::catalog::{Catalog, Category, CategoryFields};
use vintedbot_marketplace::limits::Limits;
use vintedbot_marketplace::{Language, Money};

use super::clock::{SimClock, SimIds};
use super::queue::Queue;
use super::world::EPOCH;
use crate::people::context::NoMail;

/// The tables that a run writes.
const WRITTEN: [&str; 9] = [
    "publish_steps",
    "remote_items",
    "effects",
    "listing_form_sessions",
    "requests",
    "events",
    "jobs",
    "publish_jobs",
    "workers",
];

/// The base of one thread's runs.
pub struct Base {
    pub context: Context,
    pub clock: Arc<SimClock>,
    pub queue: Arc<Queue>,
    ids: Arc<SimIds>,
    pub caller: Caller,
    pub listing_id: String,
    pub folder: TempDir,
}

impl Base {
    /// Creates the base in memory, or in the empty PostgreSQL database at `url`.
    pub async fn make(url: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (clock, ids) = (Arc::new(SimClock::at(EPOCH)), Arc::new(SimIds::default()));
        let store = match url {
            None => store::connect("sqlite::memory:", clock.clone(), ids.clone()).await?,
            Some(url) => {
                let pool = Database::connect(url).await?;
                // The PostgreSQL server's own clock would not be the scripted one.
                Store::new(pool.clone(), pool, clock.clone(), ids.clone(), false)
            }
        };
        vintedbot_migrations::run_locked(store.writer()).await?;
        let started = instance::start(&store, folder.path(), "0.1.0", "0.1.0").await?;
        let queue = Arc::new(Queue::new(clock.clone()));
        let context = Context {
            store: store.with_after_commit(queue.clone()),
            keys: Arc::new(Keys::new([1; 32])),
            files: Arc::new(PhotoFiles::open(&folder.path().join("media"))?),
            clock: clock.clone(),
            ids: ids.clone(),
            settings: Arc::new(settings()),
            limits: Arc::new(Limits::embedded().clone()),
            photo_limits: Arc::new(pipeline::Limits::default()),
            catalogs: Catalogs::default(),
            feed: Feed::default(),
            notifier: JobNotifier::default(),
            log_epoch: started.log_epoch.into(),
            people: Arc::new(People::new(&started.instance_id, "", Arc::new(NoMail))),
        };
        let caller = Caller {
            workspace_id: started.workspace_id,
            credential_id: "simulated".to_owned(),
            person: None,
            scopes: Scopes::all(),
            expire_time: None,
        };
        context
            .catalogs
            .save(&context.store, "practice", catalog())
            .await?;
        let account = NewAccount {
            display_name: "simulated".to_owned(),
            market: "fr".to_owned(),
            language: "en".to_owned(),
            mode: None,
            request_id: None,
            second_account_acknowledged: true,
        };
        let account = accounts::create(&context, &caller, account).await?;
        let photo_id = put_photo(&context, &caller).await?;
        let listing = ListingInput {
            title: "A jumper to be published once".to_owned(),
            description: "Warm, and not used much.".to_owned(),
            price: Some(Money {
                minor_units: 2_900,
                currency: "EUR".to_owned(),
            }),
            category: Some(NameOrId::Id(10)),
            photo_ids: vec![photo_id],
            ..ListingInput::default()
        };
        let new = NewListing {
            account_id: account.id,
            listing,
            request_id: None,
        };
        let listing = listings::create(&context, &caller, new).await?;
        let base = Self {
            context,
            clock,
            queue,
            ids,
            caller,
            listing_id: listing.id,
            folder,
        };
        base.sql("CREATE TABLE base_accounts AS SELECT * FROM accounts")
            .await?;
        base.sql("CREATE TABLE base_listings AS SELECT * FROM listings")
            .await?;
        Ok(base)
    }

    /// Resets the rows that the previous run wrote.
    pub async fn restart(&self) -> Result<()> {
        self.clock.set(EPOCH);
        self.ids.restart();
        self.queue.restart();
        for table in WRITTEN {
            self.sql(&format!("DELETE FROM {table}")).await?;
        }
        for sql in [
            "UPDATE event_heads SET sequence = 0, floor = 0",
            "UPDATE account_locks SET holder = NULL, lease_until = 0",
            &as_before::<accounts_table::Entity>("accounts"),
            &as_before::<listings_table::Entity>("listings"),
        ] {
            self.sql(sql).await?;
        }
        Ok(())
    }

    /// Returns when the next job is due or the next abandoned job may be claimed.
    pub async fn next_due(&self) -> Result<Option<Millis>> {
        let sql = "SELECT MIN(CASE state WHEN 'QUEUED' THEN due_time ELSE lease_until END) AS due FROM jobs \
                   WHERE state IN ('QUEUED', 'RUNNING')";
        let row = self.query(sql).await?;
        Ok(row.try_get::<Option<i64>>("", "due")?)
    }

    /// Checks that the log has no gap and that no row has a sequence beyond its head.
    pub async fn check_log(&self) -> Result<()> {
        let sql = "SELECT (SELECT sequence FROM event_heads) AS head, COUNT(*) AS events, \
                   COALESCE(MAX(sequence), 0) AS last FROM events";
        let row = self.query(sql).await?;
        let (head, events, last): (i64, i64, i64) = (
            row.try_get("", "head")?,
            row.try_get("", "events")?,
            row.try_get("", "last")?,
        );
        if head != events || head != last {
            bail!("head {head}, {events} events, the last of them {last}");
        }
        Ok(())
    }

    /// Prints a run's steps and effects, to examine a seed.
    pub async fn print_steps(&self, job_id: &str) -> Result<()> {
        let backend = self.context.store.backend();
        for (sql, columns) in [
            (
                "SELECT time, step, outcome, message FROM publish_steps WHERE publish_job_id = $1 ORDER BY number",
                4,
            ),
            (
                "SELECT intent_time, kind, state, COALESCE(note, '') || ' ' || COALESCE(remote_id, '') AS note FROM effects WHERE subject_id = $1 ORDER BY intent_time",
                4,
            ),
        ] {
            let statement = Statement::from_sql_and_values(backend, sql, [job_id.into()]);
            for row in self.context.store.reader().query_all_raw(statement).await? {
                let time: i64 = row.try_get_by_index(0)?;
                let texts = (1..columns)
                    .map(|index| row.try_get_by_index::<String>(index))
                    .collect::<Result<Vec<_>, _>>()?;
                println!("{:>8} {}", time - EPOCH, texts.join("  "));
            }
        }
        Ok(())
    }

    async fn query(&self, sql: &str) -> Result<sea_orm::QueryResult> {
        let statement = Statement::from_string(self.context.store.backend(), sql);
        self.context
            .store
            .reader()
            .query_one_raw(statement)
            .await?
            .context("there is no row")
    }

    async fn sql(&self, sql: &str) -> Result<()> {
        self.context
            .store
            .writer()
            .execute_unprepared(sql)
            .await
            .with_context(|| sql.to_owned())?;
        Ok(())
    }
}

/// Returns the statement that restores the original rows of a table.
fn as_before<E: EntityTrait>(table: &str) -> String {
    let columns: Vec<_> = E::Column::iter()
        .map(|column| column.as_str().to_owned())
        .collect();
    let columns = columns.join(", ");
    format!(
        "UPDATE {table} SET ({columns}) = (SELECT {columns} FROM base_{table} AS base WHERE base.id = {table}.id)"
    )
}

/// Stores a photo without image data: the simulation only uses the hash of its bytes.
async fn put_photo(context: &Context, caller: &Caller) -> Result<String> {
    let bytes = Bytes::from_static(b"not looked at");
    let sha256 = sha256_hex(&bytes);
    context.files.put_photo(&sha256, bytes.clone()).await?;
    let id = context.ids.id();
    let sql = "INSERT INTO photos (id, workspace_id, sha256, perceptual_hash, width, height, size_bytes, content_type, \
               file_name, near_duplicates, create_time, sequence) \
               VALUES ($1, $2, $3, 0, 800, 600, $4, 'image/jpeg', 'jumper.jpg', '[]', 0, 0)";
    let values = [
        id.as_str().into(),
        caller.workspace_id.as_str().into(),
        sha256.into(),
        (bytes.len() as i64).into(),
    ];
    let statement = Statement::from_sql_and_values(context.store.backend(), sql, values);
    context.store.writer().execute_raw(statement).await?;
    Ok(id)
}

fn catalog() -> Catalog {
    let root = Category {
        id: 5,
        parent_id: None,
        name: "Men".to_owned(),
        fields: None,
    };
    let fields = CategoryFields::default();
    let leaf = Category {
        id: 10,
        parent_id: Some(5),
        name: "Jumpers".to_owned(),
        fields: Some(fields),
    };
    Catalog {
        language: Language::En,
        categories: vec![root, leaf],
        brands: Vec::new(),
        colors: Vec::new(),
        size_groups: Vec::new(),
        conditions: Vec::new(),
        materials: Vec::new(),
        package_sizes: Vec::new(),
    }
}

fn settings() -> Settings {
    let mut settings: Settings =
        toml::from_str(include_str!("../../../config.default.toml")).expect("the default settings");
    settings.timezone = "Europe/Paris".to_owned();
    settings.publish.per_minute = 1_000;
    settings.publish.per_minute_account = 1_000;
    settings.publish.changes_per_minute_account = 1_000;
    settings.publish.schedule_late_ms = 15_000;
    settings.replies.undo_ms = 0;
    settings.replies.per_minute_account = 1_000;
    settings.sync.now_per_minute = 1_000;
    settings.effects.click_window_ms = 1_000;
    settings.effects.request_timeout_ms = 3_000;
    settings.effects.settle_ms = 20_000;
    settings.effects.settle_poll_ms = 2_000;
    settings.effects.watch_ms = 600_000;
    settings.jobs.lease_ms = 9_000;
    settings.jobs.heartbeat_ms = 3_000;
    settings.jobs.attempt_timeout_ms = 60_000;
    settings.jobs.backoff_ms = 1_000;
    settings.jobs.backoff_max_ms = 8_000;
    settings.jobs.max_claims = 20;
    settings
}
