//! `UploadPhotos`: photos from a stream of parts. Nothing is stored before the stream has ended as it should, and then all
//! of it or none.

use bytes::BytesMut;
use tonic::{Code, Request, Response, Status, Streaming};
use vintedbot_domain::events::Ephemeral;
use vintedbot_domain::identity::{Caller, Scope};
use vintedbot_domain::media::{self, NewPhoto};
use vintedbot_domain::{Error, Reason};
use vintedbot_proto::v1;
use vintedbot_proto::v1::ErrorReason;
use vintedbot_proto::v1::upload_photos_request::{Part, Start};

use crate::convert::{Fields, photo, small};
use crate::errors::{self, Problem};
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

/// What one stream may bring in all: it is held in memory until its end.
const MAX_STREAM_BYTES: usize = 256 * 1024 * 1024;

pub async fn upload(
    state: &ServerState,
    request: Request<Streaming<v1::UploadPhotosRequest>>,
) -> Result<Response<v1::UploadPhotosResponse>, Problem> {
    let caller = auth::caller(&request)?;
    caller.require(Scope::MediaWrite)?;
    let call = calls::call(&request);
    let mut parts = request.into_inner();
    let mut incoming = Incoming::new(state, &caller);
    while let Some(part) = next(state, &mut parts).await? {
        incoming.take(part)?;
    }
    let (photos, request_id) = incoming.end()?;
    let uploaded = media::upload_many(&state.domain, &caller, photos, request_id).await?;
    let signer = Signer::new(&state.domain, &call);
    let results = uploaded
        .into_iter()
        .map(|uploaded| photo::uploaded(&signer, uploaded))
        .collect();
    Ok(Response::new(v1::UploadPhotosResponse { results }))
}

async fn next(
    state: &ServerState,
    parts: &mut Streaming<v1::UploadPhotosRequest>,
) -> Result<Option<Part>, Problem> {
    let message = tokio::time::timeout(state.config.upload_idle_timeout, parts.message()).await;
    let message = message.map_err(|_| {
        Problem::new(
            Code::DeadlineExceeded,
            ErrorReason::DeadlineExceeded,
            "the stream stopped coming",
        )
    })?;
    match message.map_err(|status| broken(state, &status))? {
        None => Ok(None),
        Some(v1::UploadPhotosRequest { part: Some(part) }) => Ok(Some(part)),
        Some(_) => Err(malformed("a part is neither a start nor a chunk")),
    }
}

fn broken(state: &ServerState, status: &Status) -> Problem {
    errors::explain(status, state.config.max_upload_bytes)
}

fn malformed(message: &str) -> Problem {
    Problem::new(Code::InvalidArgument, ErrorReason::UploadMalformed, message)
}

/// The photos that have come so far.
struct Incoming<'a> {
    state: &'a ServerState,
    caller: &'a Caller,
    request_id: Option<String>,
    done: Vec<NewPhoto>,
    /// The photo whose chunks are coming.
    current: Option<(Start, BytesMut)>,
    total_bytes: usize,
}

impl<'a> Incoming<'a> {
    fn new(state: &'a ServerState, caller: &'a Caller) -> Self {
        Self {
            state,
            caller,
            request_id: None,
            done: Vec::new(),
            current: None,
            total_bytes: 0,
        }
    }

    fn take(&mut self, part: Part) -> Result<(), Problem> {
        match part {
            Part::Start(start) => self.start(start),
            Part::Chunk(chunk) => self.chunk(&chunk),
        }
    }

    fn start(&mut self, start: Start) -> Result<(), Problem> {
        self.end_photo()?;
        let max_photos = self.state.domain.limits.photos.max;
        if self.done.len() as i64 >= max_photos {
            let message =
                format!("a stream may bring at most {max_photos} photos, as many as a listing may have");
            return Err(Error::rejected(Reason::TooManyPhotos, message)
                .with("max_photos", max_photos.to_string())
                .into());
        }
        let limit = self.state.domain.photo_limits.max_bytes;
        match u64::try_from(start.size_bytes) {
            Err(_) => return Err(malformed("size_bytes is negative")),
            Ok(announced) if announced > limit => return Err(self.too_large(&start, limit)),
            Ok(_) => {}
        }
        if self.done.is_empty() {
            let mut fields = Fields::default();
            let request_id = fields.optional_id("start.request_id", start.request_id.clone());
            self.request_id = fields.done(request_id)?;
        }
        self.current = Some((start, BytesMut::new()));
        Ok(())
    }

    fn chunk(&mut self, chunk: &[u8]) -> Result<(), Problem> {
        let limit = self.state.domain.photo_limits.max_bytes;
        let Some((start, bytes)) = &mut self.current else {
            return Err(malformed("a chunk came before any start"));
        };
        let length = (bytes.len() + chunk.len()) as u64;
        if start.size_bytes > 0 && length > start.size_bytes.unsigned_abs() {
            return Err(malformed("more bytes came than were announced"));
        }
        if length > limit {
            let start = start.clone();
            return Err(self.too_large(&start, limit));
        }
        bytes.extend_from_slice(chunk);
        self.total_bytes += chunk.len();
        if self.total_bytes > MAX_STREAM_BYTES {
            let message = format!("a stream may bring at most {MAX_STREAM_BYTES} bytes");
            return Err(
                Problem::new(Code::ResourceExhausted, ErrorReason::MessageTooLarge, message)
                    .with("max_bytes", MAX_STREAM_BYTES.to_string()),
            );
        }
        Ok(())
    }

    /// Ends the photo whose chunks were coming, and tells whoever watches that one more is here.
    fn end_photo(&mut self) -> Result<(), Problem> {
        let Some((start, bytes)) = self.current.take() else {
            return Ok(());
        };
        if start.size_bytes > 0 && (bytes.len() as u64) < start.size_bytes.unsigned_abs() {
            return Err(malformed("fewer bytes came than were announced"));
        }
        self.done.push(NewPhoto {
            bytes: bytes.freeze(),
            file_name: start.file_name,
        });
        let progress = Ephemeral::Photos {
            request_id: self.request_id.clone().unwrap_or_default(),
            done: 0,
            total: small(self.done.len() as i64),
            file_name: String::new(),
        };
        self.state.domain.feed.tell(&self.caller.owner_id, progress);
        Ok(())
    }

    fn end(mut self) -> Result<(Vec<NewPhoto>, Option<String>), Problem> {
        self.end_photo()?;
        if self.done.is_empty() {
            return Err(malformed("the stream brought no photo"));
        }
        Ok((self.done, self.request_id))
    }

    fn too_large(&self, start: &Start, limit: u64) -> Problem {
        Error::rejected(
            Reason::PhotoTooLarge,
            format!("a photo may have at most {limit} bytes"),
        )
        .with("max_bytes", limit.to_string())
        .with("index", self.done.len().to_string())
        .with("file_name", &start.file_name)
        .into()
    }
}
