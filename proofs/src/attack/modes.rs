//! H: file access by other users of the machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Result;

use super::Verdict;
use super::stage::Stage;
use crate::instance::Browser;

/// Starts an instance on a data folder with mode 0755.
pub async fn open_folder(stage: &Stage) -> Result<Verdict> {
    let mut instance = stage.own_instance("open", Browser::Off, &[])?;
    let folder = stage.folder.join("open");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
    instance.start().await?;
    let mut open = Vec::new();
    find_open(&folder, &mut open)?;
    stage.stop(instance).await?;
    Ok(Verdict::unless(open.is_empty(), || {
        format!("other users can read {}", open.join(", "))
    }))
}

/// Collects the files that other users can reach, starting at the folder.
fn find_open(path: &Path, open: &mut Vec<String>) -> Result<()> {
    if std::fs::metadata(path)?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    if !path.is_dir() {
        open.push(path.display().to_string());
        return Ok(());
    }
    open.push(path.display().to_string());
    for entry in std::fs::read_dir(path)? {
        find_open(&entry?.path(), open)?;
    }
    Ok(())
}
