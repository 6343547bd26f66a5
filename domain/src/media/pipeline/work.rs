//! Runs the processing of photos on separate threads, within one memory budget for the whole process.
//!
//! The threads do not belong to the async runtime, which would wait for them when the process ends. If the caller of
//! some work is cancelled, [`Stop`] ends the work; only then is its memory released.

use std::io::BufReader;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::shape::{self, Shape};
use super::{Error, Limits, Processed, process_until, sha256};
use crate::failpoints;
use crate::media::spool::Spooled;

/// The memory budget of all photos in processing, in bytes. A baseline JPEG of 64 megapixels fits.
pub const MEMORY: u64 = 160 << 20;
/// The memory budget of processed photos that are not stored yet, in bytes.
const FINISHED: u64 = 80 << 20;
/// The share of one processed photo in that budget, in bytes: the size of 2048 x 2048 pixels of noise.
const ONE_FINISHED: u64 = 4 << 20;
/// The memory that one permit of the budget stands for, in bytes.
const UNIT: u64 = 1 << 10;

static BUDGET: LazyLock<Arc<Semaphore>> = LazyLock::new(|| semaphore(MEMORY / UNIT));
static UNSTORED: LazyLock<Arc<Semaphore>> = LazyLock::new(|| semaphore(FINISHED / ONE_FINISHED));
static CORES: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| semaphore(std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)));

fn semaphore(permits: u64) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(
        usize::try_from(permits).unwrap_or(Semaphore::MAX_PERMITS),
    ))
}

async fn acquire(semaphore: &Arc<Semaphore>, permits: u64) -> OwnedSemaphorePermit {
    let permits = u32::try_from(permits).unwrap_or(u32::MAX);
    Arc::clone(semaphore)
        .acquire_many_owned(permits)
        .await
        .expect("the semaphore is never closed")
}

/// A flag that tells the work to stop. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Checks that the work may continue.
    ///
    /// # Errors
    /// [`Error::Stopped`] after the work was stopped.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Relaxed) && !failpoints::disables("stop") {
            return Err(Error::Stopped);
        }
        Ok(())
    }

    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Stops the work when its caller is cancelled.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// The bytes of a picture, in memory or in the spool.
#[derive(Clone, Debug)]
pub enum Source {
    Memory(Bytes),
    File(Spooled),
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

impl From<Spooled> for Source {
    fn from(file: Spooled) -> Self {
        Self::File(file)
    }
}

impl Source {
    /// Returns the length, in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.length(),
        }
    }

    /// Returns the hash of the bytes; see [`sha256`].
    pub fn sha256(&self) -> String {
        match self {
            Self::Memory(bytes) => sha256(bytes),
            Self::File(file) => file.sha256().to_owned(),
        }
    }

    async fn shape(&self) -> Result<Shape, Error> {
        match self {
            Self::Memory(bytes) => Shape::of(bytes),
            Self::File(file) => {
                let file = file.clone();
                let read =
                    tokio::task::spawn_blocking(move || Shape::read(&mut BufReader::new(file.reader())));
                read.await.unwrap_or_else(|stopped| {
                    Err(Error::Unreadable {
                        detail: stopped.to_string(),
                    })
                })
            }
        }
    }

    fn bytes(self) -> Result<Bytes, Error> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File(file) => file.read().map_err(|error| Error::Unreadable {
                detail: error.to_string(),
            }),
        }
    }
}

/// Runs [`super::process`] on a separate thread as soon as the memory budget and a core are free.
///
/// If the caller is cancelled, work that has started ends soon; only then is its memory released.
///
/// # Errors
/// As [`super::process`]. A panic of a decoder becomes [`Error::Corrupt`].
pub async fn process_off_thread(source: impl Into<Source>, limits: Limits) -> Result<Processed, Error> {
    let source = source.into();
    let length = source.length();
    shape::check_length(length, &limits)?;
    let needed = match source.shape().await {
        Ok(shape) => {
            shape.check(length, &limits)?;
            shape.memory(length, limits.max_side)
        }
        Err(error @ Error::Unreadable { .. }) => return Err(error),
        // The file is rejected before it is decoded. Processing the whole file finds the exact reason.
        Err(_) => length,
    };
    run(needed, move |stop| process_until(&source.bytes()?, &limits, stop))
        .await
        .unwrap_or_else(|| {
            Err(Error::Corrupt {
                detail: "it could not be decoded".to_owned(),
            })
        })
}

/// Runs work that needs `bytes` of memory on a separate thread. Returns `None` if it panics.
pub(crate) async fn run<T: Send + 'static>(
    bytes: u64,
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> Option<T> {
    let held = if failpoints::disables("budget") {
        None
    } else {
        let units = bytes.div_ceil(UNIT).min(MEMORY / UNIT);
        Some((acquire(&BUDGET, units).await, acquire(&CORES, 1).await))
    };
    let stop = Stop::default();
    let _stops = StopOnDrop(stop.clone());
    let (done, result) = oneshot::channel();
    let begun = std::thread::Builder::new()
        .name("photo".to_owned())
        .spawn(move || {
            let result = work(&stop);
            drop(held);
            // The caller may be gone.
            let _ = done.send(result);
        });
    if let Err(error) = begun {
        tracing::error!(%error, "the thread for a photo could not be started");
        return None;
    }
    result.await.ok()
}

/// Reserved memory for processed photos until they are stored.
#[derive(Debug)]
pub(crate) struct Room {
    _held: OwnedSemaphorePermit,
}

/// Waits until memory for this number of processed photos is free. Waiting calls are served in order, so small calls do
/// not overtake a large one.
pub(crate) async fn room(photos: usize) -> Room {
    let most = FINISHED / ONE_FINISHED;
    Room {
        _held: acquire(&UNSTORED, (photos as u64).min(most)).await,
    }
}
