//! `vintedbot migrate-store`: moves an instance to another database.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use url::Url;
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::store::{self, DataFolder, Store, sqlite_file};
use vintedbot_domain::transfer::{self, Moved, Places, Progress};

use crate::config::Config;

/// From where to where.
#[derive(Args)]
pub struct Arguments {
    /// The database to be moved: sqlite://path or postgres://user:password@host/name.
    #[arg(long)]
    from: String,
    /// An empty database, written likewise.
    #[arg(long)]
    to: String,
    /// Gives up a move that is not complete: what was copied is removed, and the instance starts where it was.
    #[arg(long)]
    abandon: bool,
}

/// Moves everything, or goes on with it. Nothing else may use either database.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = Config::load()?;
    let _folder = DataFolder::open(&config.data_dir)?;
    if let Some(file) = sqlite_file(&arguments.from)
        && !file.is_file()
    {
        bail!("--from names {}, which is no file", file.display());
    }
    let places = Places {
        from: place(&arguments.from)?,
        to: place(&arguments.to)?,
    };
    if places.from == places.to {
        bail!("--from and --to name the same database");
    }
    let source = open(&arguments.from).await.context("--from")?;
    let target = open(&arguments.to).await.context("--to")?;
    if arguments.abandon {
        transfer::abandon(&source, &target, &places).await?;
        println!("given up; the instance is still on {}", places.from);
        return Ok(());
    }
    match transfer::run(&source, &target, &places, &tell).await? {
        Moved::Now => println!("moved to {}", places.to),
        Moved::Before => println!("it was moved to {} before", places.to),
    }
    println!(
        "set DATABASE_URL to it; the data folder {} stays as it is, with photos and keys",
        config.data_dir.display()
    );
    Ok(())
}

/// Connects, and brings the schema up to date.
async fn open(url: &str) -> Result<Store> {
    let store = store::connect_alone(url, Arc::new(SystemClock), Arc::new(SystemIds)).await?;
    vintedbot_migrations::run_locked(store.writer()).await?;
    Ok(store)
}

fn tell(progress: Progress) {
    match progress {
        Progress::Copied { table, done, total } => println!("{table}: {done} of {total}"),
        Progress::Verified {
            table,
            rows,
            checksum,
        } => println!("{table}: {rows} rows, the same on both sides ({checksum})"),
    }
}

/// A database's address without what is secret in it.
fn place(url: &str) -> Result<String> {
    if let Some(file) = sqlite_file(url) {
        if file.as_os_str().is_empty() {
            bail!("{url} is no file");
        }
        return Ok(format!("sqlite://{}", std::path::absolute(file)?.display()));
    }
    let mut url = Url::parse(url).context("an address begins with sqlite:// or postgres://")?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        bail!(
            "{}: an address begins with sqlite:// or postgres://",
            url.scheme()
        );
    }
    url.set_query(None);
    // Only an address without a host has no place for a password, and then it has none.
    let _ = url.set_password(None);
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_name_no_password() {
        let place = |url| place(url).expect("a place");
        assert_eq!(
            place("postgres://seller:secret@db.lan:5433/vintedbot?sslmode=require"),
            "postgres://seller@db.lan:5433/vintedbot"
        );
        assert_eq!(
            place("sqlite:///srv/data/v.sqlite?mode=rwc"),
            "sqlite:///srv/data/v.sqlite"
        );
        assert!(place("sqlite://v.sqlite").starts_with("sqlite:///"));
        for wrong in ["sqlite::memory:", "mysql://host/name", "v.sqlite"] {
            assert!(super::place(wrong).is_err(), "{wrong}");
        }
    }
}
