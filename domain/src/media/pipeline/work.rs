//! When and where photos are worked on: on threads of their own, within one budget of memory for the whole process.
//!
//! The threads are not the runtime's, which would wait for them when the process ends. Work whose caller is gone learns so
//! from its [`Stop`], ends, and only then gives its memory back.

use std::io::BufReader;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::shape::{self, Shape};
use super::{Error, Limits, Processed, process_until, sha256};
use crate::failpoints;
use crate::media::spool::Spooled;

/// What all photos that are worked on may take in memory together, in bytes. A baseline JPEG of 64 megapixels fits.
pub const MEMORY: u64 = 160 << 20;
/// What finished photos that are not stored yet may take together, in bytes.
const FINISHED: u64 = 80 << 20;
/// What one finished photo counts for, in bytes: 2048 x 2048 pixels of noise come to as much.
const ONE_FINISHED: u64 = 4 << 20;
/// What one permit stands for, in bytes.
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

/// Says to work that nobody wants its result any more. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
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

/// Stops the work when its caller goes away.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Where a picture's bytes are.
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
    /// In bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.length(),
        }
    }

    /// See [`sha256`].
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

/// [`super::process`], away from the async threads, when the process has the memory and a core for it.
///
/// When the caller goes away the work begun ends soon, and only then gives its memory back.
///
/// # Errors
/// As [`super::process`]; a decoder that panics counts as [`Error::Corrupt`].
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
        // It is refused before it is decoded. With the whole file the reason is found.
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

/// Does work that takes so many bytes of memory on a thread of its own; `None` when it panics.
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
        tracing::error!(%error, "no thread for a photo");
        return None;
    }
    result.await.ok()
}

/// Room for photos between the end of the work and their place in the store.
#[derive(Debug)]
pub(crate) struct Room {
    _held: OwnedSemaphorePermit,
}

/// Waits for room for so many finished photos. Those who wait come in turn, so that a large call is not passed over.
pub(crate) async fn room(photos: usize) -> Room {
    let most = FINISHED / ONE_FINISHED;
    Room {
        _held: acquire(&UNSTORED, (photos as u64).min(most)).await,
    }
}
