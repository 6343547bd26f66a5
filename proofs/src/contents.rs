//! What a listing says that lacks nothing of what the site asks for.

use vintedbot_sdk::v1::ListingInput;
use vintedbot_sdk::{money, name};

/// All of it, under this title and with these photos.
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
