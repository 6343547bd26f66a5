//! What the site calls its choices, where its catalogue has been read.

use std::sync::Arc;

use vintedbot_domain::{Domain, wardrobe};
use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::{Language, Seat};

pub struct Words {
    index: Option<Arc<CatalogIndex>>,
    language: Language,
}

impl Words {
    pub async fn of(domain: &Domain, seat: &Seat) -> Self {
        Self {
            index: domain
                .catalogs
                .get(&domain.store, &seat.site, seat.language)
                .await
                .ok(),
            language: seat.language,
        }
    }

    pub fn as_words(&self) -> wardrobe::Words<'_> {
        wardrobe::Words {
            index: self.index.as_deref(),
            language: self.language,
        }
    }
}
