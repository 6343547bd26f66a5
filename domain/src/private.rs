//! Restricts files and folders of the instance to the user that runs the process.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::failpoints;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The permission bits of group and others.
const OTHERS_MASK: u32 = 0o077;
/// The sticky bit, which folders that several users write to have, such as `/tmp`.
const STICKY: u32 = 0o1000;

/// Creates a folder with mode 0700, or sets an existing folder to that mode.
///
/// # Errors
/// The mode cannot be set, or all users of the machine share the folder. The text says what to do.
pub fn folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)?;
    // The root of a mounted disk can have the sticky bit too. It is accepted while it is empty.
    if mode(path)? & STICKY != 0 && std::fs::read_dir(path)?.next().is_some() {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            "all users of this machine share the folder; choose a folder inside it that does not exist yet",
        ));
    }
    restrict(path, FOLDER_MODE, "; or choose a folder that does not exist yet")
}

/// Creates an empty file with mode 0600, or opens an existing file and sets it to that mode.
///
/// # Errors
/// The file cannot be opened for writing, or its mode cannot be set. The text says what to do.
pub fn file(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(FILE_MODE)
        .open(path)?;
    existing_file(path)?;
    Ok(file)
}

/// Sets a file to mode 0600. Does nothing if the file does not exist.
///
/// # Errors
/// The mode cannot be set. The text says what to do.
pub fn existing_file(path: &Path) -> Result<()> {
    match restrict(path, FILE_MODE, "") {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes the permissions of group and others. `alternative` ends the error text.
fn restrict(path: &Path, wanted: u32, alternative: &str) -> Result<()> {
    if mode(path)? & OTHERS_MASK == 0 || failpoints::disables("modes") {
        return Ok(());
    }
    let reason = match std::fs::set_permissions(path, Permissions::from_mode(wanted)) {
        // Some file systems accept a mode and ignore it, so the mode is read again.
        Ok(()) if mode(path)? & OTHERS_MASK == 0 => return Ok(()),
        Ok(()) => "the file system does not store modes".to_owned(),
        // Another process has removed the file in the meantime.
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(error),
        Err(error) => error.to_string(),
    };
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!(
            "other users of this machine have access (mode {:o}) and the mode cannot be changed: {reason}; run `chmod \
             {wanted:o} {}` as its owner{alternative}",
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

    fn permissions(path: &Path) -> u32 {
        mode(path).expect("it is there") & 0o777
    }

    #[test]
    fn folder_open_to_others_is_restricted() {
        let open = open_to_all();
        folder(open.path()).expect("it is ours");
        assert_eq!(permissions(open.path()), 0o700);
        let made = open.path().join("a/b");
        folder(&made).expect("is made");
        assert_eq!(permissions(&made), 0o700);
    }

    #[test]
    fn file_open_to_others_is_restricted_and_keeps_its_content() {
        let open = open_to_all();
        let path = open.path().join("secret");
        std::fs::write(&path, "content").expect("is written");
        set(&path, 0o644);
        drop(file(&path).expect("it is ours"));
        assert_eq!(permissions(&path), 0o600);
        assert_eq!(std::fs::read_to_string(&path).expect("is read"), "content");
        existing_file(&open.path().join("missing")).expect("there is nothing to close");
    }

    #[test]
    fn folder_shared_by_all_users_is_refused_unchanged() {
        let open = open_to_all();
        set(open.path(), 0o1777);
        folder(open.path()).expect("it is empty");
        assert_eq!(permissions(open.path()), 0o700);
        std::fs::write(open.path().join("of another"), "").expect("is written");
        set(open.path(), 0o1777);
        let refused = folder(open.path()).expect_err("it is shared");
        assert!(refused.to_string().contains("folder inside it"), "{refused}");
        assert_eq!(permissions(open.path()), 0o777);
    }

    // Linux refuses to change the mode of a folder in /proc, to root too.
    #[cfg(target_os = "linux")]
    #[test]
    fn folder_that_cannot_be_restricted_is_refused_with_advice() {
        let refused = folder(Path::new("/proc/self")).expect_err("its mode is fixed");
        assert!(refused.to_string().contains("chmod 700 /proc/self"), "{refused}");
    }
}
