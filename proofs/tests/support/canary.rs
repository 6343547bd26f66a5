//! Canaries: tokens and cookies that must not appear anywhere, and the places that are searched for them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::world::World;

/// The length of a token's end that is searched for, so that a changed beginning does not hide the token.
const ENOUGH: usize = 24;
/// Files that must exist. Like every other file of the instance, only its user may read them.
const PRIVATE: [&str; 3] = ["api-token", "encryption.key", "media/"];

/// Searches everything that the instance has written, sent or shown for every known token.
///
/// # Errors
///
/// Fails if a token is found, or if the search misses what must be there.
pub async fn search(world: &World) -> Result<()> {
    let secrets = world.secrets();
    ensure!(secrets.len() >= 3, "only {} canaries were let out", secrets.len());
    let places = places(world).await?;
    for (name, secret) in &secrets {
        let end = secret
            .get(secret.len().saturating_sub(ENOUGH)..)
            .context("tokens are ASCII")?;
        ensure!(end.len() == ENOUGH, "{name} is too short to search for");
        let found = holding(&places, end);
        ensure!(found.is_empty(), "{name} was found in {found:?}");
    }
    // A search that cannot find anything would prove nothing.
    for kind in ["table ", "event", "page ", "file "] {
        let found = holding(&places, &world.published_title);
        ensure!(
            found.iter().any(|place| place.starts_with(kind)),
            "nothing is found in any {kind}: {found:?}"
        );
    }
    for place in ["file ", "trace", "metrics"] {
        let found = holding(&places, "PublishService/GetPublishJob");
        ensure!(
            found.iter().any(|found| found.starts_with(place)),
            "no {place} names the call: {found:?}"
        );
    }
    let planted = world.media_dir.join("planted");
    let leak: Vec<_> = secrets
        .iter()
        .map(|(name, secret)| format!("{name}={secret}"))
        .collect();
    std::fs::write(&planted, leak.join("\n"))?;
    let places = places_in_files(world)?;
    std::fs::remove_file(&planted)?;
    for (name, secret) in &secrets {
        let found = holding(&places, &secret[secret.len() - ENOUGH..]);
        ensure!(
            found.len() == 1 && found[0].ends_with("planted"),
            "a planted leak of {name} is not found: {found:?}"
        );
    }

    only_the_workspace_reads(world)
}

/// Checks the mode of every file that the instance has created on this disk.
fn only_the_workspace_reads(world: &World) -> Result<()> {
    let paths = files(&world.data_dir())?;
    for name in PRIVATE {
        let is_there = |path: &PathBuf| path.display().to_string().contains(&format!("/{name}"));
        let is_elsewhere = name == "media/" && !world.media_dir.starts_with(world.folder());
        ensure!(is_elsewhere || paths.iter().any(is_there), "there is no {name}");
    }
    for path in paths {
        let Some(metadata) = unless_gone(std::fs::metadata(&path))? else {
            continue;
        };
        let mode = metadata.permissions().mode() & 0o777;
        ensure!(mode & 0o077 == 0, "{} has mode {mode:o}", path.display());
    }
    Ok(())
}

type Place = (String, String);

fn holding(places: &[Place], needle: &str) -> Vec<String> {
    places
        .iter()
        .filter(|(_, text)| text.contains(needle))
        .map(|(name, _)| name.clone())
        .collect()
}

async fn places(world: &World) -> Result<Vec<Place>> {
    let mut places = world.pages();
    places.extend(
        world
            .watched
            .texts()
            .into_iter()
            .map(|text| ("event".to_owned(), text)),
    );
    let sent = world.traces.requests().into_iter();
    places.extend(sent.map(|spans| ("trace".to_owned(), format!("{spans:?}"))));
    places.push(("metrics".to_owned(), world.metrics().await?));
    let database = world.database().await?;
    places.extend(database.dump().await?);
    database.close().await?;
    places.extend(places_in_files(world)?);
    Ok(places)
}

/// Returns the files of the data folder except the token's own file, the logs, and the site's records.
fn places_in_files(world: &World) -> Result<Vec<Place>> {
    let mut paths = files(world.folder())?;
    if !world.media_dir.starts_with(world.folder()) {
        paths.extend(files(&world.media_dir)?);
    }
    paths.retain(|path| *path != world.data_dir().join("api-token"));
    let mut places = Vec::new();
    for path in paths {
        // A browser may wipe its profile during the search.
        let Some(bytes) = unless_gone(std::fs::read(&path))? else {
            continue;
        };
        places.push((
            format!("file {}", path.display()),
            String::from_utf8_lossy(&bytes).into_owned(),
        ));
    }
    Ok(places)
}

fn unless_gone<T>(read: std::io::Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in unless_gone(std::fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
