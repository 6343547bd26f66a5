//! Moving an instance from one database to another: everything is copied, counted and compared, and the first one is left.
//!
//! - [`tables`] asks both schemas what there is; nothing names a table to be copied, so none can be forgotten.
//! - Rows go over in batches in the order of their keys. Each batch is committed with the place that it came to, so that a
//!   move that was killed anywhere goes on there.
//! - From its beginning the source's instance says where it goes, and refuses to start; so does the copy until every table
//!   has been read back on both sides and found the same. At no moment can both be started.
//! - The copy is the same instance with the same event log: cursors, tokens and jobs go on.

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

use marks::{Arrival, arrival};
pub use marks::{MoveState, abandon, may_start};
use rows::{Cell, Row, Sum, count, key_of};
pub use tables::Table;

/// The table that is copied with the move's marks, by [`marks`].
const INSTANCE: &str = "instance";

/// Where from and where to, in words that may stand in a database and be shown: without passwords.
#[derive(Clone, Debug)]
pub struct Places {
    pub from: String,
    pub to: String,
}

/// How far a move is.
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

/// How a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    Now,
    /// It had been complete before.
    Before,
}

/// The tables that are copied, each after those that it refers to.
///
/// # Errors
/// A table cannot be copied.
pub async fn tables(store: &Store) -> Result<Vec<Table>> {
    tables::list(store.reader()).await
}

/// Every text in every table but those named, one after the other.
pub(crate) async fn texts(store: &Store, but: &[&str], mut read: impl FnMut(&str) + Send) -> Result<()> {
    for table in tables(store)
        .await?
        .iter()
        .filter(|table| !but.contains(&table.name.as_str()))
    {
        let mut place = None;
        loop {
            let rows = rows::read(store.reader(), table, place.as_deref()).await?;
            let Some(last) = rows.last() else { break };
            place = Some(key_of(table, last));
            for cell in rows.iter().flatten() {
                if let Cell::Text(text) = cell {
                    read(text);
                }
            }
        }
    }
    Ok(())
}

/// Moves everything. Both databases have the same schema, and nobody else uses either.
///
/// # Errors
/// In words: there is nothing to move, the target is not empty, something differs. The same call goes on where it ended.
pub async fn run(
    source: &Store,
    target: &Store,
    places: &Places,
    tell: &(dyn Fn(Progress) + Send + Sync),
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
            "the two databases have different tables ({}; in the one to move to {}); name an empty database of its own",
            only(&tables, &theirs),
            only(&theirs, &tables)
        )));
    }
    let leaving = marks::instance_of(source, "there is no instance in the database to be moved").await?;
    match arrival(target, &tables, &leaving).await? {
        Arrival::Complete => {
            marks::left(source).await?;
            return Ok(match leaving.move_state {
                Some(MoveState::Left) => Moved::Before,
                _ => Moved::Now,
            });
        }
        _ if leaving.move_state == Some(MoveState::Left) => {
            return Err(marks::gone(&leaving));
        }
        Arrival::Empty | Arrival::Half => {}
        Arrival::Stale => marks::empty(target, &tables).await?,
    }
    let leaving = marks::leave(source, places).await?;
    // One that started while the mark was written has not seen it.
    source.nobody_else().await?;
    marks::arrive(target, &leaving, places).await?;
    for table in tables.iter().filter(|table| table.name != INSTANCE) {
        copy(source, target, table, tell).await?;
    }
    let mut different = Vec::new();
    for table in &tables {
        let (ours, theirs) = (
            Sum::of(source.reader(), table).await?,
            Sum::of(target.reader(), table).await?,
        );
        if ours == theirs {
            tell(Progress::Verified {
                table: table.name.clone(),
                rows: ours.rows,
                checksum: ours.checksum(),
            });
        } else {
            different.push(format!(
                "{} ({} rows, checksum {}; in the copy {} rows, checksum {})",
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
            "the copy differs from what was copied, and is not used: {}. Give it up with --abandon, and move again",
            different.join("; ")
        )));
    }
    rebuild::begin(target).await?;
    marks::arrived(target).await?;
    marks::left(source).await?;
    Ok(Moved::Now)
}

/// Copies what is missing of a table.
async fn copy(
    source: &Store,
    target: &Store,
    table: &Table,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<()> {
    let known = move_positions::Entity::find_by_id(&table.name)
        .one(target.reader())
        .await?;
    let total = count(source.reader(), &table.name).await?;
    let (mut place, mut done) = match known {
        Some(row) => (Some(row.place), row.done),
        None => (None, 0),
    };
    let shared = Arc::new(table.clone());
    loop {
        let after: Option<Vec<Cell>> = place.as_deref().map(serde_json::from_str).transpose()?;
        let found = rows::read(source.reader(), table, after.as_deref()).await?;
        let Some(last) = found.last() else { break };
        if target.backend() == DbBackend::Postgres
            && let Some((column, key)) = rows::with_nul(table, &found)
        {
            return Err(Error::Setup(format!(
                "{}.{column} of the row {key:?} has a character with the number 0, which PostgreSQL cannot keep; take it \
                 out, and move again",
                table.name
            )));
        }
        done += i64::try_from(found.len()).unwrap_or(i64::MAX);
        let next = serde_json::to_string(&key_of(table, last))?;
        let batch = Arc::new(Batch {
            table: Arc::clone(&shared),
            rows: found,
            before: place,
            after: next.clone(),
            done,
        });
        target
            .write(move |tx| {
                let batch = Arc::clone(&batch);
                async move { batch.write(tx).await }.boxed()
            })
            .await?;
        place = Some(next);
        tell(Progress::Copied {
            table: table.name.clone(),
            done,
            total,
        });
    }
    Ok(())
}

/// Rows, and the place in their table that the copy has come to with them.
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
                place: Set(self.after.clone()),
                done: Set(self.done),
            };
            move_positions::Entity::insert(row)
                .exec_without_returning(tx)
                .await?;
            return Ok(());
        };
        let updated = move_positions::Entity::update_many()
            .col_expr(move_positions::Column::Place, Expr::value(self.after.as_str()))
            .col_expr(move_positions::Column::Done, Expr::value(self.done))
            .filter(move_positions::Column::TableName.eq(self.table.name.as_str()))
            .filter(move_positions::Column::Place.eq(before.as_str()))
            .exec(tx)
            .await?;
        if updated.rows_affected != 1 {
            return Err(Error::Setup(
                "another process makes the same copy; let it finish".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Holds off whoever else would look at the instance's row, where several can.
async fn lock_instance(tx: &Tx) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared("LOCK TABLE instance IN EXCLUSIVE MODE")
            .await?;
    }
    Ok(())
}

/// The instance's row.
async fn find(tx: &impl ConnectionTrait) -> Result<Option<instance::Model>> {
    Ok(instance::Entity::find().one(tx).await?)
}
