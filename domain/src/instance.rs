//! The instance: a database and the data folder that belongs to it.
//!
//! The data folder stores the instance id in a file, and the database must have the same id. Startup refuses a folder
//! that belongs to another instance or whose database is empty. If the folder has no id, the database was restored or
//! copied. It then gets a new id and a new log epoch. All events are dropped, because other events may have the same
//! sequences. Every effect in state INTENDED becomes UNCONFIRMED, because its holder acted on another database.
//!
//! If several processes share one PostgreSQL database, each has its own data folder. A new folder joins without a new
//! epoch.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QuerySelect,
};

use crate::keys::Keys;
use crate::publishing::EffectState;
use crate::store::entities::{api_tokens, effects, event_heads, events, instance, user_sessions};
use crate::store::{self, Store, Tx};
use crate::{Error, Result, identity, jobs, transfer};

/// The name of the first workspace.
const WORKSPACE_NAME: &str = "workspace";

/// The result of [`start`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    pub instance_id: String,
    /// The value for `Context::log_epoch`.
    pub log_epoch: String,
    pub workspace_id: String,
    /// Whether no API token exists yet; see `identity::first_token`.
    pub first_start: bool,
    /// Whether the database was restored or copied and therefore got a new log epoch.
    pub restored: bool,
}

/// Opens the instance on a migrated database, or creates it on an empty one. `program` is the running version;
/// `oldest_program` is the oldest version that may run on the newest schema.
///
/// # Errors
/// `Setup` if the program is too old for the database, if the data folder belongs to another instance, or if the
/// instance was moved to another database.
pub async fn start(store: &Store, folder: &Path, program: &str, oldest_program: &str) -> Result<Started> {
    let file = folder.join("instance");
    let known = read(&file)?;
    let row = instance::Entity::find().one(store.reader()).await?;
    row.as_ref().map_or(Ok(()), transfer::may_start)?;
    if let Some(row) = row
        .as_ref()
        .filter(|row| version(program) < version(&row.oldest_program))
    {
        return Err(Error::Setup(format!(
            "this database needs vintedbot {} or newer; this is {program}",
            row.oldest_program
        )));
    }
    let own = match &row {
        Some(row) => known.as_deref() == Some(row.id.as_str()) || may_adopt(store, row, known.as_deref()),
        None => false,
    };
    let was_own = row
        .as_ref()
        .is_some_and(|row| known.is_some() && known == row.previous_id);
    if let Some(known) = known.filter(|_| !own && !was_own) {
        return Err(Error::Setup(format!(
            "the data folder {} belongs to instance {known}, but the database in DATABASE_URL belongs to {}; set \
             DATA_DIR to an empty folder, or DATABASE_URL to the folder's database; to start a new instance in this \
             folder, remove {}",
            folder.display(),
            row.map_or_else(|| "no instance".to_owned(), |row| row.id),
            file.display()
        )));
    }
    let is_new = row.is_none();
    let restored = row.is_some() && !own;
    let id = row.filter(|_| own).map_or_else(|| store.ids.id(), |row| row.id);
    let (id, oldest_program) = (id.clone(), oldest_program.to_owned());
    let started = store
        .write(move |tx| {
            let (id, oldest_program) = (id.clone(), oldest_program.clone());
            async move {
                if tx.get_database_backend() == DbBackend::Postgres {
                    // Only one of two concurrent starts may create the instance.
                    tx.execute_unprepared("LOCK TABLE instance IN EXCLUSIVE MODE")
                        .await?;
                }
                let row = match instance::Entity::find().one(tx).await? {
                    // A concurrent process created the instance; this process joins it.
                    Some(row) if row.id == id || is_new => row,
                    Some(row) => begin_epoch(tx, row, &id).await?,
                    None => create(tx, &id, &oldest_program).await?,
                };
                if version(&row.oldest_program) < version(&oldest_program) {
                    let raised = instance::ActiveModel {
                        oldest_program: Set(oldest_program),
                        ..row.clone().into()
                    };
                    raised.update(tx).await?;
                }
                // Also after the last workspace was deleted.
                let workspace_id = match identity::first_workspace(tx).await? {
                    Some(id) => id,
                    None => identity::create_workspace(tx, WORKSPACE_NAME).await?,
                };
                Ok(Started {
                    first_start: api_tokens::Entity::find().count(tx).await? == 0,
                    instance_id: row.id,
                    log_epoch: row.log_epoch,
                    workspace_id,
                    restored,
                })
            }
            .boxed()
        })
        .await?;
    // The file is written last: after an interrupted start the folder has no id, and the next start repeats the steps.
    write(&file, &started.instance_id)?;
    Ok(started)
}

