//! Processes the pictures of one call.

use std::sync::Arc;

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt as _};

use super::Arrived;
use crate::events::Ephemeral;
use crate::media::limit;
use crate::media::names::{base_name, check_name};
use crate::media::pipeline::work::{self, Room};
use crate::media::pipeline::{Processed, process_off_thread};
use crate::media::refusal::photo_error;
use crate::{Context, Error, Result};

/// Processed photos that are ready to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(super) photos: Arc<Vec<(Processed, String)>>,
    _room: Arc<Room>,
    /// The hashes and names of the uploaded pictures, as parameters of the idempotency key.
    pub parameters: Vec<(String, String)>,
}

/// Processes pictures concurrently and sends the progress to watchers.
pub(crate) async fn prepare(
    context: &Context,
    workspace_id: &str,
    new: Vec<Arrived>,
    request_id: Option<&str>,
) -> Result<Prepared> {
    // Checked before the work to save it, and again in the writing transaction, because other calls may store photos in
    // between.
    let now = context.store.now().await?;
    limit::check(context.store.reader(), context, workspace_id, now, new.len()).await?;
    let violations: Vec<_> = new
        .iter()
        .enumerate()
        .filter_map(|(at, p)| check_name(&format!("photos[{at}].file_name"), &p.file_name))
        .collect();
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let report = |done: usize, file_name: &str| {
        let count = |n| i32::try_from(n).unwrap_or(i32::MAX);
        context.feed.tell(
            workspace_id,
            Ephemeral::Photos {
                request_id: request_id.unwrap_or_default().to_owned(),
                done: count(done),
                total: count(new.len()),
                file_name: file_name.to_owned(),
            },
        );
    };
    report(0, "");
    let room = work::room(new.len()).await;
    let limits = *context.photo_limits;
    let mut running: FuturesUnordered<_> = new
        .iter()
        .enumerate()
        .map(|(at, photo)| process_off_thread(photo.source.clone(), limits).map(move |result| (at, result)))
        .collect();
    let mut processed: Vec<Option<Processed>> = vec![None; new.len()];
    let mut done = 0;
    while let Some((at, result)) = running.next().await {
        let name = base_name(&new[at].file_name);
        processed[at] = Some(result.map_err(|error| photo_error(error, at, &name))?);
        done += 1;
        report(done, &name);
    }
    drop(running);
    let names = new.iter().map(|photo| base_name(&photo.file_name));
    let parameters = new
        .iter()
        .map(|photo| (photo.source.sha256(), photo.file_name.clone()))
        .collect();
    Ok(Prepared {
        photos: Arc::new(processed.into_iter().flatten().zip(names).collect()),
        _room: Arc::new(room),
        parameters,
    })
}
