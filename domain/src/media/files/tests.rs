use std::path::Path as FsPath;
use std::process::Command;
use std::sync::Arc;

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
async fn photo_is_stored_by_hash_and_read_whole_or_in_ranges() {
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
async fn repeated_deletion_of_a_file_is_no_error() {
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
async fn path_traversal_keys_and_wrong_hashes_are_refused() {
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

/// A mounted file system that is too small for the files of the test.
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
async fn full_disk_is_reported_and_leaves_no_partial_file() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn file_is_stored_while_its_folder_becomes_empty() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Arc::new(PhotoFiles::open(folder.path()).expect("opens"));
    let writers = (0..4).map(|number| {
        let files = Arc::clone(&files);
        tokio::spawn(async move {
            let key = format!("photos/ab/{number}.jpg");
            for _ in 0..300 {
                files
                    .put(&key, Bytes::from_static(b"bytes"))
                    .await
                    .expect("is stored");
                files.delete(&key).await.expect("is deleted");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("ends");
    }
}
