//! The unfinished attempts of this process. Only this list distinguishes a past attempt of this same process from a
//! running one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone, Default)]
pub(crate) struct Active {
    work_dirs: Arc<Mutex<HashSet<PathBuf>>>,
}

/// An entry in the list of unfinished attempts. Dropping it removes the entry.
pub(crate) struct Attempt {
    active: Active,
    work_dir: PathBuf,
}

impl Active {
    pub(crate) fn enter(&self, work_dir: &Path) -> Attempt {
        self.lock().insert(work_dir.to_path_buf());
        Attempt {
            active: self.clone(),
            work_dir: work_dir.to_path_buf(),
        }
    }

    pub(crate) fn contains(&self, work_dir: &Path) -> bool {
        self.lock().contains(work_dir)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.work_dirs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.active.lock().remove(&self.work_dir);
    }
}
