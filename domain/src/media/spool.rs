//! Pictures that are coming: kept on disk until they are whole, so that slow or many uploads take no memory.
//!
//! A file has no name: it goes with its last handle, also when the process is killed. Where the file system cannot make one
//! without a name, it has one for a moment; what a kill leaves behind then is removed at the next start.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::{failpoints, private};

/// The folder in which pictures wait.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: Arc<Path>,
}

impl Spool {
    /// Makes the folder, closes it to other users of the machine, and removes what an earlier process left in it.
    ///
    /// # Errors
    /// It cannot be made, closed or emptied.
    pub fn open(folder: &Path) -> io::Result<Self> {
        private::folder(folder)?;
        for entry in std::fs::read_dir(folder)? {
            if failpoints::disables("spool") {
                break;
            }
            match std::fs::remove_file(entry?.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(Self {
            folder: folder.into(),
        })
    }

    /// Begins a file, which can hold several pictures one after the other.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn file(&self) -> io::Result<Incoming> {
        let folder = Arc::clone(&self.folder);
        let file = blocking(move || tempfile::tempfile_in(&*folder)).await?;
        Ok(Incoming {
            file: Arc::new(file),
            start: 0,
            end: 0,
            hash: Sha256::new(),
        })
    }
}

/// A file to which pictures are written as they come.
#[derive(Debug)]
pub struct Incoming {
    file: Arc<File>,
    /// Where the current picture begins, in bytes.
    start: u64,
    end: u64,
    hash: Sha256,
}

impl Incoming {
    /// Adds to the current picture.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.hash.update(&bytes);
        let (file, at) = (Arc::clone(&self.file), self.end);
        self.end += bytes.len() as u64;
        blocking(move || file.write_all_at(&bytes, at)).await
    }

    /// Bytes of the current picture.
    pub fn length(&self) -> u64 {
        self.end - self.start
    }

    /// Ends the current picture; the next one begins.
    pub fn finish(&mut self) -> Spooled {
        let hash = std::mem::take(&mut self.hash);
        let picture = Spooled {
            file: Arc::clone(&self.file),
            start: self.start,
            length: self.length(),
            sha256: super::pipeline::hex(&hash.finalize()).into(),
        };
        self.start = self.end;
        picture
    }
}

/// A whole picture in the spool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spooled {
    file: Arc<File>,
    start: u64,
    length: u64,
    sha256: Arc<str>,
}

impl Spooled {
    /// In bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Of the bytes as they came, 64 lower-case hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(super) fn read(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, self.start)?;
        Ok(bytes.into())
    }

    pub(super) fn reader(self) -> Reader {
        Reader { picture: self, at: 0 }
    }
}

/// Reads a picture from its place in the file.
pub(super) struct Reader {
    picture: Spooled,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.picture.length.saturating_sub(self.at);
        let length = into.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        let read = self
            .picture
            .file
            .read_at(&mut into[..length], self.picture.start + self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.picture.length.checked_add_signed(by),
        };
        self.at = to.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}
