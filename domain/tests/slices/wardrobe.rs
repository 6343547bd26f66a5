//! Import of single items: their member, and items that are missing from the wardrobe or return to it.

use vintedbot_domain::accounts::Account;
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::listings::{self, Listing, ListingInput, ListingState};
use vintedbot_domain::publishing::{self, PrepareChange, Wanted};
use vintedbot_domain::wardrobe::items::{self, Known, Placed};
use vintedbot_domain::wardrobe::work::{self, Begun};
use vintedbot_domain::wardrobe::{self, Accept, ImportWardrobe, Words};
use vintedbot_marketplace::{Money, OwnItem, RemotePhoto};

use super::fixture::Fixture;
use super::support::violated;

/// A running import.
struct Import<'a> {
    fixture: &'a Fixture,
    claim: Claim,
    begun: Begun,
}

impl<'a> Import<'a> {
    async fn begin(fixture: &'a Fixture) -> Self {
        let (context, caller) = (&fixture.world.context, &fixture.world.caller);
        let import = ImportWardrobe {
            account_id: fixture.account.id.clone(),
            request_id: None,
        };
        wardrobe::import(context, caller, import)
            .await
            .expect("is queued");
        for id in jobs::sweep(&context.store, 64).await.expect("the table") {
            let claim = jobs::claim(&context.store, &id, "fixture", context.settings.jobs.lease_ms).await;
            let Some(claim) = claim.expect("the table") else {
                continue;
            };
            if claim.job.kind == jobs::Kind::ImportWardrobe {
                let begun = work::begin(context, &claim).await.expect("is decided");
                let begun = begun.expect("there is something to do");
                return Self {
                    fixture,
                    claim,
                    begun,
                };
            }
        }
        panic!("no import is due")
    }

    async fn end(self) {
        work::end(&self.fixture.world.context, &self.claim, &self.begun, Ok(()))
            .await
            .expect("is written");
    }

    async fn place(&self, item: &OwnItem) {
        let placed = items::place(&self.fixture.world.context, &self.claim, &self.begun, item, &[]).await;
        assert_eq!(placed.expect("is written"), Placed::Created);
    }

    /// Compares an item with its listing. Returns whether anything differs.
    async fn compare(&self, item: &OwnItem) -> bool {
        let (context, begun) = (&self.fixture.world.context, &self.begun);
        let known = items::known(context, begun, &item.id).await.expect("the tables");
        let Known::Listing(listing) = known else {
            panic!("{known:?}")
        };
        items::compare_known(context, &self.claim, begun, &listing, item, None, Words::NONE)
            .await
            .expect("is written")
    }

    async fn missing(&self) -> Vec<Listing> {
        items::missing(&self.fixture.world.context, &self.begun, &[])
            .await
            .expect("the tables")
    }
}

impl Fixture {
    async fn set_member(&self, id: &str) {
        let Account { id: account_id, .. } = &self.account;
        let sql = format!("UPDATE accounts SET member_id = '{id}' WHERE id = '{account_id}'");
        self.sql(&sql).await;
    }

    async fn only_listing(&self) -> Listing {
        let filter = listings::Filter::default();
        let page = super::support::page(0, "");
        let listed = listings::list(&self.world.context, &self.world.caller, &filter, &page).await;
        let [listing] = <[Listing; 1]>::try_from(listed.expect("a list").items).expect("there is one");
        listing
    }
}

fn item() -> OwnItem {
    OwnItem {
        id: "50".to_owned(),
        title: "Pull".to_owned(),
        description: "Doux".to_owned(),
        price: Some(Money {
            minor_units: 900,
            currency: "EUR".to_owned(),
        }),
        category_id: None,
        brand_id: None,
        brand: None,
        size_id: None,
        condition_id: None,
        color_ids: Vec::new(),
        material_ids: Vec::new(),
        package_size_id: None,
        photos: Vec::<RemotePhoto>::new(),
        is_draft: false,
        is_hidden: false,
        is_closed: false,
        is_reserved: false,
        url: "https://site.invalid/items/50".to_owned(),
    }
}

#[tokio::test]
async fn wardrobe_of_another_member_changes_no_listing() {
    let fixture = Fixture::open().await;
    fixture.set_member("7").await;
    let import = Import::begin(&fixture).await;
    import.place(&item()).await;
    import.end().await;

    fixture.set_member("8").await;
    let import = Import::begin(&fixture).await;
    assert!(import.missing().await.is_empty(), "it is the other one's");
    import.end().await;

    fixture.set_member("7").await;
    let import = Import::begin(&fixture).await;
    assert_eq!(import.missing().await.len(), 1);
    // The account's member changed, so it is not certain whose wardrobe was read.
    fixture.set_member("8").await;
    assert!(import.missing().await.is_empty());
    import.end().await;

    // An item belongs to the member whose wardrobe lists it.
    let import = Import::begin(&fixture).await;
    assert!(!import.compare(&item()).await);
    assert_eq!(import.missing().await.len(), 1);
    import.end().await;
    fixture.set_member("7").await;
    let import = Import::begin(&fixture).await;
    assert!(import.missing().await.is_empty());
}