/// Records the encryption key that seals and signs, so that every process uses the same key.
///
/// # Errors
/// `Setup` if the recorded key is unknown to this process, and this process is one of several or other workers live. A
/// process that runs alone may replace a lost key; secrets sealed with the lost key stay unreadable.
pub async fn agree_on_key(store: &Store, keys: &Arc<Keys>, is_one_of_several: bool) -> Result<()> {
    let (own, all) = (keys.id().to_owned(), Arc::clone(keys));
    let row = instance::Entity::find().one(store.reader()).await?;
    if row.and_then(|row| row.key_id).as_deref() == Some(keys.id()) {
        return Ok(());
    }
    store
        .write(move |tx| {
            let (own, all) = (own.clone(), Arc::clone(&all));
            async move {
                let row = tx.locked(instance::Entity::find()).one(tx).await?;
                let agreed = row.and_then(|row| row.key_id);
                if let Some(agreed) = agreed.filter(|agreed| !all.knows(agreed)) {
                    if is_one_of_several || jobs::any_worker_is_live(tx).await? {
                        return Err(Error::Setup(format!(
                            "this instance seals with key {agreed}, but ENCRYPTION_KEY is key {own}; give every \
                             process the same key; to change the key, list the previous one in ENCRYPTION_KEYS_OLD; \
                             if it is lost, start `vintedbot serve` once while no other process runs: secrets sealed \
                             with it are then lost too"
                        )));
                    }
                    tracing::warn!(
                        before = agreed,
                        now = own,
                        "secrets sealed with the previous encryption key can no longer be opened"
                    );
                }
                instance::Entity::update_many()
                    .col_expr(instance::Column::KeyId, Expr::value(own))
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Checks that this database has an instance, created by any version of the program.
///
/// # Errors
/// `Setup` if it has none.
pub async fn is_there(store: &Store) -> Result<()> {
    let row: Result<Option<String>, _> = instance::Entity::find()
        .select_only()
        .column(instance::Column::Id)
        .into_tuple()
        .one(store.reader())
        .await;
    let row = match row {
        Err(error) if has_no_table(&error) => None,
        found => found?,
    };
    row.map(drop).ok_or_else(no_instance)
}

/// Checks that the instance was not moved to another database. For commands that change data without [`start`].
///
/// # Errors
/// `Setup` if the instance was moved, if a move is under way, or if an older version created the schema.
pub async fn is_here(store: &Store) -> Result<()> {
    let row = match instance::Entity::find().one(store.reader()).await {
        Err(error) if has_no_column(&error) => {
            return Err(Error::Setup(
                "an older version created this database; start the instance once with this version first"
                    .to_owned(),
            ));
        }
        found => found?,
    };
    row.as_ref().map_or(Ok(()), transfer::may_start)
}

/// Returns the instance of a database without starting it, for commands that work while the instance runs.
///
/// # Errors
/// `Setup` if the database has no instance, or the instance no workspace.
pub async fn load(store: &Store) -> Result<Started> {
    let row = instance::Entity::find().one(store.reader()).await?;
    let row = row.ok_or_else(no_instance)?;
    let workspace_id = identity::first_workspace(store.reader()).await?;
    Ok(Started {
        instance_id: row.id,
        log_epoch: row.log_epoch,
        workspace_id: workspace_id.ok_or_else(|| {
            Error::Setup("the instance has no workspace; its next start creates one".to_owned())
        })?,
        first_start: false,
        restored: false,
    })
}

fn no_instance() -> Error {
    Error::Setup("the database in DATABASE_URL has no instance".to_owned())
}

/// SQLite has one error code for missing tables and missing columns, so that its message is compared too.
fn has_no_table(error: &DbErr) -> bool {
    store::code(error).as_deref() == Some("42P01") || error.to_string().contains("no such table")
}

fn has_no_column(error: &DbErr) -> bool {
    store::code(error).as_deref() == Some("42703") || error.to_string().contains("no such column")
}

/// Returns whether a data folder may join a database whose id it does not have. Several machines can share a PostgreSQL
/// database. A new machine's folder has no id. The folder of a machine that has not started since a restore has the
/// previous id.
fn may_adopt(store: &Store, row: &instance::Model, known: Option<&str>) -> bool {
    store.backend() == DbBackend::Postgres && (known.is_none() || known == row.previous_id.as_deref())
}

async fn create(tx: &Tx, id: &str, oldest_program: &str) -> Result<instance::Model> {
    let now = tx.now().await?;
    let row = instance::Model {
        id: id.to_owned(),
        previous_id: None,
        log_epoch: tx.id(),
        oldest_program: oldest_program.to_owned(),
        create_time: now,
        move_id: None,
        move_state: None,
        move_target: None,
        key_id: None,
    };
    instance::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(row)
}

async fn begin_epoch(tx: &Tx, row: instance::Model, id: &str) -> Result<instance::Model> {
    if jobs::any_worker_is_live(tx).await? {
        return Err(Error::Setup(
            "this data folder does not belong to the database in DATABASE_URL, and other processes use that database; \
             to join them, set DATA_DIR to an empty folder; if the database is a copy that they must not use, stop them"
                .to_owned(),
        ));
    }
    let fresh = instance::Model {
        id: id.to_owned(),
        previous_id: Some(row.id.clone()),
        log_epoch: tx.id(),
        ..row.clone()
    };
    instance::Entity::delete_by_id(row.id).exec(tx).await?;
    instance::Entity::insert(fresh.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    effects::Entity::update_many()
        .col_expr(effects::Column::State, Expr::value(EffectState::Unconfirmed))
        .filter(effects::Column::State.eq(EffectState::Intended))
        .exec(tx)
        .await?;
    event_heads::Entity::update_many()
        .col_expr(
            event_heads::Column::Floor,
            Expr::col(event_heads::Column::Sequence),
        )
        .exec(tx)
        .await?;
    events::Entity::delete_many().exec(tx).await?;
    // Sessions may have ended since the backup was made.
    user_sessions::Entity::delete_many().exec(tx).await?;
    Ok(fresh)
}

fn read(file: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(file) {
        // An interrupted write can leave an empty file, which counts as no id.
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|id| !id.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Setup(format!("instance file {}: {error}", file.display()))),
    }
}

/// Writes the file atomically: a killed process leaves either the old or the new content.
fn write(file: &Path, id: &str) -> Result<()> {
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{id}\n"))
        .and_then(|()| std::fs::rename(&new, file))
        .map_err(|error| Error::Setup(format!("instance file {}: {error}", file.display())))
}

/// Parses a version such as `1.2.3`. Parts that are not numbers count as 0.
fn version(text: &str) -> [u64; 3] {
    let mut parts = text.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}
