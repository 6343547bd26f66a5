//! Moves an instance from one database to another: copies all tables, compares them, and retires the source.
//!
//! - [`tables`] reads the tables from both schemas. No list names the tables to copy, so none can be forgotten.
//! - Rows are copied in batches, in key order. Each batch is committed with its position, so a killed move continues
//!   after the last batch.
//! - When the move starts, the source records its target and no longer starts. The copy starts only after every table
//!   was read on both sides and found equal. At no time can both start.
//! - The copy is the same instance with the same event log, so cursors, tokens and jobs stay valid.

mod marks;
mod rows;
mod tables;

use std::sync::Arc;

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter};

use crate::search::rebuild;
use crate::store::entities::{instance, move_positions};
use crate::store::{Store, Tx};
use crate::{Error, Result};

pub use marks::{MoveState, abandon, may_start};
use marks::{TargetContent, content_of};
use rows::{Cell, Row, Sum, count, key_of};
pub use tables::Table;

/// The table that [`marks`] copies, together with the state of the move.
const INSTANCE: &str = "instance";

/// The addresses of source and target without passwords, fit to be stored and shown.
#[derive(Clone, Debug)]
pub struct Places {
    pub from: String,
    pub to: String,
}

/// The progress of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    Copied {
        table: String,
        done: i64,
        total: i64,
    },
    Verified {
        table: String,
        rows: u64,
        checksum: String,
    },
}

/// The outcome of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// This call completed the move.
    Now,
    /// The move was complete before this call.
    Before,
}

/// Returns the tables to copy, each after the tables that it references.
///
/// # Errors
/// A table cannot be copied.
pub async fn tables(store: &Store) -> Result<Vec<Table>> {
    tables::list(store.reader()).await
}

/// Calls `read` with each text value of all tables except those in `except`.
pub(crate) async fn texts(store: &Store, except: &[&str], mut read: impl FnMut(&str) + Send) -> Result<()> {
    for table in tables(store)
        .await?
        .iter()
        .filter(|table| !except.contains(&table.name.as_str()))
    {
        let mut position = None;
        loop {
            let rows = rows::read(store.reader(), table, position.as_deref()).await?;
            let Some(last) = rows.last() else { break };
            position = Some(key_of(table, last));
            for cell in rows.iter().flatten() {
                if let Cell::Text(text) = cell {
                    read(text);
                }
            }
        }
    }
    Ok(())
}

