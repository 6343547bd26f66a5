//! Closes files and folders of the instance to other users of the machine.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::failpoints;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// The rights of group and others.
const OF_OTHERS: u32 = 0o077;
/// Marks a folder that several users write to, such as `/tmp`.
const STICKY: u32 = 0o1000;

/// Makes a folder with mode 0700, or sets an existing one to that mode.
///
/// # Errors
/// The mode cannot be set, or the folder is one that all users of the machine share. The text says what to do.
pub fn folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)?;
    // A mounted disk may have that mode too, and is ours while nothing is on it.
    if mode(path)? & STICKY != 0 && std::fs::read_dir(path)?.next().is_some() {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            "all users of this machine share it; name a folder inside it that does not exist yet",
        ));
    }
    close(path, FOLDER, "; or name a folder that does not exist yet")
}

/// Makes an empty file with mode 0600, or opens an existing one and sets it to that mode.
///
/// # Errors
/// It cannot be opened for writing, or its mode cannot be set. The text says what to do.
pub fn file(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(FILE)
        .open(path)?;
    existing_file(path)?;
    Ok(file)
}

/// Sets a file to mode 0600, if there is one.
///
/// # Errors
/// The mode cannot be set. The text says what to do.
pub fn existing_file(path: &Path) -> Result<()> {
    match close(path, FILE, "") {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        closed => closed,
    }
}

/// Some file systems accept a mode and ignore it, so the mode is read again.
fn close(path: &Path, wanted: u32, otherwise: &str) -> Result<()> {
    if mode(path)? & OF_OTHERS == 0 || failpoints::disables("modes") {
        return Ok(());
    }
    let reason = match std::fs::set_permissions(path, Permissions::from_mode(wanted)) {
        Ok(()) if mode(path)? & OF_OTHERS == 0 => return Ok(()),
        Ok(()) => "the file system keeps no modes".to_owned(),
        // Another process has removed it meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(error),
        Err(error) => error.to_string(),
    };
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!(
            "other users of this machine have rights to it (mode {:o}), and that cannot be changed: {reason}; let its owner run \
             `chmod {wanted:o} {}`{otherwise}",
            mode(path)? & 0o777,
            path.display()
        ),
    ))
}

fn mode(path: &Path) -> Result<u32> {
    Ok(std::fs::metadata(path)?.permissions().mode())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_to_all() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        set(folder.path(), 0o755);
        folder
    }

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    }

    fn is(path: &Path) -> u32 {
        mode(path).expect("it is there") & 0o777
    }

    #[test]
    fn folder_open_to_others_is_closed() {
        let open = open_to_all();
        folder(open.path()).expect("it is ours");
        assert_eq!(is(open.path()), 0o700);
        let made = open.path().join("a/b");
        folder(&made).expect("is made");
        assert_eq!(is(&made), 0o700);
    }

    #[test]
    fn file_open_to_others_is_closed_and_keeps_its_content() {
        let open = open_to_all();
        let path = open.path().join("secret");
        std::fs::write(&path, "content").expect("is written");
        set(&path, 0o644);
        drop(file(&path).expect("it is ours"));
        assert_eq!(is(&path), 0o600);
        assert_eq!(std::fs::read_to_string(&path).expect("is read"), "content");
        existing_file(&open.path().join("missing")).expect("there is nothing to close");
    }

    #[test]
    fn folder_shared_by_all_users_is_refused_unchanged() {
        let open = open_to_all();
        set(open.path(), 0o1777);
        folder(open.path()).expect("it is empty");
        assert_eq!(is(open.path()), 0o700);
        std::fs::write(open.path().join("of another"), "").expect("is written");
        set(open.path(), 0o1777);
        let refused = folder(open.path()).expect_err("it is shared");
        assert!(refused.to_string().contains("folder inside it"), "{refused}");
        assert_eq!(is(open.path()), 0o777);
    }

    // Linux refuses to change the mode of a folder in /proc, to root too.
    #[cfg(target_os = "linux")]
    #[test]
    fn folder_that_cannot_be_closed_is_refused_with_advice() {
        let refused = folder(Path::new("/proc/self")).expect_err("its mode is fixed");
        assert!(refused.to_string().contains("chmod 700 /proc/self"), "{refused}");
    }
}
