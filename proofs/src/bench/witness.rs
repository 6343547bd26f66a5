//! Compares the contents of a database at two moments, row by row. Finds the changes of every process.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use anyhow::Result;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

/// Every row of every table, as a hash of its key and a hash of all its columns.
pub struct Look(BTreeMap<String, HashMap<u64, u64>>);

impl Look {
    /// Reads the whole database in one transaction.
    pub fn at(database: &Path) -> Result<Self> {
        let mut connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let transaction = connection.transaction()?;
        let mut names = transaction
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
        let names: Vec<String> = names
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut tables = BTreeMap::new();
        for name in names {
            tables.insert(name.clone(), rows(&transaction, &name)?);
        }
        Ok(Self(tables))
    }

    /// Returns the number of changed, new and removed rows by table, without unchanged tables.
    pub fn written_since(&self, before: &Self) -> BTreeMap<String, usize> {
        let none = HashMap::new();
        let written = self.0.iter().map(|(name, rows)| {
            let old = before.0.get(name).unwrap_or(&none);
            let put = rows.iter().filter(|(key, row)| old.get(key) != Some(row)).count();
            let removed = old.keys().filter(|key| !rows.contains_key(key)).count();
            (name.clone(), put + removed)
        });
        written.filter(|(_, count)| *count > 0).collect()
    }
}

fn rows(connection: &Connection, table: &str) -> Result<HashMap<u64, u64>> {
    let mut keys = connection.prepare("SELECT cid FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?;
    let keys: Vec<u32> = keys
        .query_map([table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
    let all: Vec<usize> = (0..statement.column_count()).collect();
    let keys: Vec<usize> = keys.into_iter().map(|key| key as usize).collect();
    // A row without a key is identified by all its columns.
    let keys = if keys.is_empty() { &all } else { &keys };
    let mut found = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.insert(hash(row, keys)?, hash(row, &all)?);
    }
    Ok(found)
}

fn hash(row: &Row<'_>, columns: &[usize]) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for column in columns {
        match row.get_ref(*column)? {
            ValueRef::Null => 0_u8.hash(&mut hasher),
            ValueRef::Integer(number) => number.hash(&mut hasher),
            ValueRef::Real(number) => number.to_bits().hash(&mut hasher),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(&mut hasher),
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_changed_and_removed_rows_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("database");
        let connection = Connection::open(&path).expect("a database");
        let execute = |sql: &str| connection.execute_batch(sql).expect("SQL");
        execute(
            "CREATE TABLE a (id TEXT PRIMARY KEY, n INTEGER); CREATE TABLE b (n INTEGER); CREATE TABLE c (n INTEGER);
             INSERT INTO a VALUES ('x', 1), ('y', 2), ('z', 3); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1);",
        );
        let before = Look::at(&path).expect("a look");
        execute("UPDATE a SET n = n; INSERT INTO c VALUES (2)");
        execute(
            "UPDATE a SET n = 5 WHERE id = 'x'; DELETE FROM a WHERE id = 'y'; INSERT INTO a VALUES ('w', NULL)",
        );
        let written = Look::at(&path).expect("a look").written_since(&before);
        assert_eq!(written, [("a".to_owned(), 3), ("c".to_owned(), 1)].into());
    }
}
