//! The names of a site's choices, if its catalogue has been read.

use std::sync::Arc;

use vintedbot_marketplace::Language;
use vintedbot_marketplace::catalog::CatalogIndex;

use super::Words;
use crate::Context;

/// The owned data of [`Words`].
#[derive(Clone, Debug)]
pub struct Vocabulary {
    index: Option<Arc<CatalogIndex>>,
    language: Language,
}

impl Vocabulary {
    /// Loads the catalogue of a site in a language. If it has not been read, only the names that items carry are
    /// available.
    pub async fn of(context: &Context, site: &str, language: Language) -> Self {
        Self {
            index: context.catalogs.get(&context.store, site, language).await.ok(),
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
