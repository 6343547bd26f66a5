//! `RotateSecret`.

use futures::FutureExt;

use super::CreatedEndpoint;
use super::manage::{get, load, parse_secret, save};
use super::secret::{Secret, Secrets};
use crate::clock::Millis;
use crate::events::Kind;
use crate::identity::Caller;
use crate::keys::sha256_hex;
use crate::{Context, Error, Result, Violation, requests};

/// The default time for which the previous secret also signs, in milliseconds.
const OVERLAP: Millis = 24 * 3_600_000;
/// The maximum of that time.
const OVERLAP_MAX: Millis = 7 * OVERLAP;

const ROTATE: &str = "RotateSecret";

/// The parameters of `RotateSecret`.
#[derive(Clone, Debug)]
pub struct Rotate {
    pub id: String,
    pub secret: Option<String>,
    pub old_secret_expire_time: Option<Millis>,
    pub request_id: Option<String>,
}

/// Adds a new secret to an endpoint. Earlier secrets also sign until they expire.
///
/// # Errors
/// Violations for an invalid secret or expiry, or if four secrets sign already; NOT_FOUND.
pub async fn rotate_secret(context: &Context, caller: &Caller, rotate: Rotate) -> Result<CreatedEndpoint> {
    let now = context.store.now().await?;
    let mut violations = Vec::new();
    let given = parse_secret(rotate.secret.as_deref(), &mut violations);
    let until = rotate.old_secret_expire_time.unwrap_or(now + OVERLAP);
    if until < now - OVERLAP || until > now + OVERLAP_MAX {
        violations.push(Violation::new(
            "old_secret_expire_time",
            "must be at most 1 day ago and at most 7 days from now",
        ));
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let secret = given.unwrap_or_else(|| Secret::generate(context));
    let parameters = (
        rotate.id.clone(),
        rotate.secret.map(sha256_hex),
        rotate.old_secret_expire_time,
    );
    let (inner, workspace_id, new, request_id) = (
        context.clone(),
        caller.workspace_id.clone(),
        secret.clone(),
        rotate.request_id,
    );
    let is_new = context
        .store
        .write(move |tx| {
            let (context, workspace_id, secret) = (inner.clone(), workspace_id.clone(), new.clone());
            let (parameters, request_id) = (parameters.clone(), request_id.clone());
            async move {
                let (id, request_id) = (parameters.0.as_str(), request_id.as_deref());
                if requests::check(tx, &workspace_id, request_id, ROTATE, &parameters)
                    .await?
                    .is_some()
                {
                    return Ok(false);
                }
                let mut row = load(tx, &workspace_id, id).await?;
                let mut secrets = Secrets::open(&context, &workspace_id, id, &row.secrets)?;
                secrets.rotate(&secret, now, until)?;
                row.secrets = secrets.seal(&context, &workspace_id, id)?;
                row.old_secret_expire_time = secrets.old_expire_time();
                save(tx, row, Kind::WebhookEndpointUpdated).await?;
                requests::remember(tx, &workspace_id, request_id, ROTATE, &parameters, id).await?;
                Ok(true)
            }
            .boxed()
        })
        .await?;
    Ok(CreatedEndpoint {
        endpoint: get(context, caller, &rotate.id).await?,
        secret: is_new.then_some(secret),
    })
}
