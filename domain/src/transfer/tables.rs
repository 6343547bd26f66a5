//! Reads the tables to copy from the schema of the database, so that no table can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::rows::Type;
use crate::{Error, Result};

/// Tables that are not copied: those of the migration and of the move, and the search index. The index is rebuilt from
/// the copied rows, because each engine stores its words differently.
const DERIVED: [&str; 5] = [
    "seaql_migrations",
    "move_positions",
    "search_documents",
    "search_indexes",
    "search_words",
];
/// The prefix of the columns that describe a move and therefore differ between the two databases.
const OF_THE_MOVE: &str = "move_";

/// A table to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// The columns, sorted by name, so that both engines have the same order.
    pub columns: Vec<Column>,
    /// The indexes in `columns` of the primary key.
    pub key: Vec<usize>,
    parents: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Type,
}

/// One column as an engine describes it.
struct Described {
    table: String,
    column: String,
    kind: String,
    /// The position in the primary key, starting at 1. `None`: the column is not part of it.
    key: Option<i64>,
}

/// Returns the tables to copy, each after the tables that it references.
///
/// # Errors
/// A column has a type that cannot be copied, a table has no primary key, or tables reference each other in a cycle.
pub async fn list(connection: &impl ConnectionTrait) -> Result<Vec<Table>> {
    let mut columns: BTreeMap<String, Vec<Described>> = BTreeMap::new();
    for described in describe(connection).await? {
        if !is_derived(&described.table) && !is_of_the_move(&described) {
            columns
                .entry(described.table.clone())
                .or_default()
                .push(described);
        }
    }
    let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (table, parent) in references(connection).await? {
        if table != parent {
            parents.entry(table).or_default().insert(parent);
        }
    }
    let mut tables = Vec::with_capacity(columns.len());
    for (name, columns) in columns {
        tables.push(table(name, columns, &mut parents)?);
    }
    in_order(tables)
}

fn table(
    name: String,
    mut described: Vec<Described>,
    parents: &mut BTreeMap<String, BTreeSet<String>>,
) -> Result<Table> {
    described.sort_by(|left, right| left.column.cmp(&right.column));
    let mut key: Vec<(i64, usize)> = described
        .iter()
        .enumerate()
        .filter_map(|(at, column)| Some((column.key?, at)))
        .collect();
    key.sort_unstable();
    if key.is_empty() {
        return Err(Error::Internal(format!("table {name} has no primary key")));
    }
    let mut columns = Vec::with_capacity(described.len());
    for column in described {
        let Some(kind) = Type::from_name(&column.kind) else {
            return Err(Error::Internal(format!(
                "column {name}.{} has type {}, which cannot be copied",
                column.column, column.kind
            )));
        };
        columns.push(Column {
            name: column.column,
            kind,
        });
    }
    Ok(Table {
        parents: parents.remove(&name).unwrap_or_default(),
        key: key.into_iter().map(|(_, at)| at).collect(),
        columns,
        name,
    })
}

/// Sorts the tables so that referenced tables come first. Independent tables are sorted by name.
fn in_order(mut tables: Vec<Table>) -> Result<Vec<Table>> {
    let mut done = Vec::with_capacity(tables.len());
    let mut names = BTreeSet::new();
    while !tables.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) = tables
            .into_iter()
            .partition(|table| table.parents.iter().all(|parent| names.contains(parent)));
        if ready.is_empty() {
            let names: Vec<_> = waiting.into_iter().map(|table| table.name).collect();
            return Err(Error::Internal(format!(
                "tables reference each other in a cycle: {}",
                names.join(", ")
            )));
        }
        names.extend(ready.iter().map(|table| table.name.clone()));
        done.extend(ready);
        tables = waiting;
    }
    Ok(done)
}

/// Whether a table is not copied. SQLite's full-text index creates internal tables whose names start with its name.
fn is_derived(table: &str) -> bool {
    DERIVED.contains(&table) || table.starts_with("search_words_") || table.starts_with("sqlite_")
}

fn is_of_the_move(described: &Described) -> bool {
    described.table == "instance" && described.column.starts_with(OF_THE_MOVE)
}

async fn describe(connection: &impl ConnectionTrait) -> Result<Vec<Described>> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT columns.table_name::text AS table_name, columns.column_name::text AS column_name, \
             columns.data_type::text AS kind, keys.ordinal_position::bigint AS key_place \
             FROM information_schema.columns \
             JOIN information_schema.tables ON tables.table_schema = columns.table_schema \
             AND tables.table_name = columns.table_name AND tables.table_type = 'BASE TABLE' \
             LEFT JOIN (SELECT used.* FROM information_schema.key_column_usage used \
             JOIN information_schema.table_constraints made ON made.constraint_schema = used.constraint_schema \
             AND made.constraint_name = used.constraint_name AND made.table_name = used.table_name \
             WHERE made.constraint_type = 'PRIMARY KEY') keys ON keys.table_schema = columns.table_schema \
             AND keys.table_name = columns.table_name AND keys.column_name = columns.column_name \
             WHERE columns.table_schema = current_schema()"
        }
        _ => {
            "SELECT tables.name AS table_name, columns.name AS column_name, columns.type AS kind, \
             NULLIF(columns.pk, 0) AS key_place \
             FROM sqlite_master tables, pragma_table_info(tables.name) columns WHERE tables.type = 'table'"
        }
    };
    let rows = connection
        .query_all_raw(Statement::from_string(connection.get_database_backend(), sql))
        .await?;
    let described = rows.iter().map(|row| {
        Ok(Described {
            table: row.try_get("", "table_name")?,
            column: row.try_get("", "column_name")?,
            kind: row.try_get("", "kind")?,
            key: row.try_get("", "key_place")?,
        })
    });
    described.collect()
}

/// Returns the pairs of referencing and referenced table.
async fn references(connection: &impl ConnectionTrait) -> Result<Vec<(String, String)>> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT own.relname::text AS table_name, other.relname::text AS parent FROM pg_constraint \
             JOIN pg_class own ON own.oid = conrelid JOIN pg_class other ON other.oid = confrelid \
             JOIN pg_namespace ON pg_namespace.oid = own.relnamespace AND nspname = current_schema() \
             WHERE contype = 'f'"
        }
        _ => {
            "SELECT tables.name AS table_name, parents.\"table\" AS parent \
             FROM sqlite_master tables, pragma_foreign_key_list(tables.name) parents WHERE tables.type = 'table'"
        }
    };
    let rows = connection
        .query_all_raw(Statement::from_string(connection.get_database_backend(), sql))
        .await?;
    let pairs = rows
        .iter()
        .map(|row| Ok((row.try_get("", "table_name")?, row.try_get("", "parent")?)));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_the_tables_that_they_reference() {
        let table = |name: &str, parents: &[&str]| Table {
            name: name.to_owned(),
            columns: Vec::new(),
            key: Vec::new(),
            parents: parents.iter().map(|&parent| parent.to_owned()).collect(),
        };
        let ordered = in_order(vec![table("a", &["c"]), table("b", &[]), table("c", &["b"])]);
        let names: Vec<_> = ordered
            .expect("an order")
            .into_iter()
            .map(|table| table.name)
            .collect();
        assert_eq!(names, ["b", "c", "a"]);
        assert!(in_order(vec![table("a", &["b"]), table("b", &["a"])]).is_err());
    }
}
