//! The spool: incoming pictures are written to disk until they are complete, so slow or many uploads use no memory.
//!
//! A spool file has no name and is removed with its last handle, also if the process is killed. On a file system
//! without unnamed files, the file has a name for a moment. If the process is killed then, the next start removes the
//! file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::{failpoints, private};

/// The folder of the spool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: Arc<Path>,
}

impl Spool {
    /// Creates the folder, restricts it to the current user, and removes the files of earlier processes.
    ///
    /// # Errors
    /// The folder cannot be created, restricted or emptied.
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

    /// Creates a spool file, which can hold several pictures one after the other.
    ///
    /// # Errors
    /// The file cannot be created.
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

/// A spool file to which incoming pictures are written.
#[derive(Debug)]
pub struct Incoming {
    file: Arc<File>,
    /// The offset of the current picture, in bytes.
    start: u64,
    end: u64,
    hash: Sha256,
}

impl Incoming {
    /// Appends to the current picture.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.hash.update(&bytes);
        let (file, at) = (Arc::clone(&self.file), self.end);
        self.end += bytes.len() as u64;
        blocking(move || file.write_all_at(&bytes, at)).await
    }

    /// Returns the length of the current picture, in bytes.
    pub fn length(&self) -> u64 {
        self.end - self.start
    }

    /// Completes the current picture. Later writes start the next one.
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

/// A complete picture in the spool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spooled {
    file: Arc<File>,
    start: u64,
    length: u64,
    sha256: Arc<str>,
}

impl Spooled {
    /// Returns the length, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the SHA-256 hash of the uploaded bytes, 64 lower-case hexadecimal digits.
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

/// Reads a picture from its range of the file.
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
