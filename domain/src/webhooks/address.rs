//! The address of an endpoint. What comes after its question mark is often a secret, as receivers hand them out: it is sealed,
//! and shown as `***`.

use crate::keys::{Record, Sealed};
use crate::store::entities::webhook_endpoints::Model;
use crate::{Domain, Error, Result, failpoints};

/// What is shown instead of a query.
const HIDDEN: &str = "***";

/// An address without its query.
pub(super) fn shown(url: &str) -> String {
    match url.split_once('?').filter(|_| !failpoints::disables("queries")) {
        Some((place, _)) => format!("{place}?{HIDDEN}"),
        None => url.to_owned(),
    }
}

/// The whole address that events are sent to.
pub(super) fn open(domain: &Domain, row: &Model) -> Result<String> {
    let Some(sealed) = &row.sealed_query else {
        return Ok(row.url.clone());
    };
    let opened = domain.keys.open(&record(&row.owner_id, &row.id), sealed)?;
    let query = std::str::from_utf8(opened.expose())
        .map_err(|_| Error::Internal("a sealed query is no text".to_owned()))?;
    let place = row
        .url
        .split_once('?')
        .map_or(row.url.as_str(), |(place, _)| place);
    Ok(format!("{place}?{query}"))
}

/// Leads an endpoint to an address.
pub(super) fn set(domain: &Domain, row: &mut Model, url: &str) -> Result<()> {
    row.sealed_query = match url.split_once('?').filter(|_| !failpoints::disables("queries")) {
        Some((_, query)) => {
            let record = record(&row.owner_id, &row.id);
            Some(domain.keys.seal(&record, query.as_bytes(), &*domain.ids)?)
        }
        None => None,
    };
    row.url = shown(url);
    Ok(())
}

/// Whether an endpoint from before addresses were sealed still has its query in clear.
pub(super) fn is_clear(row: &Model) -> bool {
    row.sealed_query.is_none() && row.url.contains('?')
}

fn record<'a>(owner_id: &'a str, endpoint_id: &'a str) -> Record<'a> {
    Record {
        purpose: Sealed::WebhookQuery,
        owner_id,
        id: endpoint_id,
    }
}
