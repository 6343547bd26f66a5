//! The state of a move, recorded in the `instance` row of both databases. Every start checks it.

use std::sync::Arc;

use futures::FutureExt;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DeriveActiveEnum, EntityTrait, EnumIter, IntoActiveModel,
};
use serde::{Deserialize, Serialize};

use super::{INSTANCE, Places, Table, count, find, lock_instance};
use crate::store::entities::{instance, move_positions};
use crate::store::{Store, Tx};
use crate::{Error, Result};

/// The state of a database in a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MoveState {
    /// The source of a move that is not complete.
    Leaving,
    /// The source of a complete move; the instance runs on the target.
    Left,
    /// The target of a move that is not complete.
    Arriving,
    /// The target of a complete move, on which the instance runs.
    Arrived,
}

/// The content of the target database.
pub(super) enum TargetContent {
    Empty,
    /// An incomplete copy of this move.
    Partial,
    /// An incomplete copy of an abandoned move of the same instance.
    Stale,
    /// The complete copy of this move.
    Complete,
}

/// Checks that an instance may start on this database.
///
/// # Errors
/// The database was moved or is part of an unfinished move. The text names the other database and what to do.
pub fn may_start(row: &instance::Model) -> Result<()> {
    let other = row.move_target.as_deref().unwrap_or_default();
    let message = match row.move_state {
        None | Some(MoveState::Arrived) => return Ok(()),
        Some(MoveState::Left) => return Err(already_moved(row)),
        Some(MoveState::Leaving) => format!(
            "this database is being moved to {other}: run the same vintedbot migrate-store again to continue, or add \
             --abandon to give the move up"
        ),
        Some(MoveState::Arriving) => format!(
            "this database is an unfinished copy of {other}: run the same vintedbot migrate-store again to continue"
        ),
    };
    Err(Error::Setup(message))
}

/// The error for a database that was moved.
pub(super) fn already_moved(row: &instance::Model) -> Error {
    Error::Setup(format!(
        "this database was moved to {}, where the instance now runs: set DATABASE_URL to it",
        row.move_target.as_deref().unwrap_or_default()
    ))
}

/// Returns the `instance` row, or the error text `missing` if the row is absent.
pub(super) async fn instance_of(store: &Store, missing: &str) -> Result<instance::Model> {
    let row = find(store.reader()).await?;
    row.ok_or_else(|| Error::Setup(missing.to_owned()))
}

/// Determines what the target contains of the move of `source`.
///
/// # Errors
/// The target contains other data.
pub(super) async fn content_of(
    target: &Store,
    tables: &[Table],
    source: &instance::Model,
) -> Result<TargetContent> {
    let Some(row) = find(target.reader()).await? else {
        for table in tables {
            if count(target.reader(), &table.name).await? > 0 {
                return Err(Error::Setup(format!(
                    "the target database is not empty: table {} has rows; name an empty database",
                    table.name
                )));
            }
        }
        return Ok(TargetContent::Empty);
    };
    let is_this_move = row.move_id.is_some() && row.move_id == source.move_id;
    match row.move_state {
        Some(MoveState::Arriving) if is_this_move => Ok(TargetContent::Partial),
        Some(MoveState::Arriving) if row.id == source.id => Ok(TargetContent::Stale),
        Some(MoveState::Arrived)
            if is_this_move && matches!(source.move_state, Some(MoveState::Leaving | MoveState::Left)) =>
        {
            Ok(TargetContent::Complete)
        }
        Some(MoveState::Arriving) => Err(Error::Setup(format!(
            "the target database contains an unfinished copy of {}; name an empty database",
            row.move_target.unwrap_or_default()
        ))),
        _ => Err(Error::Setup(
            "the target database contains another instance; name an empty database".to_owned(),
        )),
    }
}

/// Records in the source that the move has started. From then on, no instance starts on the source.
///
/// # Errors
/// The source is part of another move.
pub(super) async fn mark_leaving(source: &Store, places: &Places) -> Result<instance::Model> {
    let to = places.to.clone();
    update_instance(source, move |tx, row| {
        let other = row.move_target.clone().unwrap_or_default();
        match row.move_state {
            Some(MoveState::Leaving) if other == to => Ok(row),
            Some(MoveState::Leaving) => Err(Error::Setup(format!(
                "this database is being moved to {other}: continue that move, or give it up with --abandon"
            ))),
            Some(MoveState::Left | MoveState::Arriving) => {
                Err(may_start(&row).err().unwrap_or_else(|| already_moved(&row)))
            }
            None | Some(MoveState::Arrived) => Ok(instance::Model {
                move_id: Some(tx.id()),
                move_state: Some(MoveState::Leaving),
                move_target: Some(to.clone()),
                ..row
            }),
        }
    })
    .await
}

