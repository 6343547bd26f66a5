//! Input for a listing: names, ids, photos, and all violations.

use vintedbot_domain::listings::{self, Listing, ListingInput, ListingState, NameOrId, NewListingFromPhotos};
use vintedbot_domain::media::{self, NewPhoto};
use vintedbot_domain::{Error, Reason};
use vintedbot_marketplace::catalog::ResolveError;
use vintedbot_marketplace::{Field, Money};

use super::{euros, name, named, sweat};
use crate::support::{World, page, picture, reason, request_id, violated};

#[tokio::test]
async fn names_become_ids_shown_in_the_accounts_language() {
    let (world, account) = World::with_account().await;
    let listing = world.listing(&account, sweat()).await;
    assert_eq!(
        (listing.title.as_str(), listing.state),
        ("Sweat Nike", ListingState::Draft)
    );
    assert_eq!(
        listing.price,
        Some(Money {
            minor_units: 2900,
            currency: "EUR".to_owned()
        })
    );
    assert_eq!(listing.category, Some(named(21, "Hommes > Sweats")));
    assert_eq!(listing.brand, Some(named(53, "Nike")));
    assert_eq!(listing.condition, Some(named(3, "Bon état")));
    assert_eq!(listing.colors, [named(1, "Noir"), named(2, "Bleu")]);
    assert_eq!(listing.materials, [named(44, "Coton")]);
    assert!(listing.sequence > 0);

    let event = world.events().await.pop().expect("an event");
    let logged: Listing = serde_json::from_str(&event.payload).expect("a listing");
    assert_eq!(logged, listing, "the event has the listing that a reader sees");
}

#[tokio::test]
async fn ambiguous_name_returns_its_candidates() {
    let (world, account) = World::with_account().await;
    let input = ListingInput {
        category: name("Sweats"),
        ..ListingInput::default()
    };
    let Err(Error::Name(ResolveError::Ambiguous {
        field, candidates, ..
    })) = world.try_listing(&account, input).await
    else {
        panic!("not ambiguous");
    };
    assert_eq!(field, Field::Category);
    assert_eq!(candidates.iter().map(|c| c.id).collect::<Vec<_>>(), [11, 21]);
    let unknown = ListingInput {
        brand: Some(NameOrId::Id(9)),
        ..ListingInput::default()
    };
    assert_eq!(
        reason(world.try_listing(&account, unknown).await),
        Some(Reason::NameUnknown)
    );
}

#[tokio::test]
async fn all_violations_of_a_new_listing_are_reported_at_once() {
    let (world, account) = World::with_account().await;
    let input = ListingInput {
        title: "X".repeat(101),
        description: "x".repeat(2001),
        price: Some(Money {
            minor_units: 99,
            currency: "EUR".to_owned(),
        }),
        category: name("Sweats"),
        size: name("M"),
        colors: vec![NameOrId::Id(1), NameOrId::Id(2), NameOrId::Id(3)],
        photo_ids: vec!["a".to_owned(), "a".to_owned()],
        ..ListingInput::default()
    };
    let mut fields = violated(world.try_listing(&account, input).await);
    fields.sort();
    let expected = [
        "listing.category",
        "listing.colors",
        "listing.description",
        "listing.photo_ids[1]",
        "listing.price",
        "listing.title",
        "listing.title",
    ];
    assert_eq!(fields, expected);
    let pounds = Some(Money {
        minor_units: 900,
        currency: "GBP".to_owned(),
    });
    let input = ListingInput {
        price: pounds,
        ..ListingInput::default()
    };
    assert_eq!(
        violated(world.try_listing(&account, input).await),
        ["listing.price"]
    );
}

#[tokio::test]
async fn excessive_list_of_names_is_one_violation() {
    let (world, account) = World::with_account().await;
    let input = ListingInput {
        colors: vec![NameOrId::Name("turquoise".to_owned()); 101],
        ..ListingInput::default()
    };
    assert_eq!(
        violated(world.try_listing(&account, input).await),
        ["listing.colors"]
    );
}