/// Moves the instance. Both databases must have the same schema, and no other process may use either. `report` receives
/// the progress.
///
/// # Errors
/// There is no instance to move, the target is not empty, or a table differs after the copy. Repeating the call
/// continues the move.
pub async fn run(
    source: &Store,
    target: &Store,
    places: &Places,
    report: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Moved> {
    let tables = tables(source).await?;
    let theirs = self::tables(target).await?;
    if tables != theirs {
        let only = |these: &[Table], those: &[Table]| {
            let different = these.iter().filter(|table| !those.contains(table));
            different
                .map(|table| table.name.clone())
                .collect::<Vec<_>>()
                .join(", ")
        };
        return Err(Error::Setup(format!(
            "the databases have different tables (source: {}; target: {}); name an empty database",
            only(&tables, &theirs),
            only(&theirs, &tables)
        )));
    }
    let leaving = marks::instance_of(source, "there is no instance in the source database").await?;
    match content_of(target, &tables, &leaving).await? {
        TargetContent::Complete => {
            marks::mark_left(source).await?;
            return Ok(match leaving.move_state {
                Some(MoveState::Left) => Moved::Before,
                _ => Moved::Now,
            });
        }
        _ if leaving.move_state == Some(MoveState::Left) => {
            return Err(marks::already_moved(&leaving));
        }
        TargetContent::Empty | TargetContent::Partial => {}
        TargetContent::Stale => marks::delete_copy(target, &tables).await?,
    }
    let leaving = marks::mark_leaving(source, places).await?;
    // An instance that started just before the mark was written has not seen it.
    source.nobody_else().await?;
    marks::mark_arriving(target, &leaving, places).await?;
    for table in tables.iter().filter(|table| table.name != INSTANCE) {
        copy(source, target, table, report).await?;
    }
    let mut different = Vec::new();
    for table in &tables {
        let (ours, theirs) = (
            Sum::of(source.reader(), table).await?,
            Sum::of(target.reader(), table).await?,
        );
        if ours == theirs {
            report(Progress::Verified {
                table: table.name.clone(),
                rows: ours.rows,
                checksum: ours.checksum(),
            });
        } else {
            different.push(format!(
                "{} ({} rows, checksum {}; copy: {} rows, checksum {})",
                table.name,
                ours.rows,
                ours.checksum(),
                theirs.rows,
                theirs.checksum()
            ));
        }
    }
    if !different.is_empty() {
        return Err(Error::Setup(format!(
            "the copy differs from the source and is not used: {}. Give it up with --abandon, then move again",
            different.join("; ")
        )));
    }
    rebuild::begin(target).await?;
    marks::mark_arrived(target).await?;
    marks::mark_left(source).await?;
    Ok(Moved::Now)
}

/// Copies the rows of a table that are not in the target yet.
async fn copy(
    source: &Store,
    target: &Store,
    table: &Table,
    report: &(dyn Fn(Progress) + Send + Sync),
) -> Result<()> {
    let known = move_positions::Entity::find_by_id(&table.name)
        .one(target.reader())
        .await?;
    let total = count(source.reader(), &table.name).await?;
    let (mut position, mut done) = match known {
        Some(row) => (Some(row.position), row.done),
        None => (None, 0),
    };
    let shared = Arc::new(table.clone());
    loop {
        let after: Option<Vec<Cell>> = position.as_deref().map(serde_json::from_str).transpose()?;
        let found = rows::read(source.reader(), table, after.as_deref()).await?;
        let Some(last) = found.last() else { break };
        if target.backend() == DbBackend::Postgres
            && let Some((column, key)) = rows::with_nul(table, &found)
        {
            return Err(Error::Setup(format!(
                "column {}.{column} of row {key:?} contains a NUL character, which PostgreSQL cannot store; remove the \
                 character, then start the move again",
                table.name
            )));
        }
        done += i64::try_from(found.len()).unwrap_or(i64::MAX);
        let next = serde_json::to_string(&key_of(table, last))?;
        let batch = Arc::new(Batch {
            table: Arc::clone(&shared),
            rows: found,
            before: position,
            after: next.clone(),
            done,
        });
        target
            .write(move |tx| {
                let batch = Arc::clone(&batch);
                async move { batch.write(tx).await }.boxed()
            })
            .await?;
        position = Some(next);
        report(Progress::Copied {
            table: table.name.clone(),
            done,
            total,
        });
    }
    Ok(())
}

/// A batch of rows with the positions before and after it.
struct Batch {
    table: Arc<Table>,
    rows: Vec<Row>,
    before: Option<String>,
    after: String,
    done: i64,
}

impl Batch {
    async fn write(&self, tx: &Tx) -> Result<()> {
        rows::write(tx, &self.table, &self.rows).await?;
        let Some(before) = &self.before else {
            let row = move_positions::ActiveModel {
                table_name: Set(self.table.name.clone()),
                position: Set(self.after.clone()),
                done: Set(self.done),
            };
            move_positions::Entity::insert(row)
                .exec_without_returning(tx)
                .await?;
            return Ok(());
        };
        let updated = move_positions::Entity::update_many()
            .col_expr(move_positions::Column::Position, Expr::value(self.after.as_str()))
            .col_expr(move_positions::Column::Done, Expr::value(self.done))
            .filter(move_positions::Column::TableName.eq(self.table.name.as_str()))
            .filter(move_positions::Column::Position.eq(before.as_str()))
            .exec(tx)
            .await?;
        if updated.rows_affected != 1 {
            return Err(Error::Setup(
                "another process makes the same move; wait until it ends".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Locks the table `instance` on PostgreSQL, where several processes can be connected.
async fn lock_instance(tx: &Tx) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared("LOCK TABLE instance IN EXCLUSIVE MODE")
            .await?;
    }
    Ok(())
}

/// Reads the `instance` row.
async fn find(tx: &impl ConnectionTrait) -> Result<Option<instance::Model>> {
    Ok(instance::Entity::find().one(tx).await?)
}
