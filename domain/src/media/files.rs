//! The media store for photos, screenshots and page texts: a folder, or a bucket of an S3-compatible store.
//!
//! Only this module uses `object_store`. Files are written atomically: in a folder, a file is written under a temporary
//! name, flushed to the disk, then renamed. Photos are named by their content (`photos/ab/cd/<sha256>.jpg`), so storing
//! a photo twice is idempotent. The caller chooses the keys of other files (`screenshots/...`, `pages/...`).

use std::io;
use std::path::Path as FsPath;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::pipeline;
use crate::clock::Millis;
use crate::private;

/// The maximum number of attempts to write a file whose folder is removed concurrently.
const PUT_ATTEMPTS: u32 = 10;

/// Why a file could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no file {key}")]
    NotFound { key: String },
    /// The disk or its quota is full. Nothing was stored.
    #[error("the storage is full")]
    StorageFull,
    #[error("{key:?} is not a valid file key")]
    BadKey { key: String },
    /// The bytes do not match the hash in the key.
    #[error("the bytes do not have the hash {sha256}")]
    WrongHash { sha256: String },
    /// A file with the same content is being removed.
    #[error("the file {sha256} is being removed")]
    Going { sha256: String },
    /// A remote store failed or cannot be reached.
    #[error("the media store (MEDIA_URL) cannot be used: {}", brief(.0))]
    Unreachable(#[source] object_store::Error),
    #[error("the storage failed")]
    Storage(#[source] object_store::Error),
}

/// The media store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PhotoFiles {
    store: Arc<dyn ObjectStore>,
    /// Whether the store is reached over a network. Its errors are then [`Error::Unreachable`].
    is_remote: bool,
}

/// Returns the key of the photo with this SHA-256 hash.
///
/// # Errors
/// [`Error::BadKey`] unless the hash is 64 lower-case hexadecimal digits.
pub fn photo_key(sha256: &str) -> Result<String, Error> {
    let valid = sha256.len() == 64
        && sha256
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !valid {
        return Err(Error::BadKey {
            key: sha256.to_owned(),
        });
    }
    Ok(format!("photos/{}/{}/{sha256}.jpg", &sha256[..2], &sha256[2..4]))
}

impl PhotoFiles {
    /// Opens the folder `root`. Creates it if it is missing, and restricts it to the current user.
    ///
    /// # Errors
    /// [`Error::Storage`] if the folder cannot be created, restricted or opened.
    pub fn open(root: &FsPath) -> Result<Self, Error> {
        let made = private::folder(root);
        made.map_err(|source| {
            failed(
                false,
                object_store::Error::Generic {
                    store: "folder",
                    source: source.into(),
                },
            )
        })?;
        let store = LocalFileSystem::new_with_prefix(root)
            .map_err(Error::Storage)?
            .with_fsync(true)
            // Removes folders that become empty.
            .with_automatic_cleanup(true);
        Ok(Self {
            store: Arc::new(store),
            is_remote: false,
        })
    }

