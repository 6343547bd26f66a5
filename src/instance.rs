//! Opens an instance: its data folder, database, keys and domain context.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::events::Feed;
use vintedbot_domain::identity::People;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::instance::{self, Started};
use vintedbot_domain::jobs::JobNotifier;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::pipeline;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::store::{self, DataFolder, Store};
use vintedbot_domain::{Context, Wakes, identity, private};
use vintedbot_marketplace::limits::Limits;
use vintedbot_migrations::OLDEST_PROGRAM;

use crate::config::Config;
use crate::{mail, storage};

/// An open instance.
pub struct Instance {
    pub context: Context,
    pub started: Started,
    /// The file with the first API token.
    pub token_file: PathBuf,
    pub key_file: Option<PathBuf>,
    /// Holds the lock on the data folder.
    _folder: DataFolder,
}

/// Opens the configured instance with the given domain settings, as its only process.
pub async fn open(config: &Config, settings: Settings) -> Result<Instance> {
    open_with(config, settings, false, true).await
}

/// Opens the configured instance as one of several processes. The first process that may write the first API token
/// writes it.
pub async fn join(config: &Config, settings: Settings, writes_token: bool) -> Result<Instance> {
    open_with(config, settings, true, writes_token).await
}

async fn open_with(
    config: &Config,
    settings: Settings,
    is_shared: bool,
    writes_token: bool,
) -> Result<Instance> {
    let folder = DataFolder::open(&config.data_dir)?;
    let path = folder.path().to_owned();
    let store = connect(config).await?;
    migrate(&store).await?;
    let program = env!("CARGO_PKG_VERSION");
    let started = instance::start(&store, &path, program, OLDEST_PROGRAM).await?;
    let store = if config.row_level_security {
        store.with_row_level_security().await?
    } else {
        store
    };
    let context = context(config, settings, store, &started, is_shared).await?;
    let token_file = path.join("api-token");
    private::existing_file(&token_file).with_context(|| format!("token file {}", token_file.display()))?;
    if started.first_start && writes_token {
        write_first_token(&context, &started, &token_file).await?;
    }
    Ok(Instance {
        context,
        started,
        token_file,
        key_file: key_file(config),
        _folder: folder,
    })
}

/// Returns the domain context of an open database.
async fn context(
    config: &Config,
    settings: Settings,
    store: Store,
    started: &Started,
    is_shared: bool,
) -> Result<Context> {
    let ids = Arc::new(SystemIds);
    let keys = match key_file(config) {
        Some(file) => Keys::from_file(&file, &*ids)?,
        None => Keys::from_setting(&config.encryption_key)?,
    };
    let keys = Arc::new(keys.with_older(&config.encryption_keys_old)?);
    instance::agree_on_key(&store, &keys, is_shared).await?;
    let (feed, notifier) = (Feed::default(), JobNotifier::default());
    let store = store.with_after_commit(Arc::new(Wakes {
        feed: feed.clone(),
        notifier: notifier.clone(),
    }));
    Ok(Context {
        store,
        keys,
        files: Arc::new(storage::open(config, &config.data_dir).await?),
        clock: Arc::new(SystemClock),
        ids,
        settings: Arc::new(settings),
        limits: Arc::new(Limits::embedded().clone()),
        photo_limits: Arc::new(pipeline::Limits {
            max_bytes: u64::try_from(config.limits.max_upload_bytes)?,
            ..pipeline::Limits::default()
        }),
        catalogs: Catalogs::default(),
        feed,
        notifier,
        log_epoch: started.log_epoch.clone().into(),
        people: Arc::new(People::new(
            &started.instance_id,
            config.link_base(),
            mail::mailer(config)?,
        )),
    })
}

/// Returns the file of the encryption key. `None`: the key is a setting.
fn key_file(config: &Config) -> Option<PathBuf> {
    config
        .encryption_key
        .is_empty()
        .then(|| config.data_dir.join("encryption.key"))
}

async fn connect(config: &Config) -> Result<Store> {
    store::connect(&config.database_url(), Arc::new(SystemClock), Arc::new(SystemIds))
        .await
        .context("DATABASE_URL")
}

/// Opens the database of an existing instance, for commands that require one.
pub async fn existing(config: &Config) -> Result<Store> {
    if let Some(file) = store::sqlite_file(&config.database_url())
        && !file.is_file()
    {
        bail!(
            "there is no instance at {}; set DATA_DIR or DATABASE_URL to its location",
            file.display()
        );
    }
    let store = connect(config).await?;
    instance::is_there(&store).await?;
    Ok(store)
}

/// Opens the database of an existing instance, for commands that work while the instance runs.
pub async fn beside(config: &Config) -> Result<Store> {
    let store = existing(config).await?;
    instance::is_here(&store).await?;
    Ok(store)
}

/// Opens an existing instance without its data folder's lock, for commands that work while the instance runs.
pub async fn open_beside(config: &Config) -> Result<(Context, Started)> {
    let store = beside(config).await?;
    let started = instance::load(&store).await?;
    let context = context(config, config.settings(), store, &started, true).await?;
    Ok((context, started))
}

/// Migrates the schema. Only one process at a time does so.
async fn migrate(store: &Store) -> Result<()> {
    vintedbot_migrations::run_locked(store.writer())
        .await
        .context("the database could not be migrated")
}

/// Creates an API token with every scope, and stores it in a file that only this user can read. If the start is
/// interrupted in between, there is no file; `vintedbot token` creates another token.
pub async fn write_first_token(context: &Context, started: &Started, file: &Path) -> Result<()> {
    let secret = identity::first_token(context, &started.workspace_id).await?;
    write_secret(file, secret.expose()).with_context(|| format!("token file {}", file.display()))
}

/// Writes a secret to a file that only this user can read.
pub fn write_secret(file: &Path, secret: &str) -> std::io::Result<()> {
    let mut opened = private::file(file)?;
    opened.set_len(0)?;
    opened.write_all(secret.as_bytes())?;
    opened.sync_all()
}
