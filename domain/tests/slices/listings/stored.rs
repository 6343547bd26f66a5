//! Stored listings: updates, filters, previews, form content and workspace isolation.

use sea_orm::ConnectionTrait;
use vintedbot_domain::accounts::{Mode, SetMode};
use vintedbot_domain::listings::{self, Filter, ListingInput, ListingState, Update};
use vintedbot_domain::media::{self};
use vintedbot_domain::publishing::{self, Prepare};
use vintedbot_domain::{Error, Reason, accounts};
use vintedbot_marketplace::Field;

use super::{euros, name, named, sweat};
use crate::support::{World, page, reason, violated};

#[tokio::test]
async fn update_takes_present_or_masked_fields() {
    let (world, account) = World::with_account().await;
    let listing = world.listing(&account, sweat()).await;
    let update = async |update: Update| {
        listings::update(
            &world.context,
            &world.caller,
            Update {
                id: listing.id.clone(),
                ..update
            },
        )
        .await
    };
    // The listing already has a category, so the size can be resolved.
    let present = ListingInput {
        size: name("L"),
        price: euros(3000),
        ..ListingInput::default()
    };
    let changed = update(Update {
        listing: present,
        ..Update::default()
    })
    .await
    .expect("changes");
    assert_eq!(
        (changed.size, changed.title.as_str()),
        (Some(named(208, "L")), "Sweat Nike")
    );

    let mask = ["brand", "colors"].map(str::to_owned).to_vec();
    let input = ListingInput {
        title: "not taken".to_owned(),
        ..ListingInput::default()
    };
    let masked = Update {
        listing: input,
        mask,
        expected_sequence: Some(changed.sequence),
        ..Update::default()
    };
    let cleared = update(masked.clone()).await.expect("clears");
    assert_eq!(
        (
            cleared.brand.clone(),
            cleared.colors.len(),
            cleared.title.as_str()
        ),
        (None, 0, "Sweat Nike")
    );
    assert_eq!(
        update(masked).await.expect_err("it has moved on").reason(),
        Some(Reason::ResourceChanged)
    );

    let unknown = Update {
        mask: vec!["state".to_owned()],
        ..Update::default()
    };
    assert_eq!(violated(update(unknown).await), ["update_mask"]);
    let same = update(Update {
        listing: ListingInput {
            price: euros(3000),
            ..ListingInput::default()
        },
        ..Update::default()
    });
    assert_eq!(same.await.expect("is no change").sequence, cleared.sequence);

    let statement = format!(
        "UPDATE listings SET state = 'PUBLISHING' WHERE id = '{}'",
        listing.id
    );
    world
        .context
        .store
        .writer()
        .execute_unprepared(&statement)
        .await
        .expect("is written");
    let busy = update(Update {
        listing: sweat(),
        ..Update::default()
    })
    .await;
    assert_eq!(reason(busy), Some(Reason::PublishJobOpen));
}

#[tokio::test]
async fn filters_select_by_account_state_and_title() {
    let (world, account) = World::with_account().await;
    let other = world.account("Other").await;
    for (account, title) in [(&account, "ÉTÉ 100%"), (&account, "Hiver"), (&other, "été")] {
        world
            .listing(
                account,
                ListingInput {
                    title: title.to_owned(),
                    ..ListingInput::default()
                },
            )
            .await;
    }
    let count = async |filter: Filter| {
        listings::list(&world.context, &world.caller, &filter, &page(0, ""))
            .await
            .expect("a list")
            .items
            .len()
    };
    let titled = |text: &str| Filter {
        title_contains: text.to_owned(),
        ..Filter::default()
    };
    assert_eq!(count(Filter::default()).await, 3);
    assert_eq!(count(titled("Été")).await, 2);
    assert_eq!(count(titled("0%")).await, 1);
    assert_eq!(count(titled("_")).await, 0, "no character is a pattern");
    assert_eq!(
        count(Filter {
            account_id: other.id.clone(),
            ..titled("été")
        })
        .await,
        1
    );
    assert_eq!(
        count(Filter {
            states: vec![ListingState::Published],
            ..Filter::default()
        })
        .await,
        0
    );
    let states = vec![ListingState::Draft, ListingState::Publishing];
    assert_eq!(
        count(Filter {
            states,
            ..Filter::default()
        })
        .await,
        3
    );
    let long = listings::list(
        &world.context,
        &world.caller,
        &titled(&"x".repeat(101)),
        &page(0, ""),
    )
    .await;
    assert_eq!(violated(long), ["title_contains"]);
}

