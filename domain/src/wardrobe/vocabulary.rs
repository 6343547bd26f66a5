//! What the site calls its choices, where its catalogue has been read.

use std::sync::Arc;

use vintedbot_marketplace::Language;
use vintedbot_marketplace::catalog::CatalogIndex;

use super::Words;
use crate::Domain;

/// [`Words`] that are kept for a while.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    index: Option<Arc<CatalogIndex>>,
    language: Language,
}

impl Vocabulary {
    /// Of a site in a language. Where what it offers was not read, the site's own names are all there is.
    pub async fn of(domain: &Domain, site: &str, language: Language) -> Self {
        Self {
            index: domain.catalogs.get(&domain.store, site, language).await.ok(),
            language,
        }
    }

    pub fn as_words(&self) -> Words<'_> {
        Words {
            index: self.index.as_deref(),
            language: self.language,
        }
    }
}
