//! Uploads of photos.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use vintedbot_proto::v1::UploadPhotosRequest;
use vintedbot_proto::v1::upload_photos_request::{Part, Start};

use crate::{Error, Result};

const CHUNK: usize = 64 * 1024;

/// A photo to upload: a file, or bytes.
#[derive(Clone, Debug)]
pub struct Upload {
    source: Source,
    file_name: String,
}

#[derive(Clone, Debug)]
enum Source {
    Bytes(Bytes),
    Path(PathBuf),
}

impl Upload {
    /// Takes a file, named by its file name without the folder.
    pub fn path(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Self {
            source: Source::Path(path.to_owned()),
            file_name: file_name.unwrap_or_default(),
        }
    }

    /// Takes bytes, without a name.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self {
            source: Source::Bytes(bytes.into()),
            file_name: String::new(),
        }
    }

    /// Sets another name; at most 255 characters.
    #[must_use]
    pub fn named(mut self, file_name: impl Into<String>) -> Self {
        self.file_name = file_name.into();
        self
    }

    /// Returns the name and the complete content.
    pub(crate) async fn read(self) -> Result<(String, Bytes)> {
        let bytes = match self.source {
            Source::Bytes(bytes) => bytes,
            Source::Path(path) => match tokio::fs::read(&path).await {
                Ok(bytes) => bytes.into(),
                Err(source) => return Err(Error::File { path, source }),
            },
        };
        Ok((self.file_name, bytes))
    }

    async fn size(&self) -> Result<u64> {
        match &self.source {
            Source::Bytes(bytes) => Ok(bytes.len() as u64),
            Source::Path(path) => match tokio::fs::metadata(path).await {
                Ok(metadata) => Ok(metadata.len()),
                Err(source) => Err(Error::File {
                    path: path.clone(),
                    source,
                }),
            },
        }
    }
}

impl<P: AsRef<Path>> From<P> for Upload {
    fn from(path: P) -> Self {
        Self::path(path)
    }
}

/// Photos with their announced sizes.
#[derive(Clone)]
pub struct Batch {
    photos: Arc<[(Upload, u64)]>,
    request_id: String,
}

/// The error of a file that could not be read completely, which ended the stream of parts.
#[derive(Clone, Default)]
pub struct Broken(Arc<Mutex<Option<Error>>>);

impl Broken {
    pub fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, path: &Path, source: io::Error) {
        let error = Error::File {
            path: path.to_owned(),
            source,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl Batch {
    /// Reads the sizes of all files before anything is sent.
    pub async fn open(uploads: impl IntoIterator<Item = Upload>, request_id: String) -> Result<Self> {
        let mut photos = Vec::new();
        for upload in uploads {
            let size = upload.size().await?;
            photos.push((upload, size));
        }
        Ok(Self {
            photos: photos.into(),
            request_id,
        })
    }

    /// Returns the parts to send. If a file ends early, its photo is shorter than announced and the server refuses the
    /// whole upload.
    pub fn parts(self, broken: Broken) -> impl Stream<Item = UploadPhotosRequest> + Send + 'static {
        async_stream::stream! {
            for (upload, size) in self.photos.iter() {
                yield part(Part::Start(Start {
                    file_name: upload.file_name.clone(),
                    size_bytes: i64::try_from(*size).unwrap_or(i64::MAX),
                    request_id: self.request_id.clone(),
                }));
                match &upload.source {
                    Source::Bytes(bytes) => {
                        for start in (0..bytes.len()).step_by(CHUNK) {
                            let end = bytes.len().min(start + CHUNK);
                            yield part(Part::Chunk(bytes.slice(start..end)));
                        }
                    }
                    Source::Path(path) => {
                        let mut file = match File::open(path).await {
                            Ok(file) => file.take(*size),
                            Err(error) => return broken.set(path, error),
                        };
                        while file.limit() > 0 {
                            match chunk(&mut file).await {
                                Ok(bytes) => yield part(Part::Chunk(bytes)),
                                Err(error) => return broken.set(path, error),
                            }
                        }
                    }
                }
            }
        }
    }
}

fn part(part: Part) -> UploadPhotosRequest {
    UploadPhotosRequest { part: Some(part) }
}

/// Returns the next bytes. The end of the file is an error.
async fn chunk(file: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut bytes = BytesMut::with_capacity(CHUNK);
    match file.read_buf(&mut bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(bytes.freeze()),
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn file_that_shrinks_ends_the_stream_early() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("photo.jpg");
        std::fs::write(&path, b"a whole picture").expect("it is written");
        let uploads = [Upload::path(&path), Upload::bytes(&b"another"[..])];
        let batch = Batch::open(uploads, "id".to_owned())
            .await
            .expect("both are there");
        std::fs::write(&path, b"half").expect("it is written");

        let broken = Broken::default();
        let parts: Vec<_> = batch.parts(broken.clone()).map(|part| part.part).collect().await;
        let [Some(Part::Start(start)), Some(Part::Chunk(bytes))] = parts.as_slice() else {
            panic!("{parts:?}");
        };
        assert_eq!((start.size_bytes, &bytes[..]), (15, &b"half"[..]));
        assert!(matches!(broken.take(), Some(Error::File { .. })));
    }
}
