//! Where photos, screenshots and page texts are kept: files under one folder, or in a bucket of an S3-compatible store in
//! the folder's place; both are reached through `object_store`, and here alone.
//!
//! A file appears whole or not at all: in a folder it is written beside its place, flushed to the disk, then renamed. Photos are named
//! by their content (`photos/ab/cd/<sha256>.jpg`), so storing one twice is storing it once. Everything else is put under a
//! key that its owner makes up (`screenshots/...`, `pages/...`).

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

/// Why a file could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no file {key}")]
    NotFound { key: String },
    /// The disk, or the quota on it, is full. Nothing of the file was kept.
    #[error("the storage is full")]
    StorageFull,
    #[error("{key:?} cannot name a file")]
    BadKey { key: String },
    /// The bytes are not those that the name promises.
    #[error("the bytes do not have the hash {sha256}")]
    WrongHash { sha256: String },
    /// A file of the same content is being removed at this moment.
    #[error("the file {sha256} is being removed at this moment")]
    Going { sha256: String },
    /// A store elsewhere does not do what it is asked, now.
    #[error("the media store (MEDIA_URL) cannot be used: {}", brief(.0))]
    Unreachable(#[source] object_store::Error),
    #[error("the storage failed")]
    Storage(#[source] object_store::Error),
}

/// The files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PhotoFiles {
    store: Arc<dyn ObjectStore>,
    /// Over a network, which comes and goes.
    is_remote: bool,
}

/// The key of the photo with this SHA-256.
///
/// # Errors
/// [`Error::BadKey`] unless it is 64 lower-case hexadecimal digits.
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
    /// The files under `root`, which is made if it is not there and closed to other users of the machine.
    ///
    /// # Errors
    /// [`Error::Storage`] when the folder cannot be made, closed or entered.
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
            // A folder whose last file is removed goes with it.
            .with_automatic_cleanup(true);
        Ok(Self {
            store: Arc::new(store),
            is_remote: false,
        })
    }

    /// The files of a store that is reached over a network.
    pub fn remote(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            is_remote: true,
        }
    }

    /// Lists, writes, reads and deletes a small file, to see that the store does all of it.
    ///
    /// # Errors
    /// What the store says, as it says it.
    pub async fn probe(&self, name: &str) -> Result<(), object_store::Error> {
        let (path, text) = (Path::from("probe").join(name), Bytes::from_static(b"vintedbot"));
        // Asked first: some stores make a bucket that is written to.
        self.store.list_with_delimiter(Some(&Path::from("probe"))).await?;
        self.store.put(&path, text.clone().into()).await?;
        let read = self.store.get(&path).await?.bytes().await?;
        self.store.delete(&path).await?;
        if read != text {
            return Err(object_store::Error::Generic {
                store: "probe",
                source: "what was written is read otherwise".into(),
            });
        }
        Ok(())
    }

    /// Keeps a photo under the name that its content gives it, and returns its key.
    ///
    /// # Errors
    /// [`Error::WrongHash`] when `sha256` is not that of `bytes`, and as [`Self::put`].
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

    /// Keeps `bytes` under `key`, in place of what was there.
    ///
    /// # Errors
    /// [`Error::StorageFull`], [`Error::BadKey`], [`Error::Storage`]; whichever it is, `key` is as it was before.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let put = self.store.put(&path(key)?, bytes.into()).await;
        put.map_err(|error| match error {
            // Not the file, which is yet to be: the bucket.
            object_store::Error::NotFound { .. } if self.is_remote => Error::Unreachable(error),
            error => failed(self.is_remote, error),
        })?;
        Ok(())
    }

    /// All of a file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::BadKey`], [`Error::Storage`].
    pub async fn get(&self, key: &str) -> Result<Bytes, Error> {
        let failed = |error| failed(self.is_remote, error);
        let found = self.store.get(&path(key)?).await.map_err(failed)?;
        found.bytes().await.map_err(failed)
    }

    /// A file's length in bytes, and its content piece by piece.
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

    /// Removes a file; one that is not there is removed already.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Storage`].
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let deleted = self.store.delete(&path(key)?).await;
        match deleted.map_err(|error| failed(self.is_remote, error)) {
            Err(Error::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Names of the folders right below a folder.
    ///
    /// # Errors
    /// [`Error::Storage`].
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

    /// Keys of all files in a folder.
    ///
    /// # Errors
    /// [`Error::Storage`].
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

    /// When a file was last written; `None`: it is not there.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Storage`].
    pub async fn changed(&self, key: &str) -> Result<Option<Millis>, Error> {
        let found = self.store.head(&path(key)?).await;
        match found.map_err(|error| failed(self.is_remote, error)) {
            Ok(meta) => Ok(Some(meta.last_modified.timestamp_millis())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Whether there is a file under `key`.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Storage`].
    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        let found = self.store.head(&path(key)?).await;
        match found.map_err(|error| failed(self.is_remote, error)) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }
}

/// Keys have at least a folder and a name, and no part that a file system would take for an order to go elsewhere.
fn path(key: &str) -> Result<Path, Error> {
    let bad = || Error::BadKey { key: key.to_owned() };
    let path = Path::parse(key).map_err(|_| bad())?;
    if path.as_ref() == key && path.parts().count() >= 2 {
        Ok(path)
    } else {
        Err(bad())
    }
}

/// The beginning of what a store says: its answers can be whole documents.
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

#[cfg(test)]
mod tests;
