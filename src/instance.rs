//! Opening an instance: its folder, its database, its keys, and the domain on top of them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::events::Feed;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::instance::{self, Started};
use vintedbot_domain::jobs::Bell;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::pipeline;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::store::{self, DataFolder, Store};
use vintedbot_domain::{Domain, Wakes, identity, private};
use vintedbot_marketplace::limits::Limits;
use vintedbot_migrations::OLDEST_PROGRAM;

use crate::config::Config;
use crate::storage;

/// An open instance.
pub struct Instance {
    pub domain: Domain,
    pub started: Started,
    /// The file with the first API token.
    pub token_file: PathBuf,
    pub key_file: Option<PathBuf>,
    /// Keeps the folder locked.
    _folder: DataFolder,
}

/// Opens the instance that the settings name, with rules of the caller's choice.
pub async fn open(config: &Config, settings: Settings) -> Result<Instance> {
    open_with(config, settings, false, true).await
}

/// The same for one of several processes. Of those, whoever starts first and may write the first token does.
pub async fn join(config: &Config, settings: Settings, writes_token: bool) -> Result<Instance> {
    open_with(config, settings, true, writes_token).await
}

async fn open_with(
    config: &Config,
    settings: Settings,
    is_one_of_several: bool,
    writes_token: bool,
) -> Result<Instance> {
    let folder = DataFolder::open(&config.data_dir)?;
    let path = folder.path().to_owned();
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let store = store::connect(&config.database_url(), clock.clone(), ids.clone())
        .await
        .context("DATABASE_URL")?;
    migrate(&store).await?;
    let program = env!("CARGO_PKG_VERSION");
    let started = instance::start(&store, &path, program, OLDEST_PROGRAM).await?;
    let key_file = config
        .encryption_key
        .is_empty()
        .then(|| path.join("encryption.key"));
    let keys = match &key_file {
        Some(file) => Keys::from_file(file, &*ids)?,
        None => Keys::from_setting(&config.encryption_key)?,
    };
    let keys = Arc::new(keys.with_older(&config.encryption_keys_old)?);
    instance::agree_on_key(&store, &keys, is_one_of_several).await?;
    let (feed, bell) = (Feed::default(), Bell::default());
    let store = store.with_after_commit(Arc::new(Wakes {
        feed: feed.clone(),
        bell: bell.clone(),
    }));
    let domain = Domain {
        store,
        keys,
        files: Arc::new(storage::open(config, &path).await?),
        clock,
        ids,
        settings: Arc::new(settings),
        limits: Arc::new(Limits::embedded().clone()),
        photo_limits: Arc::new(pipeline::Limits {
            max_bytes: u64::try_from(config.max_upload_bytes)?,
            ..pipeline::Limits::default()
        }),
        catalogs: Catalogs::default(),
        feed,
        bell,
        log_epoch: started.log_epoch.clone().into(),
    };
    let token_file = path.join("api-token");
    private::existing_file(&token_file).with_context(|| format!("token file {}", token_file.display()))?;
    if started.first_start && writes_token {
        write_first_token(&domain, &started, &token_file).await?;
    }
    Ok(Instance {
        domain,
        started,
        token_file,
        key_file,
        _folder: folder,
    })
}

/// The database of an instance that is there already, for commands that need one.
pub async fn existing(config: &Config) -> Result<Store> {
    let url = config.database_url();
    if let Some(file) = store::sqlite_file(&url)
        && !file.is_file()
    {
        bail!(
            "there is no instance at {}: set DATA_DIR, or DATABASE_URL, to where it is",
            file.display()
        );
    }
    let store = store::connect(&url, Arc::new(SystemClock), Arc::new(SystemIds))
        .await
        .context("DATABASE_URL")?;
    instance::is_there(&store).await?;
    Ok(store)
}

/// The same for commands that work beside the running instance.
pub async fn beside(config: &Config) -> Result<Store> {
    let store = existing(config).await?;
    instance::is_here(&store).await?;
    Ok(store)
}

/// Brings the schema up to date, one process at a time.
async fn migrate(store: &Store) -> Result<()> {
    vintedbot_migrations::run_locked(store.writer())
        .await
        .context("the database could not be migrated")
}

/// Makes an API token with every scope, and keeps it in a file that only the owner can read. A start that is cut off between
/// the two leaves no file; `vintedbot token` makes another.
pub async fn write_first_token(domain: &Domain, started: &Started, file: &Path) -> Result<()> {
    let secret = identity::first_token(domain, &started.owner_id).await?;
    let mut opened = private::file(file).with_context(|| format!("token file {}", file.display()))?;
    opened.set_len(0)?;
    opened.write_all(secret.expose().as_bytes())?;
    opened.sync_all()?;
    Ok(())
}
