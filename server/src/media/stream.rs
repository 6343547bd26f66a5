//! `UploadPhotos`: photos from a stream of parts. The parts are spooled on disk. When the stream has ended
//! successfully, all photos are stored or none.

use bytes::Bytes;
use tonic::{Code, Request, Response, Status, Streaming};
use vintedbot_domain::events::Ephemeral;
use vintedbot_domain::identity::Caller;
use vintedbot_domain::media::{self, SpooledPhoto};
use vintedbot_domain::{Error, Reason};
use vintedbot_proto::v1;
use vintedbot_proto::v1::ErrorReason;
use vintedbot_proto::v1::upload_photos_request::{Part, Start};

use super::pace::Pace;
use super::until_shutdown;
use crate::convert::{Fields, photo, saturating_i32};
use crate::errors::{self, Problem};
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

/// The maximum size of one stream, which is held on disk until its end.
const MAX_STREAM_BYTES: u64 = 256 * 1024 * 1024;

pub async fn upload(
    state: &ServerState,
    request: Request<Streaming<v1::UploadPhotosRequest>>,
) -> Result<Response<v1::UploadPhotosResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let mut parts = request.into_inner();
    let _slot = state.admission.upload(&caller.workspace_id).await?;
    let reading = read(state, &caller, &mut parts);
    let (photos, request_id) = tokio::select! {
        read = reading => read?,
        () = state.shutdown.cancelled() => return Err(Problem::shutting_down()),
    };
    let work = media::upload_many(&state.context, &caller, photos, request_id);
    let uploaded = until_shutdown(state, work).await?;
    let signer = Signer::new(&state.context, &call);
    let results = uploaded
        .into_iter()
        .map(|uploaded| photo::uploaded(&signer, uploaded))
        .collect();
    Ok(Response::new(v1::UploadPhotosResponse { results }))
}

async fn read(
    state: &ServerState,
    caller: &Caller,
    parts: &mut Streaming<v1::UploadPhotosRequest>,
) -> Result<(Vec<SpooledPhoto>, Option<String>), Problem> {
    let mut pace = Pace::begin(&state.config);
    let mut photos = Photos::new(state, caller).await?;
    loop {
        let message = pace.next(parts.message()).await?;
        match message.map_err(|status| broken(state, &status))? {
            None => return photos.end(),
            Some(v1::UploadPhotosRequest { part: Some(part) }) => {
                pace.came(length(&part))?;
                photos.take(part).await?;
            }
            Some(_) => return Err(malformed("a part is neither a start nor a chunk")),
        }
    }
}

fn length(part: &Part) -> usize {
    match part {
        Part::Start(start) => start.file_name.len(),
        Part::Chunk(chunk) => chunk.len(),
    }
}

fn broken(state: &ServerState, status: &Status) -> Problem {
    errors::explain(status, state.config.max_message_bytes)
}

fn malformed(message: &str) -> Problem {
    Problem::new(Code::InvalidArgument, ErrorReason::UploadMalformed, message)
}

/// The photos received so far.
struct Photos<'a> {
    state: &'a ServerState,
    caller: &'a Caller,
    request_id: Option<String>,
    done: Vec<SpooledPhoto>,
    /// The photo whose chunks are being received.
    current: Option<Start>,
    file: media::Incoming,
    total_bytes: u64,
}

impl<'a> Photos<'a> {
    async fn new(state: &'a ServerState, caller: &'a Caller) -> Result<Self, Problem> {
        Ok(Self {
            state,
            caller,
            request_id: None,
            done: Vec::new(),
            current: None,
            file: state.admission.spool.file().await.map_err(media::spool_error)?,
            total_bytes: 0,
        })
    }

    async fn take(&mut self, part: Part) -> Result<(), Problem> {
        match part {
            Part::Start(start) => self.start(start),
            Part::Chunk(chunk) => self.chunk(chunk).await,
        }
    }

    fn start(&mut self, start: Start) -> Result<(), Problem> {
        self.end_photo()?;
        let max_photos = self.state.context.limits.photos.max;
        if self.done.len() as i64 >= max_photos {
            let message =
                format!("a stream may contain at most {max_photos} photos, the maximum of a listing");
            return Err(Error::rejected(Reason::TooManyPhotos, message)
                .with("max_photos", max_photos.to_string())
                .into());
        }
        let limit = self.state.context.photo_limits.max_bytes;
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
        self.current = Some(start);
        Ok(())
    }

    async fn chunk(&mut self, chunk: Bytes) -> Result<(), Problem> {
        let limit = self.state.context.photo_limits.max_bytes;
        let Some(start) = &self.current else {
            return Err(malformed("a chunk came before any start"));
        };
        let length = self.file.length() + chunk.len() as u64;
        if start.size_bytes > 0 && length > start.size_bytes.unsigned_abs() {
            return Err(malformed("the photo is larger than its announced size"));
        }
        if length > limit {
            return Err(self.too_large(start, limit));
        }
        self.total_bytes += chunk.len() as u64;
        if self.total_bytes > MAX_STREAM_BYTES {
            let message = format!("a stream may contain at most {MAX_STREAM_BYTES} bytes");
            return Err(
                Problem::new(Code::ResourceExhausted, ErrorReason::MessageTooLarge, message)
                    .with("max_bytes", MAX_STREAM_BYTES.to_string()),
            );
        }
        self.file.write(chunk).await.map_err(media::spool_error)?;
        Ok(())
    }

    /// Ends the current photo and reports the progress to watchers.
    fn end_photo(&mut self) -> Result<(), Problem> {
        let Some(start) = self.current.take() else {
            return Ok(());
        };
        if start.size_bytes > 0 && self.file.length() < start.size_bytes.unsigned_abs() {
            return Err(malformed("the photo is smaller than its announced size"));
        }
        self.done.push(SpooledPhoto {
            picture: self.file.finish(),
            file_name: start.file_name,
        });
        let progress = Ephemeral::Photos {
            request_id: self.request_id.clone().unwrap_or_default(),
            done: 0,
            total: saturating_i32(self.done.len() as i64),
            file_name: String::new(),
        };
        self.state.context.feed.tell(&self.caller.workspace_id, progress);
        Ok(())
    }

    fn end(mut self) -> Result<(Vec<SpooledPhoto>, Option<String>), Problem> {
        self.end_photo()?;
        if self.done.is_empty() {
            return Err(malformed("the stream contains no photo"));
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
