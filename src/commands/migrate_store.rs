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

/// The source and the target of the move.
#[derive(Args)]
pub struct Arguments {
    /// The source database: sqlite://path or postgres://user:password@host/name.
    #[arg(long)]
    from: String,
    /// The target database, which must be empty, in the same form.
    #[arg(long)]
    to: String,
    /// Cancels an incomplete move: removes the copied data; the instance starts with the source database again.
    #[arg(long)]
    abandon: bool,
}

/// Moves the instance, or continues an interrupted move. No other process may use either database.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = Config::load()?;
    let _folder = DataFolder::open(&config.data_dir)?;
    if let Some(file) = sqlite_file(&arguments.from)
        && !file.is_file()
    {
        bail!("--from names {}, which is not a file", file.display());
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
        println!("move cancelled; the instance still uses {}", places.from);
        return Ok(());
    }
    match transfer::run(&source, &target, &places, &report).await? {
        Moved::Now => println!("moved to {}", places.to),
        Moved::Before => println!("already moved to {}", places.to),
    }
    println!(
        "set DATABASE_URL to the new database; keep the data folder {}, which contains photos and keys",
        config.data_dir.display()
    );
    Ok(())
}

/// Connects and migrates the schema.
async fn open(url: &str) -> Result<Store> {
    let store = store::connect_alone(url, Arc::new(SystemClock), Arc::new(SystemIds)).await?;
    vintedbot_migrations::run_locked(store.writer()).await?;
    Ok(store)
}

fn report(progress: Progress) {
    match progress {
        Progress::Copied { table, done, total } => println!("{table}: {done} of {total}"),
        Progress::Verified {
            table,
            rows,
            checksum,
        } => println!("{table}: {rows} rows, identical in both databases ({checksum})"),
    }
}

/// Returns the address of a database without its secrets.
fn place(url: &str) -> Result<String> {
    if let Some(file) = sqlite_file(url) {
        if file.as_os_str().is_empty() {
            bail!("{url} does not name a file");
        }
        return Ok(format!("sqlite://{}", std::path::absolute(file)?.display()));
    }
    let mut url = Url::parse(url).context("a database URL begins with sqlite:// or postgres://")?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        bail!(
            "{}: a database URL begins with sqlite:// or postgres://",
            url.scheme()
        );
    }
    url.set_query(None);
    // It fails only for a URL without a host, which cannot contain a password.
    let _ = url.set_password(None);
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_locations_show_no_password() {
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
