//! What both databases say of a move: in their instance's row, where every start looks.

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

/// Where a database stands in a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MoveState {
    /// It is being copied.
    Leaving,
    /// The instance goes on elsewhere.
    Left,
    /// A copy that is not complete.
    Arriving,
    /// A complete copy, which is the instance.
    Arrived,
}

/// What is in the target.
pub(super) enum Arrival {
    Empty,
    /// Part of this move.
    Half,
    /// Part of a move that was given up.
    Stale,
    /// All of this move.
    Complete,
}

/// Whether an instance may start on this database.
///
/// # Errors
/// It has been moved, or is on its way: where to, and what to do.
pub fn may_start(row: &instance::Model) -> Result<()> {
    let place = row.move_place.as_deref().unwrap_or_default();
    let message = match row.move_state {
        None | Some(MoveState::Arrived) => return Ok(()),
        Some(MoveState::Left) => return Err(gone(row)),
        Some(MoveState::Leaving) => format!(
            "this database is being moved to {place}: run the same vintedbot migrate-store again, which goes on where it \
             ended, or give the move up with --abandon"
        ),
        Some(MoveState::Arriving) => format!(
            "this database is a copy of {place} that is not complete: run the same vintedbot migrate-store again, which goes \
             on where it ended"
        ),
    };
    Err(Error::Setup(message))
}

/// Why nothing starts on a database that was moved.
pub(super) fn gone(row: &instance::Model) -> Error {
    Error::Setup(format!(
        "this database was moved to {}, and the instance goes on there: set DATABASE_URL to it",
        row.move_place.as_deref().unwrap_or_default()
    ))
}

/// The instance's row, or why there should be one.
pub(super) async fn instance_of(store: &Store, missing: &str) -> Result<instance::Model> {
    let row = find(store.reader()).await?;
    row.ok_or_else(|| Error::Setup(missing.to_owned()))
}

/// What is in the target, seen from the source.
///
/// # Errors
/// Something else is.
pub(super) async fn arrival(target: &Store, tables: &[Table], source: &instance::Model) -> Result<Arrival> {
    let Some(row) = find(target.reader()).await? else {
        for table in tables {
            if count(target.reader(), &table.name).await? > 0 {
                return Err(Error::Setup(format!(
                    "the database to move to is not empty: there is something in {}",
                    table.name
                )));
            }
        }
        return Ok(Arrival::Empty);
    };
    let is_this_move = row.move_id.is_some() && row.move_id == source.move_id;
    match row.move_state {
        Some(MoveState::Arriving) if is_this_move => Ok(Arrival::Half),
        Some(MoveState::Arriving) if row.id == source.id => Ok(Arrival::Stale),
        Some(MoveState::Arrived)
            if is_this_move && matches!(source.move_state, Some(MoveState::Leaving | MoveState::Left)) =>
        {
            Ok(Arrival::Complete)
        }
        Some(MoveState::Arriving) => Err(Error::Setup(format!(
            "the database to move to is half a copy of another one, {}; name an empty database",
            row.move_place.unwrap_or_default()
        ))),
        _ => Err(Error::Setup(
            "the database to move to has an instance of its own; name an empty one".to_owned(),
        )),
    }
}

/// Marks the source: from now on it starts no more.
pub(super) async fn leave(source: &Store, places: &Places) -> Result<instance::Model> {
    let to = places.to.clone();
    change(source, move |tx, row| {
        let place = row.move_place.clone().unwrap_or_default();
        match row.move_state {
            Some(MoveState::Leaving) if place == to => Ok(row),
            Some(MoveState::Leaving) => Err(Error::Setup(format!(
                "this database is being moved to {place}: go on with that, or give it up with --abandon"
            ))),
            Some(MoveState::Left | MoveState::Arriving) => {
                Err(may_start(&row).err().unwrap_or_else(|| gone(&row)))
            }
            None | Some(MoveState::Arrived) => Ok(instance::Model {
                move_id: Some(tx.id()),
                move_state: Some(MoveState::Leaving),
                move_place: Some(to.clone()),
                ..row
            }),
        }
    })
    .await
}

/// Marks the source for good. Doing it twice is doing it once.
pub(super) async fn left(source: &Store) -> Result<()> {
    change(source, |_, row| {
        Ok(instance::Model {
            move_state: Some(MoveState::Left),
            ..row
        })
    })
    .await?;
    Ok(())
}

/// Marks the target as a copy that is not complete, unless it is already.
pub(super) async fn arrive(target: &Store, leaving: &instance::Model, places: &Places) -> Result<()> {
    let row = instance::Model {
        move_state: Some(MoveState::Arriving),
        move_place: Some(places.from.clone()),
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
                        "another instance began in the database to move to".to_owned(),
                    )),
                }
            }
            .boxed()
        })
        .await
}

/// The copy is complete: it may start.
pub(super) async fn arrived(target: &Store) -> Result<()> {
    target
        .write(|tx| {
            async move {
                lock_instance(tx).await?;
                let row = found(find(tx).await?)?;
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

/// Takes all of a copy out of the target again.
pub(super) async fn empty(target: &Store, tables: &[Table]) -> Result<()> {
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

/// Gives up a move that is not complete: its copy is emptied, and the source starts again.
///
/// # Errors
/// There is none, or it goes elsewhere, or its copy is complete, and may have been started.
pub async fn abandon(source: &Store, target: &Store, places: &Places) -> Result<()> {
    let leaving = instance_of(source, "there is no instance in the database to be moved").await?;
    if leaving.move_state != Some(MoveState::Leaving) {
        let message = match leaving.move_state {
            Some(MoveState::Left) => return Err(gone(&leaving)),
            _ => "this database is not being moved",
        };
        return Err(Error::Setup(message.to_owned()));
    }
    // Only the copy can say whether it is complete.
    let place = leaving.move_place.as_deref().unwrap_or_default();
    if place != places.to {
        return Err(Error::Setup(format!(
            "this database is being moved to {place}: name that with --to"
        )));
    }
    let tables = super::tables(target).await?;
    if let Some(row) = find(target.reader()).await? {
        if row.move_id == leaving.move_id && row.move_state != Some(MoveState::Arriving) {
            return Err(Error::Setup(
                "the copy is complete, and may have been started; run the same vintedbot migrate-store again to finish".to_owned(),
            ));
        }
        if row.id == leaving.id && row.move_state == Some(MoveState::Arriving) {
            empty(target, &tables).await?;
        }
    }
    change(source, |_, row| {
        Ok(instance::Model {
            move_id: None,
            move_state: None,
            move_place: None,
            ..row
        })
    })
    .await?;
    Ok(())
}

async fn change(
    store: &Store,
    to: impl Fn(&Tx, instance::Model) -> Result<instance::Model> + Send + Sync + 'static,
) -> Result<instance::Model> {
    let to = Arc::new(to);
    store
        .write(move |tx| {
            let to = Arc::clone(&to);
            async move {
                lock_instance(tx).await?;
                let row = found(find(tx).await?)?;
                let changed = to(tx, row)?;
                changed.clone().into_active_model().reset_all().update(tx).await?;
                Ok(changed)
            }
            .boxed()
        })
        .await
}

fn found(row: Option<instance::Model>) -> Result<instance::Model> {
    row.ok_or_else(|| Error::Internal(format!("the row of {INSTANCE} is gone")))
}
