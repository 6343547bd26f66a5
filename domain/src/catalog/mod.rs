//! The catalogues of the sites, as last read per site and language.
//!
//! The database row is authoritative. Its in-memory index is valid while the row's `fetch_time` is unchanged. To add a
//! list, write a function in `browse` on top of `CatalogIndex`.

mod browse;
mod fields;
mod names;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, QuerySelect};
use vintedbot_marketplace::Language;
use vintedbot_marketplace::catalog::{Catalog, CatalogIndex};

use crate::accounts::{self, Account};
use crate::clock::Millis;
use crate::identity::Caller;
use crate::store::Store;
use crate::store::entities::catalogs;
use crate::{Context, Error, Reason, Result};

pub(crate) use browse::unknown;
pub use browse::{
    CategoryPlace, SizeChoice, category, colors, conditions, list_categories, package_sizes, search_brands,
    sizes,
};
pub use fields::{CategoryField, FieldOption, code, label};
pub(crate) use names::{NAME_MAX, anywhere, resolve};
pub use names::{NameKind, NameQuery, QUERIES_MAX, Resolution, resolve_names};

/// The delay after which a caller retries while the catalogue is being read.
const RETRY: Millis = 2_000;

/// The catalogues, loaded on first use. Cheap to clone.
#[derive(Clone, Default)]
pub struct Catalogs {
    indexed: Arc<Mutex<HashMap<(String, Language), Indexed>>>,
}

#[derive(Clone)]
struct Indexed {
    fetch_time: Millis,
    index: Arc<CatalogIndex>,
}

impl Catalogs {
    /// Returns the catalogue of a site in a language.
    ///
    /// # Errors
    /// CATALOG_NOT_READY until it has been read for the first time.
    pub async fn get(&self, store: &Store, site: &str, language: Language) -> Result<Arc<CatalogIndex>> {
        let key = (site.to_owned(), language.code().to_owned());
        let row = catalogs::Entity::find_by_id(key.clone());
        let fetch_time: Option<Millis> = row
            .clone()
            .select_only()
            .column(catalogs::Column::FetchTime)
            .into_tuple()
            .one(store.reader())
            .await?;
        let fetch_time = fetch_time.ok_or_else(|| not_ready(site, language))?;
        let known = self.lock().get(&(site.to_owned(), language)).cloned();
        if let Some(known) = known.filter(|known| known.fetch_time == fetch_time) {
            return Ok(known.index);
        }
        let row = row
            .one(store.reader())
            .await?
            .ok_or_else(|| not_ready(site, language))?;
        let (fetch_time, body) = (row.fetch_time, row.body);
        // A real catalogue has thousands of categories, so indexing must not block the runtime.
        let index = tokio::task::spawn_blocking(move || serde_json::from_str(&body).map(CatalogIndex::new))
            .await
            .map_err(|error| {
                Error::Internal(format!("the task that indexes a catalogue failed: {error}"))
            })??;
        let index = Arc::new(index);
        self.lock().insert(
            (site.to_owned(), language),
            Indexed {
                fetch_time,
                index: Arc::clone(&index),
            },
        );
        Ok(index)
    }

    /// Stores the catalogue of a site and language; replaces the previous one.
    pub async fn save(&self, store: &Store, site: &str, catalog: Catalog) -> Result<()> {
        let language = catalog.language;
        let body = Arc::new(serde_json::to_string(&catalog)?);
        let key = site.to_owned();
        store
            .write(move |tx| {
                let (site, body) = (key.clone(), Arc::clone(&body));
                async move {
                    let row = catalogs::ActiveModel {
                        site: Set(site),
                        language: Set(language.code().to_owned()),
                        body: Set(body.to_string()),
                        fetch_time: Set(tx.now().await?),
                    };
                    let key = [catalogs::Column::Site, catalogs::Column::Language];
                    let newer = [catalogs::Column::Body, catalogs::Column::FetchTime];
                    catalogs::Entity::insert(row)
                        .on_conflict(OnConflict::columns(key).update_columns(newer).to_owned())
                        .exec_without_returning(tx)
                        .await?;
                    Ok(())
                }
                .boxed()
            })
            .await?;
        // Two readings within the same millisecond have the same `fetch_time`.
        self.lock().remove(&(site.to_owned(), language));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, Language), Indexed>> {
        self.indexed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_ready(site: &str, language: Language) -> Error {
    let message = format!(
        "the catalogue of {site} in language {:?} has not been read yet",
        language.code()
    );
    Error::rejected(Reason::CatalogNotReady, message).retry_after(RETRY)
}

/// Returns the catalogue for an account's site and language.
pub async fn of_account(context: &Context, account: &Account) -> Result<Arc<CatalogIndex>> {
    context
        .catalogs
        .get(&context.store, &account.site, account.language)
        .await
}

/// Returns the caller's account and its catalogue.
async fn seen_by(
    context: &Context,
    caller: &Caller,
    account_id: &str,
) -> Result<(Account, Arc<CatalogIndex>)> {
    let account = accounts::get(context, caller, account_id).await?;
    let index = of_account(context, &account).await?;
    Ok((account, index))
}
