//! Reads, writes and compares the rows of any table. Rows are read in key order; the checksum does not depend on the
//! order.

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::tables::Table;
use crate::{Error, Result};

/// The number of rows that one statement reads or writes, unless the parameters would exceed [`PARAMETERS`].
const ROWS: usize = 500;
/// The number of parameters of one statement, below the limit of both engines.
const PARAMETERS: usize = 16_000;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Integer,
    Boolean,
    Bytes,
}

impl Type {
    /// Parses the type name of either engine.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_uppercase().as_str() {
            "TEXT" => Some(Self::Text),
            "BIGINT" => Some(Self::Integer),
            "BOOLEAN" => Some(Self::Boolean),
            "BLOB" | "BYTEA" => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cell {
    Null,
    Text(String),
    Integer(i64),
    Boolean(bool),
    Bytes(Vec<u8>),
}

/// One row, with its cells in the order of the table's columns.
pub type Row = Vec<Cell>;

/// Reads the rows after a key, in key order; as many as one statement may read.
pub async fn read(
    connection: &impl ConnectionTrait,
    table: &Table,
    after: Option<&[Cell]>,
) -> Result<Vec<Row>> {
    let key: Vec<_> = table
        .key
        .iter()
        .map(|&at| quoted(&table.columns[at].name))
        .collect();
    let key = key.join(", ");
    let (condition, values): (String, Vec<Value>) = match after {
        None => (String::new(), Vec::new()),
        Some(cells) => {
            let numbers: Vec<_> = (1..=cells.len()).map(|number| format!("${number}")).collect();
            let values = cells.iter().zip(&table.key);
            (
                format!(" WHERE ({key}) > ({})", numbers.join(", ")),
                values
                    .map(|(cell, &at)| cell.value(table.columns[at].kind))
                    .collect(),
            )
        }
    };
    let sql = format!(
        "SELECT {} FROM {}{condition} ORDER BY {key} LIMIT {}",
        columns(table),
        quoted(&table.name),
        batch(table)
    );
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let found = connection.query_all_raw(statement).await?;
    found.iter().map(|row| cells(table, row)).collect()
}

/// Inserts rows.
pub async fn write(connection: &impl ConnectionTrait, table: &Table, rows: &[Row]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let width = table.columns.len();
    let mut values = Vec::with_capacity(rows.len() * width);
    let mut placeholders = Vec::with_capacity(rows.len());
    for row in rows {
        let numbers: Vec<_> = (1..=width)
            .map(|number| format!("${}", values.len() + number))
            .collect();
        placeholders.push(format!("({})", numbers.join(", ")));
        let kinds = table.columns.iter().map(|column| column.kind);
        values.extend(row.iter().zip(kinds).map(|(cell, kind)| cell.value(kind)));
    }
    let sql = format!(
        "INSERT INTO {} ({}) VALUES {}",
        quoted(&table.name),
        columns(table),
        placeholders.join(", ")
    );
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.execute_raw(statement).await?;
    Ok(())
}

/// Counts the rows of a table.
pub async fn count(connection: &impl ConnectionTrait, table: &str) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) AS rows_there FROM {}", quoted(table));
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal(format!("table {table} was not counted")))?;
    Ok(row.try_get("", "rows_there")?)
}

/// The number of rows and a checksum of their content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub rows: u64,
    lanes: [u64; 4],
}

impl Sum {
    /// Reads a whole table and computes its checksum.
    pub async fn of(connection: &impl ConnectionTrait, table: &Table) -> Result<Self> {
        let mut sum = Self::default();
        let mut position = None;
        loop {
            let rows = read(connection, table, position.as_deref()).await?;
            let Some(last) = rows.last() else { return Ok(sum) };
            position = Some(key_of(table, last));
            rows.iter().for_each(|row| sum.add(table, row));
        }
    }

    /// Adds a row. Each cell is hashed with its column, type and length, so different rows never give the same input.
    fn add(&mut self, table: &Table, row: &Row) {
        let mut hash = Sha256::new();
        for (column, cell) in table.columns.iter().zip(row) {
            hash.update(column.name.as_bytes());
            let number;
            let (tag, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Text(text) => (1, text.as_bytes()),
                Cell::Integer(value) => {
                    number = value.to_le_bytes();
                    (2, &number)
                }
                Cell::Boolean(false) => (3, &[0]),
                Cell::Boolean(true) => (3, &[1]),
                Cell::Bytes(bytes) => (4, bytes),
            };
            hash.update([0, tag]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let hash = hash.finalize();
        for (lane, part) in self.lanes.iter_mut().zip(hash.chunks_exact(8)) {
            *lane = lane.wrapping_add(u64::from_le_bytes(part.try_into().unwrap_or_default()));
        }
        self.rows += 1;
    }

    /// Returns the checksum as 64 hexadecimal digits.
    pub fn checksum(&self) -> String {
        self.lanes.iter().map(|lane| format!("{lane:016x}")).collect()
    }
}

/// Returns the primary key of a row.
pub fn key_of(table: &Table, row: &Row) -> Vec<Cell> {
    table.key.iter().map(|&at| row[at].clone()).collect()
}

/// Finds the first text with a NUL character, which PostgreSQL cannot store. Returns its column and the key of its row.
pub fn with_nul<'a>(table: &'a Table, rows: &'a [Row]) -> Option<(&'a str, Vec<Cell>)> {
    rows.iter().find_map(|row| {
        let at = row
            .iter()
            .position(|cell| matches!(cell, Cell::Text(text) if text.contains('\0')))?;
        Some((table.columns[at].name.as_str(), key_of(table, row)))
    })
}

impl Cell {
    fn value(&self, kind: Type) -> Value {
        match self {
            Self::Null => match kind {
                Type::Text => None::<String>.into(),
                Type::Integer => None::<i64>.into(),
                Type::Boolean => None::<bool>.into(),
                Type::Bytes => None::<Vec<u8>>.into(),
            },
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Boolean(is) => (*is).into(),
            Self::Bytes(bytes) => bytes.clone().into(),
        }
    }
}

fn cells(table: &Table, row: &QueryResult) -> Result<Row> {
    let cell = |(at, column): (usize, &super::tables::Column)| -> std::result::Result<Cell, DbErr> {
        Ok(match column.kind {
            Type::Text => row.try_get_by_index::<Option<String>>(at)?.map(Cell::Text),
            Type::Integer => row.try_get_by_index::<Option<i64>>(at)?.map(Cell::Integer),
            Type::Boolean => row.try_get_by_index::<Option<bool>>(at)?.map(Cell::Boolean),
            Type::Bytes => row.try_get_by_index::<Option<Vec<u8>>>(at)?.map(Cell::Bytes),
        }
        .unwrap_or(Cell::Null))
    };
    let cells = table.columns.iter().enumerate().map(cell);
    Ok(cells.collect::<std::result::Result<_, _>>()?)
}

fn batch(table: &Table) -> usize {
    ROWS.min(PARAMETERS / table.columns.len().max(1))
}

fn columns(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    names.join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
