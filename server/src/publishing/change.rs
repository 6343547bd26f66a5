//! `PrepareChange`.

use tonic::{Request, Response};
use vintedbot_domain::publishing::{self, PrepareChange, Wanted};
use vintedbot_marketplace::limits::Limits;
use vintedbot_proto::v1;
use vintedbot_proto::v1::prepare_change_request::Change;

use crate::convert::{Fields, listing, publish_job};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn prepare(
    state: &ServerState,
    request: Request<v1::PrepareChangeRequest>,
) -> Result<Response<v1::PrepareChangeResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let prepare = read(&state.context.limits, request.into_inner())?;
    let job = publishing::prepare_change(&state.context, &caller, prepare).await?;
    let job = publish_job::to_proto(&Signer::new(&state.context, &call), job);
    Ok(Response::new(v1::PrepareChangeResponse {
        publish_job: Some(job),
    }))
}

fn read(limits: &Limits, request: v1::PrepareChangeRequest) -> Result<PrepareChange, Problem> {
    let mut fields = Fields::default();
    let listing_id = fields.id("listing_id", request.listing_id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let change = fields.required("change", request.change);
    let change = change.map(|change| wanted(&mut fields, limits, change));
    let prepare = change.map(|change| PrepareChange {
        listing_id,
        change,
        request_id,
    });
    fields.done_with(prepare)
}

fn wanted(fields: &mut Fields, limits: &Limits, change: Change) -> Wanted {
    match change {
        Change::Edit(edit) => {
            let input = fields.required("edit.listing", edit.listing).unwrap_or_default();
            Wanted::Edit {
                listing: Box::new(listing::input(fields, limits, input)),
                mask: fields.mask("edit.update_mask", edit.update_mask),
                overwrite_remote: edit.overwrite_remote,
            }
        }
        Change::Hide(_) => Wanted::Hide,
        Change::Unhide(_) => Wanted::Unhide,
        Change::Delete(_) => Wanted::Delete,
    }
}