    /// Wraps a store that is reached over a network.
    pub fn remote(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            is_remote: true,
        }
    }

    /// Checks the store: lists, writes, reads and deletes a small file.
    ///
    /// # Errors
    /// The error of the store.
    pub async fn probe(&self, name: &str) -> Result<(), object_store::Error> {
        let (path, text) = (Path::from("probe").join(name), Bytes::from_static(b"vintedbot"));
        // The listing comes first, because some stores create a missing bucket on write.
        self.store.list_with_delimiter(Some(&Path::from("probe"))).await?;
        self.store.put(&path, text.clone().into()).await?;
        let read = self.store.get(&path).await?.bytes().await?;
        self.store.delete(&path).await?;
        if read != text {
            return Err(object_store::Error::Generic {
                store: "probe",
                source: "a file that was written has other content when it is read".into(),
            });
        }
        Ok(())
    }

    /// Stores a photo under the key of its hash, and returns the key.
    ///
    /// # Errors
    /// [`Error::WrongHash`] if `sha256` is not the hash of `bytes`; otherwise as [`Self::put`].
    pub async fn put_photo(&self, sha256: &str, bytes: Bytes) -> Result<String, Error> {
        let key = photo_key(sha256)?;
        if pipeline::sha256(&bytes) != sha256 {
            return Err(Error::WrongHash {
                sha256: sha256.to_owned(),
            });
        }
        self.put(&key, bytes).await?;
        Ok(key)
    }

    /// Stores `bytes` under `key` and replaces an existing file.
    ///
    /// # Errors
    /// [`Error::StorageFull`], [`Error::BadKey`], [`Error::Unreachable`], [`Error::Storage`]. After an error, an
    /// existing file is unchanged.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let path = path(key)?;
        let mut attempt = 1;
        loop {
            match self.store.put(&path, bytes.clone().into()).await {
                Ok(_) => return Ok(()),
                // The file need not exist yet, so the bucket is missing.
                Err(error @ object_store::Error::NotFound { .. }) if self.is_remote => {
                    return Err(Error::Unreachable(error));
                }
                // A concurrent deletion removed the folder, which was empty, before the file was in it.
                Err(error) if !self.is_remote && attempt < PUT_ATTEMPTS && is_missing(&error) => attempt += 1,
                Err(error) => return Err(failed(self.is_remote, error)),
            }
        }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::BadKey`], [`Error::Unreachable`], [`Error::Storage`].
    pub async fn get(&self, key: &str) -> Result<Bytes, Error> {
        let failed = |error| failed(self.is_remote, error);
        let found = self.store.get(&path(key)?).await.map_err(failed)?;
        found.bytes().await.map_err(failed)
    }

    /// Returns the length of a file in bytes and a stream of its content.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn stream(&self, key: &str) -> Result<(u64, BoxStream<'static, Result<Bytes, Error>>), Error> {
        let is_remote = self.is_remote;
        let failed = move |error| failed(is_remote, error);
        let found = self.store.get(&path(key)?).await.map_err(failed)?;
        Ok((
            found.meta.size,
            found
                .into_stream()
                .map(move |piece| piece.map_err(failed))
                .boxed(),
        ))
    }

    /// Removes a file. Succeeds if the file does not exist.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Unreachable`], [`Error::Storage`].
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let deleted = self.store.delete(&path(key)?).await;
        match deleted.map_err(|error| failed(self.is_remote, error)) {
            Err(Error::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Returns the names of the direct subfolders of a folder.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Storage`].
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>, Error> {
        let below = Path::from(folder);
        let found = self.store.list_with_delimiter(Some(&below)).await;
        let found = found
            .map_err(|error| failed(self.is_remote, error))?
            .common_prefixes;
        Ok(found
            .iter()
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect())
    }

    /// Returns the keys of all files in a folder and its subfolders.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Storage`].
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        let below = Path::from(folder);
        let found = self.store.list(Some(&below));
        found
            .map(|meta| {
                let key = meta.map(|meta| meta.location.to_string());
                key.map_err(|error| failed(self.is_remote, error))
            })
            .try_collect()
            .await
    }

    /// Returns the time of the last write of a file; `None` if the file does not exist.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Unreachable`], [`Error::Storage`].
    pub async fn changed(&self, key: &str) -> Result<Option<Millis>, Error> {
        let found = self.store.head(&path(key)?).await;
        match found.map_err(|error| failed(self.is_remote, error)) {
            Ok(meta) => Ok(Some(meta.last_modified.timestamp_millis())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Whether a file exists under `key`.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Unreachable`], [`Error::Storage`].
    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        let found = self.store.head(&path(key)?).await;
        match found.map_err(|error| failed(self.is_remote, error)) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }
}

/// Validates a key: it has at least a folder and a name, and no part such as `..` that leads outside.
fn path(key: &str) -> Result<Path, Error> {
    let bad = || Error::BadKey { key: key.to_owned() };
    let path = Path::parse(key).map_err(|_| bad())?;
    if path.as_ref() == key && path.parts().count() >= 2 {
        Ok(path)
    } else {
        Err(bad())
    }
}

/// Returns the start of an error text: the error of a store can contain a whole document.
fn brief(error: &object_store::Error) -> String {
    let text = error.to_string();
    let line = text.split(['\n', '<']).next().unwrap_or_default();
    line.chars().take(300).collect()
}

fn failed(is_remote: bool, error: object_store::Error) -> Error {
    if let object_store::Error::NotFound { path, .. } = &error {
        return Error::NotFound { key: path.clone() };
    }
    if is_remote {
        return Error::Unreachable(error);
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        ) {
            return Error::StorageFull;
        }
        cause = error.source();
    }
    Error::Storage(error)
}

/// Returns whether the cause of an error is a file or folder of this machine that is missing.
fn is_missing(error: &object_store::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests;