/// Records in the source that the move is complete. Repeated calls have no further effect.
pub(super) async fn mark_left(source: &Store) -> Result<()> {
    update_instance(source, |_, row| {
        Ok(instance::Model {
            move_state: Some(MoveState::Left),
            ..row
        })
    })
    .await?;
    Ok(())
}

/// Records in the target that it is an unfinished copy, unless it is marked already.
///
/// # Errors
/// Another instance has started on the target.
pub(super) async fn mark_arriving(target: &Store, leaving: &instance::Model, places: &Places) -> Result<()> {
    let row = instance::Model {
        move_state: Some(MoveState::Arriving),
        move_target: Some(places.from.clone()),
        ..leaving.clone()
    };
    target
        .write(move |tx| {
            let row = row.clone();
            async move {
                lock_instance(tx).await?;
                match find(tx).await? {
                    None => {
                        instance::Entity::insert(row.into_active_model())
                            .exec_without_returning(tx)
                            .await?;
                        Ok(())
                    }
                    Some(there) if there.move_id == row.move_id => Ok(()),
                    Some(_) => Err(Error::Setup(
                        "another instance has started on the target database; name an empty database"
                            .to_owned(),
                    )),
                }
            }
            .boxed()
        })
        .await
}

/// Records in the target that the copy is complete. From then on, an instance may start on it.
pub(super) async fn mark_arrived(target: &Store) -> Result<()> {
    target
        .write(|tx| {
            async move {
                lock_instance(tx).await?;
                let row = required(find(tx).await?)?;
                let arrived = instance::Model {
                    move_state: Some(MoveState::Arrived),
                    ..row
                };
                arrived.into_active_model().reset_all().update(tx).await?;
                move_positions::Entity::delete_many().exec(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Deletes all rows of a copy from the target.
pub(super) async fn delete_copy(target: &Store, tables: &[Table]) -> Result<()> {
    let mut names: Vec<String> = ["move_positions", "search_documents", "search_indexes"]
        .map(str::to_owned)
        .into();
    if target.backend() == DbBackend::Sqlite {
        names.push("search_words".to_owned());
    }
    names.extend(tables.iter().rev().map(|table| table.name.clone()));
    let names = Arc::new(names);
    target
        .write(move |tx| {
            let names = Arc::clone(&names);
            async move {
                lock_instance(tx).await?;
                for name in &*names {
                    tx.execute_unprepared(&format!("DELETE FROM \"{name}\"")).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Abandons an unfinished move: deletes the copy, and lets the instance start on the source again.
///
/// # Errors
/// The source is not being moved or is being moved to another target, or the copy is complete and may be in use.
pub async fn abandon(source: &Store, target: &Store, places: &Places) -> Result<()> {
    let leaving = instance_of(source, "there is no instance in the source database").await?;
    if leaving.move_state != Some(MoveState::Leaving) {
        let message = match leaving.move_state {
            Some(MoveState::Left) => return Err(already_moved(&leaving)),
            _ => "this database is not being moved",
        };
        return Err(Error::Setup(message.to_owned()));
    }
    // Only the target's row shows whether the copy is complete.
    let other = leaving.move_target.as_deref().unwrap_or_default();
    if other != places.to {
        return Err(Error::Setup(format!(
            "this database is being moved to {other}: name that database with --to"
        )));
    }
    let tables = super::tables(target).await?;
    if let Some(row) = find(target.reader()).await? {
        if row.move_id == leaving.move_id && row.move_state != Some(MoveState::Arriving) {
            return Err(Error::Setup(
                "the copy is complete and may be in use; run the same vintedbot migrate-store again to finish the move"
                    .to_owned(),
            ));
        }
        if row.id == leaving.id && row.move_state == Some(MoveState::Arriving) {
            delete_copy(target, &tables).await?;
        }
    }
    update_instance(source, |_, row| {
        Ok(instance::Model {
            move_id: None,
            move_state: None,
            move_target: None,
            ..row
        })
    })
    .await?;
    Ok(())
}

async fn update_instance(
    store: &Store,
    to: impl Fn(&Tx, instance::Model) -> Result<instance::Model> + Send + Sync + 'static,
) -> Result<instance::Model> {
    let to = Arc::new(to);
    store
        .write(move |tx| {
            let to = Arc::clone(&to);
            async move {
                lock_instance(tx).await?;
                let row = required(find(tx).await?)?;
                let changed = to(tx, row)?;
                changed.clone().into_active_model().reset_all().update(tx).await?;
                Ok(changed)
            }
            .boxed()
        })
        .await
}

fn required(row: Option<instance::Model>) -> Result<instance::Model> {
    row.ok_or_else(|| Error::Internal(format!("the table {INSTANCE} has no row")))
}
