//! `RotateSecret`.

use futures::FutureExt;

use super::CreatedEndpoint;
use super::manage::{get, load, own_secret, save};
use super::secret::{Secret, Secrets};
use crate::clock::Millis;
use crate::events::Kind;
use crate::identity::Caller;
use crate::keys::sha256_hex;
use crate::{Domain, Error, Result, Violation, requests};

/// How long an old secret signs too where nobody says otherwise, and at most.
const OVERLAP: Millis = 24 * 3_600_000;
const OVERLAP_MAX: Millis = 7 * OVERLAP;

const ROTATE: &str = "RotateSecret";

/// A new secret for an endpoint.
#[derive(Clone, Debug)]
pub struct Rotate {
    pub id: String,
    pub secret: Option<String>,
    pub old_secret_expire_time: Option<Millis>,
    pub request_id: Option<String>,
}

/// Gives an endpoint a new secret; those of before sign too until their time.
///
/// # Errors
/// Violations for a secret or a time that is not as it must be, and where four secrets sign already.
pub async fn rotate_secret(domain: &Domain, caller: &Caller, rotate: Rotate) -> Result<CreatedEndpoint> {
    let now = domain.store.now().await?;
    let mut violations = Vec::new();
    let given = own_secret(rotate.secret.as_deref(), &mut violations);
    let until = rotate.old_secret_expire_time.unwrap_or(now + OVERLAP);
    if until < now - OVERLAP || until > now + OVERLAP_MAX {
        violations.push(Violation::new(
            "old_secret_expire_time",
            "must lie within 7 days from now",
        ));
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let secret = given.unwrap_or_else(|| Secret::generate(domain));
    let parameters = (
        rotate.id.clone(),
        rotate.secret.map(sha256_hex),
        rotate.old_secret_expire_time,
    );
    let (inner, owner_id, new, request_id) = (
        domain.clone(),
        caller.owner_id.clone(),
        secret.clone(),
        rotate.request_id,
    );
    let is_new = domain
        .store
        .write(move |tx| {
            let (domain, owner_id, secret) = (inner.clone(), owner_id.clone(), new.clone());
            let (parameters, request_id) = (parameters.clone(), request_id.clone());
            async move {
                let (id, request_id) = (parameters.0.as_str(), request_id.as_deref());
                if requests::check(tx, &owner_id, request_id, ROTATE, &parameters)
                    .await?
                    .is_some()
                {
                    return Ok(false);
                }
                let mut row = load(tx, &owner_id, id).await?;
                let mut secrets = Secrets::open(&domain, &owner_id, id, &row.secrets)?;
                secrets.rotate(&secret, now, until)?;
                row.secrets = secrets.seal(&domain, &owner_id, id)?;
                row.old_secret_expire_time = secrets.old_expire_time();
                save(tx, row, Kind::WebhookEndpointUpdated).await?;
                requests::remember(tx, &owner_id, request_id, ROTATE, &parameters, id).await?;
                Ok(true)
            }
            .boxed()
        })
        .await?;
    Ok(CreatedEndpoint {
        endpoint: get(domain, caller, &rotate.id).await?,
        secret: is_new.then_some(secret),
    })
}