#[tokio::test]
async fn listing_returns_with_its_missing_item() {
    let fixture = Fixture::open().await;
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    fixture.set_member("7").await;
    let import = Import::begin(&fixture).await;
    import.place(&item()).await;
    let [missing] = <[Listing; 1]>::try_from(import.missing().await).expect("it is not listed");
    items::gone(context, &import.claim, &import.begun, &missing)
        .await
        .expect("is written");
    import.end().await;
    let accept = Accept {
        listing_id: missing.id.clone(),
        request_id: None,
    };
    let accepted = wardrobe::accept(context, caller, accept)
        .await
        .expect("it was there");
    assert_eq!(accepted.state, ListingState::Deleted);

    let import = Import::begin(&fixture).await;
    assert!(!import.compare(&item()).await);
    let back = fixture.only_listing().await;
    assert_eq!(back.state, ListingState::Published);
    assert!(back.remote.expect("an item").differences.is_empty());
}

#[tokio::test]
async fn deleted_remote_item_stays_deleted_here() {
    let fixture = Fixture::open().await;
    fixture.set_member("7").await;
    let (job, _) = fixture.prepared("Pull").await;
    let import = Import::begin(&fixture).await;
    import.place(&item()).await;
    // A job has deleted the item.
    let imported = items::known(&fixture.world.context, &import.begun, "50").await;
    let Ok(Known::Listing(imported)) = imported else {
        panic!("{imported:?}")
    };
    let (id, listing_id) = (&job.id, &imported.id);
    fixture.sql(&format!(
        "UPDATE publish_jobs SET kind = 'DELETE', state = 'DONE', listing_id = '{listing_id}' WHERE id = '{id}'"
    ))
    .await;
    fixture
        .sql(&format!(
            "UPDATE listings SET state = 'DELETED' WHERE id = '{listing_id}'"
        ))
        .await;
    import.compare(&item()).await;
    let after = listings::get(&fixture.world.context, &fixture.world.caller, listing_id).await;
    assert_eq!(after.expect("is there").state, ListingState::Deleted);
}

#[tokio::test]
async fn imported_texts_have_the_common_form() {
    let fixture = Fixture::open().await;
    fixture.set_member("7").await;
    let import = Import::begin(&fixture).await;
    let remote = OwnItem {
        title: "\u{feff}Pull\te\u{301}te\u{301}\u{200f} ".to_owned(),
        description: "Doux\r\net chaud.\rTaille\u{b}M\0\r\n".to_owned(),
        is_draft: true,
        ..item()
    };
    import.place(&remote).await;
    let listing = fixture.only_listing().await;
    assert_eq!(
        (listing.title.as_str(), listing.description.as_str()),
        ("Pull été", "Doux\net chaud.\nTaille M")
    );
    assert!(
        !import.compare(&remote).await,
        "the form of a text is not a difference"
    );
}

#[tokio::test]
async fn item_with_an_emoji_in_its_title_can_be_repriced() {
    let fixture = Fixture::open().await;
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    fixture.set_member("7").await;
    fixture.sql("UPDATE accounts SET market = 'de'").await;
    let import = Import::begin(&fixture).await;
    let remote = OwnItem {
        title: "Pull ✨".to_owned(),
        ..item()
    };
    import.place(&remote).await;
    import.end().await;
    let listing = fixture.only_listing().await;
    let change = |title: &str| PrepareChange {
        listing_id: listing.id.clone(),
        change: Wanted::Edit {
            listing: Box::new(ListingInput {
                title: title.to_owned(),
                price: Some(Money {
                    minor_units: 800,
                    currency: "EUR".to_owned(),
                }),
                ..ListingInput::default()
            }),
            mask: Vec::new(),
            overwrite_remote: false,
        },
        request_id: None,
    };
    let refused = publishing::prepare_change(context, caller, change("Pull neuf ✨")).await;
    assert_eq!(violated(refused), ["edit.listing.title"]);
    for title in ["", "Pull ✨"] {
        publishing::prepare_change(context, caller, change(title))
            .await
            .map(drop)
            .or_else(|error| match error.reason() {
                Some(vintedbot_domain::Reason::PublishJobOpen) => Ok(()),
                _ => Err(error),
            })
            .expect("the title stays");
    }
}
