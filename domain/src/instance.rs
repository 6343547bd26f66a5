//! This database and the folder that belongs to it.
//!
//! The data folder keeps the instance's id in a file that the database must match. One that belongs to another instance, or
//! whose database is empty, is refused. A database in a folder that knows nothing of it was restored or copied: it gets a new
//! id and a new log epoch, every event so far is dropped (their sequences may have been given to other events), and every
//! effect that was intended becomes unconfirmed, since its holder acted on another database.
//!
//! Where several processes share one database, each has a folder of its own, and a new one joins without a new epoch.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::keys::Keys;
use crate::publishing::EffectState;
use crate::store::entities::{api_tokens, effects, event_heads, events, instance, owners};
use crate::store::{self, Store, Tx};
use crate::{Error, Result, jobs, transfer};

/// What the first owner is called.
const OWNER_NAME: &str = "owner";

/// What a program needs to know once it has begun to work on a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    pub instance_id: String,
    /// Belongs into `Domain::log_epoch`.
    pub log_epoch: String,
    pub owner_id: String,
    /// No API token was ever made: see `identity::first_token`.
    pub first_start: bool,
    /// The database was restored or copied, and has a new log epoch since now.
    pub restored: bool,
}

/// Begins to work on a database whose migrations have run. `program` is the version that runs, `oldest_program` the oldest
/// that may run on the newest schema; a program that is too old for the database is refused, and so is a folder of another
/// instance.
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
            "the data folder {} belongs to instance {known}, and the database that DATABASE_URL names to {}; set DATA_DIR to an \
             empty folder, or DATABASE_URL to that folder's database; to begin anew in this folder, remove {}",
            folder.display(),
            row.map_or_else(|| "none yet".to_owned(), |row| row.id),
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
                    // Two processes that start at the same moment must not both be the first.
                    tx.execute_unprepared("LOCK TABLE instance IN EXCLUSIVE MODE")
                        .await?;
                }
                let row = match instance::Entity::find().one(tx).await? {
                    // The other process was the first: this one joins it.
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
                let owner = owners::Entity::find()
                    .order_by_asc(owners::Column::CreateTime)
                    .one(tx)
                    .await?;
                let owner = owner.ok_or_else(|| Error::Internal("the database has no owner".to_owned()))?;
                Ok(Started {
                    first_start: api_tokens::Entity::find().count(tx).await? == 0,
                    instance_id: row.id,
                    log_epoch: row.log_epoch,
                    owner_id: owner.id,
                    restored,
                })
            }
            .boxed()
        })
        .await?;
    // Last: a start that is cut off before leaves a folder that knows nothing yet, and is made again.
    write(&file, &started.instance_id)?;
    Ok(started)
}

/// Writes down which key seals and signs from now on, so that no process does it with another one.
///
/// # Errors
/// One of several processes, or one beside others that work, has neither the key that they have nor names it among those of
/// before. A process that is alone is let in: who lost a key goes on without what it sealed.
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
                    if is_one_of_several || jobs::anybody_works(tx).await? {
                        return Err(Error::Setup(format!(
                            "this instance seals with key {agreed}, and ENCRYPTION_KEY is key {own}: give every process the same \
                             one; to change it, name the one before in ENCRYPTION_KEYS_OLD; where it is lost, let `vintedbot \
                             serve` start once while nothing else runs, and what was sealed with it is lost too"
                        )));
                    }
                    tracing::warn!(
                        before = agreed,
                        now = own,
                        "what was sealed with the key of before does not open any more"
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

/// Checks that there is an instance on this database, made by whichever version of the program.
///
/// # Errors
/// There is none.
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
    row.map(drop).ok_or_else(|| {
        Error::Setup("there is no instance in the database that DATABASE_URL names".to_owned())
    })
}

/// Checks that the instance is on this database, and not on one that it was moved to: for commands that change something
/// without starting.
///
/// # Errors
/// It is elsewhere, or on its way; or its schema is of an older program.
pub async fn is_here(store: &Store) -> Result<()> {
    let row = match instance::Entity::find().one(store.reader()).await {
        Err(error) if has_no_column(&error) => {
            return Err(Error::Setup(
                "the database is of an older version; start the instance with this one first".to_owned(),
            ));
        }
        found => found?,
    };
    row.as_ref().map_or(Ok(()), transfer::may_start)
}

/// SQLite has one code for both.
fn has_no_table(error: &DbErr) -> bool {
    store::code(error).as_deref() == Some("42P01") || error.to_string().contains("no such table")
}

fn has_no_column(error: &DbErr) -> bool {
    store::code(error).as_deref() == Some("42703") || error.to_string().contains("no such column")
}

/// Whether a folder may join a database that it does not match: on a server that several machines share, a new machine's
/// folder knows nothing yet, and one that has not started since a restore knows the id from before it.
fn may_adopt(store: &Store, row: &instance::Model, known: Option<&str>) -> bool {
    store.backend() == DbBackend::Postgres && (known.is_none() || known == row.previous_id.as_deref())
}

async fn create(tx: &Tx, id: &str, oldest_program: &str) -> Result<instance::Model> {
    let now = tx.now().await?;
    let owner_id = tx.id();
    let owner = owners::ActiveModel {
        id: Set(owner_id.clone()),
        name: Set(OWNER_NAME.to_owned()),
        create_time: Set(now),
    };
    owners::Entity::insert(owner).exec_without_returning(tx).await?;
    let head = event_heads::ActiveModel {
        owner_id: Set(owner_id),
        sequence: Set(0),
        floor: Set(0),
    };
    event_heads::Entity::insert(head)
        .exec_without_returning(tx)
        .await?;
    let row = instance::Model {
        id: id.to_owned(),
        previous_id: None,
        log_epoch: tx.id(),
        oldest_program: oldest_program.to_owned(),
        create_time: now,
        move_id: None,
        move_state: None,
        move_place: None,
        key_id: None,
    };
    instance::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(row)
}

async fn begin_epoch(tx: &Tx, row: instance::Model, id: &str) -> Result<instance::Model> {
    if jobs::anybody_works(tx).await? {
        return Err(Error::Setup(
            "this data folder does not belong to the database that DATABASE_URL names, and other processes work on that one: to \
             join them set DATA_DIR to an empty folder; if it is a copy that they should not work on, stop them"
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
    Ok(fresh)
}

fn read(file: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(file) {
        // A start that was cut off before it wrote the id has left none.
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|id| !id.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Setup(format!("instance file {}: {error}", file.display()))),
    }
}

/// Writes the file in one step: a process that is killed leaves the old one or the new one.
fn write(file: &Path, id: &str) -> Result<()> {
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{id}\n"))
        .and_then(|()| std::fs::rename(&new, file))
        .map_err(|error| Error::Setup(format!("instance file {}: {error}", file.display())))
}

/// `1.2.3` as numbers; what is not a number counts as 0.
fn version(text: &str) -> [u64; 3] {
    let mut parts = text.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}
