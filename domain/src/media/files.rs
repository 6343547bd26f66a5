//! Where photos, screenshots and page texts are kept: files under one folder, reached through `object_store`, so that
//! S3-compatible storage can take the folder's place.
//!
//! A file appears whole or not at all: it is written beside its place, flushed to the disk, then renamed. Photos are named
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
    #[error("the storage failed")]
    Storage(#[source] object_store::Error),
}

/// The files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PhotoFiles {
    store: Arc<dyn ObjectStore>,
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
    /// The files under `root`, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Storage`] when the folder cannot be made or entered.
    pub fn open(root: &FsPath) -> Result<Self, Error> {
        let made = std::fs::create_dir_all(root);
        made.map_err(|source| {
            failed(object_store::Error::Generic {
                store: "folder",
                source: source.into(),
            })
        })?;
        let store = LocalFileSystem::new_with_prefix(root)
            .map_err(failed)?
            .with_fsync(true)
            // A folder whose last file is removed goes with it.
            .with_automatic_cleanup(true);
        Ok(Self {
            store: Arc::new(store),
        })
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
        self.store.put(&path(key)?, bytes.into()).await.map_err(failed)?;
        Ok(())
    }

    /// All of a file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::BadKey`], [`Error::Storage`].
    pub async fn get(&self, key: &str) -> Result<Bytes, Error> {
        let found = self.store.get(&path(key)?).await.map_err(failed)?;
        found.bytes().await.map_err(failed)
    }

    /// A file's length in bytes, and its content piece by piece.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn stream(&self, key: &str) -> Result<(u64, BoxStream<'static, Result<Bytes, Error>>), Error> {
        let found = self.store.get(&path(key)?).await.map_err(failed)?;
        Ok((
            found.meta.size,
            found.into_stream().map(|piece| piece.map_err(failed)).boxed(),
        ))
    }

    /// Removes a file; one that is not there is removed already.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Storage`].
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        match self.store.delete(&path(key)?).await.map_err(failed) {
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
        let found = found.map_err(failed)?.common_prefixes;
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
            .map(|meta| meta.map(|meta| meta.location.to_string()).map_err(failed))
            .try_collect()
            .await
    }

    /// When a file was last written; `None`: it is not there.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Storage`].
    pub async fn changed(&self, key: &str) -> Result<Option<Millis>, Error> {
        match self.store.head(&path(key)?).await.map_err(failed) {
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
        match self.store.head(&path(key)?).await.map_err(failed) {
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

fn failed(error: object_store::Error) -> Error {
    if let object_store::Error::NotFound { path, .. } = &error {
        return Error::NotFound { key: path.clone() };
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
mod tests {
    use std::path::Path as FsPath;
    use std::process::Command;

    use bytes::Bytes;
    use futures::TryStreamExt as _;

    use super::{Error, PhotoFiles, photo_key, pipeline};

    fn files_below(folder: &FsPath) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
        entries
            .map(|entry| entry.path())
            .flat_map(|path| {
                if path.is_dir() {
                    files_below(&path)
                } else {
                    vec![path]
                }
            })
            .collect()
    }

    #[tokio::test]
    async fn a_photo_is_kept_under_its_hash_and_read_back_whole_or_in_pieces() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = PhotoFiles::open(&folder.path().join("not/yet/there")).expect("opens");
        let bytes = Bytes::from(vec![7; 100_000]);
        let sha256 = pipeline::sha256(&bytes);

        let key = files.put_photo(&sha256, bytes.clone()).await.expect("is stored");
        files
            .put_photo(&sha256, bytes.clone())
            .await
            .expect("is stored again");
        assert_eq!(
            key,
            format!("photos/{}/{}/{sha256}.jpg", &sha256[..2], &sha256[2..4])
        );
        assert_eq!(files_below(folder.path()).len(), 1);
        assert_eq!(files.get(&key).await.expect("is there"), bytes);
        let (length, pieces) = files.stream(&key).await.expect("is there");
        let pieces: Vec<Bytes> = pieces.try_collect().await.expect("streams");
        assert_eq!((length, pieces.concat()), (100_000, bytes.to_vec()));
    }

    #[tokio::test]
    async fn a_deleted_file_is_gone_and_deleting_it_again_is_no_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = PhotoFiles::open(folder.path()).expect("opens");
        files
            .put("screenshots/1/form.png", Bytes::from_static(b"png"))
            .await
            .expect("is stored");
        assert!(files.exists("screenshots/1/form.png").await.expect("answers"));

        files.delete("screenshots/1/form.png").await.expect("is deleted");
        files.delete("screenshots/1/form.png").await.expect("is deleted");
        assert!(!files.exists("screenshots/1/form.png").await.expect("answers"));
        assert!(matches!(
            files.get("screenshots/1/form.png").await,
            Err(Error::NotFound { .. })
        ));
    }

    #[tokio::test]
    async fn keys_that_lead_elsewhere_and_names_that_lie_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = PhotoFiles::open(folder.path()).expect("opens");
        for key in ["", "name", "../up/name", "a/../b", "/etc/passwd", "a//b", "a/./b"] {
            let refused = files.put(key, Bytes::from_static(b"x")).await;
            assert!(
                matches!(refused, Err(Error::BadKey { .. })),
                "{key:?}: {refused:?}"
            );
        }
        assert!(matches!(photo_key("../../etc"), Err(Error::BadKey { .. })));
        let lie = files
            .put_photo(&pipeline::sha256(b"this"), Bytes::from_static(b"that"))
            .await;
        assert!(matches!(lie, Err(Error::WrongHash { .. })));
        assert!(files_below(folder.path()).is_empty());
    }

    /// A file system of its own, too small for what is put there.
    struct SmallDisk(tempfile::TempDir);

    impl SmallDisk {
        fn mount() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let mount = Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=256k", "none"])
                .arg(folder.path())
                .status()
                .expect("mount runs");
            assert!(
                mount.success(),
                "this test mounts a small file system, which needs root"
            );
            Self(folder)
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let unmounted = Command::new("umount").arg(self.0.path()).status();
            assert!(
                unmounted.is_ok_and(|status| status.success()),
                "the small disk stays mounted"
            );
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_reported_as_such_and_leaves_nothing_half_stored() {
        let disk = SmallDisk::mount();
        let files = PhotoFiles::open(disk.0.path()).expect("opens");
        files
            .put("pages/1/text", Bytes::from_static(b"before"))
            .await
            .expect("is stored");
        let large = Bytes::from(vec![1; 1 << 20]);
        let sha256 = pipeline::sha256(&large);

        assert!(matches!(
            files.put_photo(&sha256, large.clone()).await,
            Err(Error::StorageFull)
        ));
        assert!(matches!(
            files.put("pages/1/text", large).await,
            Err(Error::StorageFull)
        ));
        assert!(
            !files
                .exists(&photo_key(&sha256).expect("a key"))
                .await
                .expect("answers")
        );
        assert_eq!(files.get("pages/1/text").await.expect("is there"), &b"before"[..]);
        assert_eq!(
            files_below(disk.0.path()).len(),
            1,
            "no half file is left beside it"
        );
        files
            .put("pages/2/text", Bytes::from(vec![2; 100_000]))
            .await
            .expect("there is room again");
    }
}