#[tokio::test]
async fn preview_shows_the_item_and_every_blocking_violation() {
    let (world, account) = World::with_account().await;
    let photo = world.photo(1).await;
    let input = ListingInput {
        photo_ids: vec![photo.id.clone()],
        size: None,
        ..sweat()
    };
    let listing = world.listing(&account, input).await;
    let preview = listings::preview(&world.context, &world.caller, &listing.id)
        .await
        .expect("a preview");
    assert_eq!(
        (preview.price_text.as_str(), preview.site.as_str()),
        ("29,00\u{a0}€", "practice")
    );
    assert_eq!(preview.photos, [photo]);
    let details: Vec<_> = preview
        .details
        .iter()
        .map(|d| (d.code, d.label, d.value.as_str()))
        .collect();
    assert!(details.contains(&("condition", "État", "Bon état")));
    assert!(details.contains(&("color", "Couleurs", "Noir, Bleu")));
    assert_eq!(
        preview.violations.iter().map(|v| v.field).collect::<Vec<_>>(),
        [Field::Size]
    );
}

#[tokio::test]
async fn content_is_complete_or_lists_every_missing_field() {
    let (world, account) = World::with_account().await;
    let empty = world.listing(&account, ListingInput::default()).await;
    let refused = listings::content_of(&world.context, &empty, &account).await;
    assert!(matches!(refused, Err(Error::Incomplete(_))));
    assert_eq!(
        violated(refused),
        ["photo_ids", "title", "description", "category", "price"]
    );

    let photos = [world.photo(2).await, world.photo(1).await];
    let photo_ids = photos.iter().map(|photo| photo.id.clone()).collect();
    let listing = world
        .listing(&account, ListingInput { photo_ids, ..sweat() })
        .await;
    let content = listings::content_of(&world.context, &listing, &account)
        .await
        .expect("is whole");
    assert_eq!(
        content.photo_sha256s,
        photos.map(|photo| photo.sha256),
        "in the listing's order"
    );
    let path: Vec<_> = content
        .category
        .path
        .iter()
        .map(|place| place.name.as_str())
        .collect();
    assert_eq!(path, ["Hommes", "Sweats"]);
    assert_eq!(content.size, Some(named(207, "M")));

    let update = Update {
        id: listing.id.clone(),
        listing: ListingInput {
            category: name("Livres"),
            ..ListingInput::default()
        },
        ..Update::default()
    };
    let moved = listings::update(&world.context, &world.caller, update)
        .await
        .expect("may be saved");
    let refused = listings::content_of(&world.context, &moved, &account).await;
    assert_eq!(
        violated(refused),
        ["brand", "size", "colors", "materials"],
        "a book has none of these"
    );
}

#[tokio::test]
async fn listing_names_its_publish_job_until_it_ends() {
    let (world, account) = World::with_account().await;
    let photo_ids = vec![world.photo(1).await.id];
    let listing = world
        .listing(&account, ListingInput { photo_ids, ..sweat() })
        .await;
    let prepare = Prepare {
        listing_id: listing.id.clone(),
        dry_run: true,
        manual_takeover: None,
        request_id: None,
    };
    let job = publishing::prepare(&world.context, &world.caller, prepare)
        .await
        .expect("is queued");
    let get = async || {
        listings::get(&world.context, &world.caller, &listing.id)
            .await
            .expect("is there")
    };
    assert_eq!(get().await.active_publish_job_id, Some(job.id.clone()));
    let refused = listings::delete(&world.context, &world.caller, &listing.id, None).await;
    assert_eq!(reason(refused), Some(Reason::PublishJobOpen));

    let set = SetMode {
        id: account.id,
        mode: Mode::Manual,
        automated_acknowledged: false,
        request_id: None,
        second_account_acknowledged: false,
    };
    let (_, cancelled) = accounts::set_mode(&world.context, &world.caller, set)
        .await
        .expect("changes");
    assert_eq!(cancelled, [job.id]);
    assert_eq!(get().await.active_publish_job_id, None);
}

#[tokio::test]
async fn listing_of_another_workspace_is_not_found() {
    let (world, account) = World::with_account().await;
    let listing = world.listing(&account, sweat()).await;
    let stranger = world.stranger().await;
    let (context, id) = (&world.context, &listing.id);
    assert_eq!(
        reason(listings::get(context, &stranger, id).await),
        Some(Reason::NotFound)
    );
    assert_eq!(
        reason(listings::delete(context, &stranger, id, None).await),
        Some(Reason::NotFound)
    );
    assert_eq!(
        reason(listings::preview(context, &stranger, id).await),
        Some(Reason::NotFound)
    );
    let update = Update {
        id: id.clone(),
        listing: sweat(),
        ..Update::default()
    };
    assert_eq!(
        reason(listings::update(context, &stranger, update).await),
        Some(Reason::NotFound)
    );
    let listed = listings::list(context, &stranger, &Filter::default(), &page(0, ""))
        .await
        .expect("a list");
    assert!(listed.items.is_empty());
    let new = listings::NewListing {
        account_id: account.id.clone(),
        listing: sweat(),
        request_id: None,
    };
    assert_eq!(
        reason(listings::create(context, &stranger, new).await),
        Some(Reason::NotFound)
    );
    let photos = media::list(context, &stranger, Some(id), &page(0, ""))
        .await
        .expect("a list");
    assert!(photos.items.is_empty());
    accounts::get(context, &world.caller, &account.id)
        .await
        .expect("the workspace's own is untouched");
}
