//! What an import makes of single items: whose they are, and what becomes of those that are not listed, or listed again.

use vintedbot_domain::accounts::Account;
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::listings::{self, Listing, ListingState};
use vintedbot_domain::wardrobe::items::{self, Known, Placed};
use vintedbot_domain::wardrobe::work::{self, Begun};
use vintedbot_domain::wardrobe::{self, Accept, ImportWardrobe, Words};
use vintedbot_marketplace::{Money, OwnItem, RemotePhoto};

use super::desk::Desk;

/// An import that is under way.
struct Import<'a> {
    desk: &'a Desk,
    claim: Claim,
    begun: Begun,
}

impl<'a> Import<'a> {
    async fn begin(desk: &'a Desk) -> Self {
        let (domain, caller) = (&desk.world.domain, &desk.world.caller);
        let import = ImportWardrobe {
            account_id: desk.account.id.clone(),
            request_id: None,
        };
        wardrobe::import(domain, caller, import).await.expect("is queued");
        for id in jobs::sweep(&domain.store, 64).await.expect("the table") {
            let claim = jobs::claim(&domain.store, &id, "desk", domain.settings.lease_ms).await;
            let Some(claim) = claim.expect("the table") else {
                continue;
            };
            if claim.job.kind == jobs::Kind::ImportWardrobe {
                let begun = work::begin(domain, &claim).await.expect("is decided");
                let begun = begun.expect("there is something to do");
                return Self { desk, claim, begun };
            }
        }
        panic!("no import is due")
    }

    async fn end(self) {
        work::end(&self.desk.world.domain, &self.claim, &self.begun, Ok(()))
            .await
            .expect("is written");
    }

    async fn place(&self, item: &OwnItem) {
        let placed = items::place(&self.desk.world.domain, &self.claim, &self.begun, item, &[]).await;
        assert_eq!(placed.expect("is written"), Placed::Created);
    }

    /// Compares an item with its listing. Says whether anything differs.
    async fn compare(&self, item: &OwnItem) -> bool {
        let (domain, begun) = (&self.desk.world.domain, &self.begun);
        let known = items::known(domain, begun, &item.id).await.expect("the tables");
        let Known::Listing(listing) = known else {
            panic!("{known:?}")
        };
        items::compare_known(domain, &self.claim, begun, &listing, item, None, Words::NONE)
            .await
            .expect("is written")
    }

    async fn missing(&self) -> Vec<Listing> {
        items::missing(&self.desk.world.domain, &self.begun, &[])
            .await
            .expect("the tables")
    }
}

impl Desk {
    async fn is_member(&self, id: &str) {
        let Account { id: account_id, .. } = &self.account;
        let sql = format!("UPDATE accounts SET member_id = '{id}' WHERE id = '{account_id}'");
        self.sql(&sql).await;
    }

    async fn only_listing(&self) -> Listing {
        let filter = listings::Filter::default();
        let page = super::support::page(0, "");
        let listed = listings::list(&self.world.domain, &self.world.caller, &filter, &page).await;
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
async fn a_wardrobe_says_nothing_of_another_members_items() {
    let desk = Desk::open().await;
    desk.is_member("7").await;
    let import = Import::begin(&desk).await;
    import.place(&item()).await;
    import.end().await;

    desk.is_member("8").await;
    let import = Import::begin(&desk).await;
    assert!(import.missing().await.is_empty(), "it is the other one's");
    import.end().await;

    desk.is_member("7").await;
    let import = Import::begin(&desk).await;
    assert_eq!(import.missing().await.len(), 1);
    // Whose wardrobe was read is not known for certain any more.
    desk.is_member("8").await;
    assert!(import.missing().await.is_empty());
    import.end().await;

    // An item is whose wardrobe lists it.
    let import = Import::begin(&desk).await;
    assert!(!import.compare(&item()).await);
    assert_eq!(import.missing().await.len(), 1);
    import.end().await;
    desk.is_member("7").await;
    let import = Import::begin(&desk).await;
    assert!(import.missing().await.is_empty());
}

#[tokio::test]
async fn a_listing_whose_item_was_missing_comes_back_with_it() {
    let desk = Desk::open().await;
    let (domain, caller) = (&desk.world.domain, &desk.world.caller);
    desk.is_member("7").await;
    let import = Import::begin(&desk).await;
    import.place(&item()).await;
    let [missing] = <[Listing; 1]>::try_from(import.missing().await).expect("it is not listed");
    items::gone(domain, &import.claim, &import.begun, &missing)
        .await
        .expect("is written");
    import.end().await;
    let accept = Accept {
        listing_id: missing.id.clone(),
        request_id: None,
    };
    let accepted = wardrobe::accept(domain, caller, accept)
        .await
        .expect("it was there");
    assert_eq!(accepted.state, ListingState::Deleted);

    let import = Import::begin(&desk).await;
    assert!(!import.compare(&item()).await);
    let back = desk.only_listing().await;
    assert_eq!(back.state, ListingState::Published);
    assert!(back.remote.expect("an item").differences.is_empty());
}

#[tokio::test]
async fn what_we_have_deleted_there_stays_deleted_here() {
    let desk = Desk::open().await;
    desk.is_member("7").await;
    let (job, _) = desk.prepared("Pull").await;
    let import = Import::begin(&desk).await;
    import.place(&item()).await;
    // As after a job that has deleted it.
    let imported = items::known(&desk.world.domain, &import.begun, "50").await;
    let Ok(Known::Listing(imported)) = imported else {
        panic!("{imported:?}")
    };
    let (id, listing_id) = (&job.id, &imported.id);
    desk.sql(&format!(
        "UPDATE publish_jobs SET kind = 'DELETE', state = 'DONE', listing_id = '{listing_id}' WHERE id = '{id}'"
    ))
    .await;
    desk.sql(&format!(
        "UPDATE listings SET state = 'DELETED' WHERE id = '{listing_id}'"
    ))
    .await;
    import.compare(&item()).await;
    let after = listings::get(&desk.world.domain, &desk.world.caller, listing_id).await;
    assert_eq!(after.expect("is there").state, ListingState::Deleted);
}
