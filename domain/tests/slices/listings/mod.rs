//! Listings: their input, and how they are stored.

mod given;
mod stored;

use vintedbot_domain::listings::{ListingInput, NameOrId};
use vintedbot_marketplace::{Money, Named};

fn name(text: &str) -> Option<NameOrId> {
    Some(NameOrId::Name(text.to_owned()))
}

fn euros(minor_units: i64) -> Option<Money> {
    Some(Money {
        minor_units,
        currency: String::new(),
    })
}

/// Returns the complete input for a sweatshirt without photos.
fn sweat() -> ListingInput {
    ListingInput {
        title: " Sweat Nike ".to_owned(),
        description: "Porté deux fois.".to_owned(),
        price: euros(2900),
        category: name("Homme > Sweats"),
        brand: name("nike"),
        size: name("M"),
        condition: name("bon"),
        colors: vec![NameOrId::Name("noir".to_owned()), NameOrId::Id(2)],
        materials: vec![NameOrId::Name("coton".to_owned())],
        package_size: name("petit"),
        photo_ids: Vec::new(),
    }
}

fn named(id: i64, name: &str) -> Named {
    Named {
        id,
        name: name.to_owned(),
    }
}
