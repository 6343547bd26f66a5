use vintedbot_domain::Reason;
use vintedbot_domain::accounts;
use vintedbot_domain::listings::{self, Filter, ListingInput, ListingState};

use crate::support::{World, page, reason, violated};

async fn world_with_listings(count: usize) -> World {
    let (world, account) = World::with_account().await;
    for number in 0..count {
        // Two rows each share one millisecond.
        world.clock.advance(i64::from(number % 2 == 0));
        world
            .listing(
                &account,
                ListingInput {
                    title: format!("Sweat {number}"),
                    ..ListingInput::default()
                },
            )
            .await;
    }
    world
}

#[tokio::test]
async fn pages_hold_everything_once_newest_first() {
    let world = world_with_listings(7).await;
    let (filter, mut token, mut seen) = (Filter::default(), String::new(), Vec::new());
    loop {
        let got = listings::list(&world.context, &world.caller, &filter, &page(3, &token))
            .await
            .expect("a page");
        seen.extend(got.items);
        token = got.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 7);
    let places: Vec<_> = seen
        .iter()
        .map(|listing| (listing.create_time, listing.id.clone()))
        .collect();
    assert!(places.windows(2).all(|pair| pair[0] > pair[1]));
}

#[tokio::test]
async fn a_new_entry_shifts_no_page() {
    let world = world_with_listings(4).await;
    let filter = Filter::default();
    let first = listings::list(&world.context, &world.caller, &filter, &page(2, ""))
        .await
        .expect("a page");
    let account = accounts::list(&world.context, &world.caller, &page(0, ""))
        .await
        .expect("a list")
        .items
        .remove(0);
    world.clock.advance(5);
    world.listing(&account, ListingInput::default()).await;
    let second = listings::list(
        &world.context,
        &world.caller,
        &filter,
        &page(2, &first.next_page_token),
    )
    .await
    .expect("a page");
    let titles: Vec<_> = second
        .items
        .iter()
        .map(|listing| listing.title.as_str())
        .collect();
    assert_eq!(titles, ["Sweat 1", "Sweat 0"]);
    assert!(second.next_page_token.is_empty(), "an exact fit is the last page");
}

#[tokio::test]
async fn page_token_is_bound_to_workspace_list_and_parameters() {
    let world = world_with_listings(3).await;
    let filter = Filter::default();
    let first = listings::list(&world.context, &world.caller, &filter, &page(1, ""))
        .await
        .expect("a page");
    let token = first.next_page_token;
    let other_filter = Filter {
        states: vec![ListingState::Draft],
        ..Filter::default()
    };
    let stranger = world.stranger().await;
    for refused in [
        listings::list(&world.context, &world.caller, &other_filter, &page(1, &token)).await,
        listings::list(&world.context, &stranger, &filter, &page(1, &token)).await,
        listings::list(
            &world.context,
            &world.caller,
            &filter,
            &page(1, &format!("{token}x")),
        )
        .await,
        listings::list(&world.context, &world.caller, &filter, &page(1, "eyJ9")).await,
    ] {
        assert_eq!(reason(refused), Some(Reason::PageTokenInvalid));
    }
    let other_list = accounts::list(&world.context, &world.caller, &page(1, &token)).await;
    assert_eq!(reason(other_list), Some(Reason::PageTokenInvalid));
    listings::list(&world.context, &world.caller, &filter, &page(2, &token))
        .await
        .expect("the size may change");
}

#[tokio::test]
async fn page_size_has_default_and_cap_and_is_not_negative() {
    let world = world_with_listings(51).await;
    let filter = Filter::default();
    let got = listings::list(&world.context, &world.caller, &filter, &page(0, ""))
        .await
        .expect("a page");
    assert_eq!(got.items.len(), 50);
    let got = listings::list(&world.context, &world.caller, &filter, &page(i32::MAX, ""))
        .await
        .expect("a page");
    assert_eq!(got.items.len(), 51);
    let refused = listings::list(&world.context, &world.caller, &filter, &page(-1, "")).await;
    assert_eq!(violated(refused), ["page_size"]);
}