#[tokio::test]
async fn photos_must_be_of_the_workspace_and_within_the_limit() {
    let (world, account) = World::with_account().await;
    let stranger = world.stranger().await;
    let theirs = media::upload(&world.context, &stranger, picture(1), None)
        .await
        .expect("is stored")
        .photo;
    let mine = world.photo(2).await;
    let input = ListingInput {
        photo_ids: vec![mine.id.clone(), theirs.id],
        ..ListingInput::default()
    };
    assert_eq!(
        violated(world.try_listing(&account, input).await),
        ["listing.photo_ids[1]"]
    );
    let many = ListingInput {
        photo_ids: vec![mine.id; 21],
        ..ListingInput::default()
    };
    assert_eq!(
        reason(world.try_listing(&account, many).await),
        Some(Reason::TooManyPhotos)
    );
}

#[tokio::test]
async fn text_only_listing_needs_no_catalogue() {
    let world = World::new().await;
    let account = world.account("Shop").await;
    let sketch = ListingInput {
        title: "Sweat".to_owned(),
        price: euros(500),
        ..ListingInput::default()
    };
    let listing = world.listing(&account, sketch).await;
    assert_eq!(listing.category, None);
    assert_eq!(
        reason(world.try_listing(&account, sweat()).await),
        Some(Reason::CatalogNotReady)
    );
    let preview = listings::preview(&world.context, &world.caller, &listing.id).await;
    assert_eq!(reason(preview), Some(Reason::CatalogNotReady));
}

#[tokio::test]
async fn photos_and_listing_are_created_once_in_one_call() {
    let (world, account) = World::with_account().await;
    let old = world.photo(9).await;
    let new = NewListingFromPhotos {
        account_id: account.id.clone(),
        photos: vec![picture(1), picture(2), picture(1)],
        listing: ListingInput {
            photo_ids: vec![old.id.clone()],
            ..sweat()
        },
        request_id: request_id(),
    };
    let (listing, photos) = listings::create_from_photos(&world.context, &world.caller, new.clone())
        .await
        .expect("made");
    let ids: Vec<_> = photos.iter().map(|photo| photo.id.clone()).collect();
    assert_eq!(listing.photo_ids, [ids[0].clone(), ids[1].clone(), old.id]);
    assert_eq!(ids[2], ids[0], "the same picture is one photo");
    let again = listings::create_from_photos(&world.context, &world.caller, new.clone())
        .await
        .expect("found");
    assert_eq!((again.0, again.1), (listing, photos));
    let other = NewListingFromPhotos {
        photos: vec![picture(3)],
        ..new
    };
    let refused = listings::create_from_photos(&world.context, &world.caller, other).await;
    assert_eq!(reason(refused), Some(Reason::RequestIdReused));
}

#[tokio::test]
async fn refused_listing_stores_no_photos() {
    let (world, account) = World::with_account().await;
    let new = |photos: Vec<NewPhoto>, listing| NewListingFromPhotos {
        account_id: account.id.clone(),
        photos,
        listing,
        request_id: None,
    };
    let unknown = ListingInput {
        photo_ids: vec!["x".to_owned()],
        ..ListingInput::default()
    };
    let refused =
        listings::create_from_photos(&world.context, &world.caller, new(vec![picture(1)], unknown)).await;
    assert_eq!(violated(refused), ["listing.photo_ids[0]"]);
    let many = vec![picture(1); 21];
    let refused =
        listings::create_from_photos(&world.context, &world.caller, new(many, ListingInput::default())).await;
    assert_eq!(reason(refused), Some(Reason::TooManyPhotos));
    let refused = listings::create_from_photos(&world.context, &world.caller, new(vec![], sweat())).await;
    assert_eq!(violated(refused), ["photos"]);
    let photos = media::list(&world.context, &world.caller, None, &page(0, ""))
        .await
        .expect("a list");
    assert!(photos.items.is_empty());
}
