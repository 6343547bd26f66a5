//! `ConfirmPublish`.

use tonic::{Request, Response};
use vintedbot_domain::clock::Millis;
use vintedbot_domain::publishing::{self, Check, Confirm};
use vintedbot_domain::{Error, Reason};
use vintedbot_proto::v1;

use crate::convert::{Fields, publish_job};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn confirm(
    state: &ServerState,
    request: Request<v1::ConfirmPublishRequest>,
) -> Result<Response<v1::ConfirmPublishResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let confirm = read(request.into_inner())?;
    let dry_run = confirm.dry_run;
    let confirmed = publishing::confirm(&state.context, &caller, confirm).await?;
    let checks = if dry_run {
        dry_run_checks(confirmed.checks, state.context.clock.now())?
    } else {
        Vec::new()
    };
    let job = publish_job::to_proto(&Signer::new(&state.context, &call), confirmed.job);
    Ok(Response::new(v1::ConfirmPublishResponse {
        publish_job: Some(job),
        dry_run,
        checks,
    }))
}

/// Converts the checks of a dry run. An unusable confirm token fails the call, as without `dry_run`.
fn dry_run_checks(
    checks: Vec<Check>,
    now: Millis,
) -> Result<Vec<v1::confirm_publish_response::Check>, Problem> {
    let mut converted = Vec::with_capacity(checks.len());
    for check in checks {
        match check.refusal {
            Some(refusal) if is_about_the_token(&refusal) => return Err(refusal.into()),
            _ => converted.push(publish_job::check(check, now)),
        }
    }
    Ok(converted)
}

fn is_about_the_token(refusal: &Error) -> bool {
    matches!(
        refusal.reason(),
        Some(
            Reason::ConfirmationRequired
                | Reason::ConfirmationInvalid
                | Reason::ConfirmationUsed
                | Reason::ConfirmationStale
                | Reason::ConfirmationExpired
        )
    )
}

fn read(request: v1::ConfirmPublishRequest) -> Result<Confirm, Problem> {
    let mut fields = Fields::default();
    let confirm = Confirm {
        job_id: fields.id("job_id", request.job_id),
        token: request
            .confirmation
            .map(|confirmation| confirmation.confirm_token)
            .unwrap_or_default(),
        dry_run: request.dry_run.unwrap_or(true),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(confirm)
}
