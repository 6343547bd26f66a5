//! The content of a listing that has every field that the site requires.

use vintedbot_sdk::v1::ListingInput;
use vintedbot_sdk::{money, name};

/// Returns the content with this title and these photos.
#[must_use]
pub fn whole(title: &str, photo_ids: Vec<String>) -> ListingInput {
    ListingInput {
        title: title.to_owned(),
        description: "Porté deux fois, comme neuf.".to_owned(),
        price: Some(money(2_900, "EUR")),
        category: Some(name("Homme > Sweats")),
        brand: Some(name("Lacoste")),
        size: Some(name("M")),
        condition: Some(name("bon")),
        colors: vec![name("Gris")],
        package_size: Some(name("Petit")),
        photo_ids,
        ..Default::default()
    }
}
