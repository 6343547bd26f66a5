//! The URL of an endpoint. Receivers often put a secret into the query, so the query is sealed and shown as `***`.

use crate::keys::{Record, Sealed};
use crate::store::entities::webhook_endpoints::Model;
use crate::{Context, Error, Result, failpoints};

/// The text that replaces a query.
const HIDDEN: &str = "***";

/// Returns the URL with its query redacted.
pub(super) fn redacted(url: &str) -> String {
    match url.split_once('?').filter(|_| !failpoints::disables("queries")) {
        Some((base, _)) => format!("{base}?{HIDDEN}"),
        None => url.to_owned(),
    }
}

/// Returns the complete URL, with its query.
pub(super) fn open(context: &Context, row: &Model) -> Result<String> {
    let Some(sealed) = &row.sealed_query else {
        return Ok(row.url.clone());
    };
    let opened = context.keys.open(&record(&row.workspace_id, &row.id), sealed)?;
    let query = std::str::from_utf8(opened.expose())
        .map_err(|_| Error::Internal("a sealed query is not UTF-8".to_owned()))?;
    let base = row.url.split_once('?').map_or(row.url.as_str(), |(base, _)| base);
    Ok(format!("{base}?{query}"))
}

/// Sets the URL of an endpoint and seals its query.
pub(super) fn set(context: &Context, row: &mut Model, url: &str) -> Result<()> {
    row.sealed_query = match url.split_once('?').filter(|_| !failpoints::disables("queries")) {
        Some((_, query)) => {
            let record = record(&row.workspace_id, &row.id);
            Some(context.keys.seal(&record, query.as_bytes(), &*context.ids)?)
        }
        None => None,
    };
    row.url = redacted(url);
    Ok(())
}

/// Whether the query is stored unsealed, as in endpoints created before queries were sealed.
pub(super) fn is_unsealed(row: &Model) -> bool {
    row.sealed_query.is_none() && row.url.contains('?')
}

fn record<'a>(workspace_id: &'a str, endpoint_id: &'a str) -> Record<'a> {
    Record {
        purpose: Sealed::WebhookQuery,
        workspace_id,
        id: endpoint_id,
    }
}
