//! The catalogue, and listings that use its names.

use tonic::Code;
use tonic_types::StatusExt as _;
use vintedbot_marketplace::catalog::{Brand, Catalog, Category, CategoryFields, FieldRule, SizeGroup};
use vintedbot_marketplace::{Language, Named};
use vintedbot_proto::v1;
use vintedbot_proto::v1::catalog_service_client::CatalogServiceClient;
use vintedbot_proto::v1::listing_service_client::ListingServiceClient;
use vintedbot_proto::v1::resolve_names_response::result::Outcome;

use crate::harness::{self, Instance, jpeg, reason};

fn named(id: i64, name: &str) -> Named {
    Named {
        id,
        name: name.to_owned(),
    }
}

fn catalog() -> Catalog {
    let rule = |required, options: Vec<i64>| {
        Some(FieldRule {
            required,
            selection_limit: 1,
            options,
        })
    };
    let fields = CategoryFields {
        brand: rule(true, Vec::new()),
        size: rule(true, vec![1]),
        condition: rule(true, Vec::new()),
        color: rule(false, Vec::new()),
        package_size: rule(true, Vec::new()),
        ..CategoryFields::default()
    };
    let category = |id, parent_id, name: &str, leaf: bool| Category {
        id,
        parent_id,
        name: name.to_owned(),
        fields: leaf.then(|| fields.clone()),
    };
    Catalog {
        language: Language::Fr,
        categories: vec![
            category(1, None, "Homme", false),
            category(2, None, "Femme", false),
            category(11, Some(1), "Sweats", true),
            category(21, Some(2), "Sweats", true),
        ],
        brands: vec![Brand {
            id: 7,
            name: "Nike".to_owned(),
            needs_authenticity_check: false,
        }],
        colors: vec![named(1, "Noir")],
        size_groups: vec![SizeGroup {
            id: 1,
            name: "Tailles".to_owned(),
            sizes: vec![named(3, "M")],
        }],
        conditions: vec![named(2, "Très bon état"), named(3, "Bon état")],
        materials: Vec::new(),
        package_sizes: vec![named(1, "Petit")],
    }
}

pub(crate) async fn ready(instance: &Instance) -> v1::Account {
    let account = instance.make_account("one").await;
    instance
        .context
        .catalogs
        .save(&instance.context.store, &account.site, catalog())
        .await
        .expect("is stored");
    account
}

pub(crate) fn name(text: &str) -> Option<v1::NameOrId> {
    Some(v1::NameOrId {
        value: Some(v1::name_or_id::Value::Name(text.to_owned())),
    })
}

#[tokio::test]
async fn unread_catalogue_error_says_when_to_retry() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let mut client = CatalogServiceClient::new(instance.connect().await);
    let request = v1::ListColorsRequest {
        account_id: account.id,
        ..Default::default()
    };
    let status = client.list_colors(request).await.expect_err("is not ready");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "CATALOG_NOT_READY")
    );
    assert!(
        status
            .get_details_retry_info()
            .is_some_and(|info| info.retry_delay.is_some())
    );
    instance.stop().await;
}

#[tokio::test]
async fn the_tree_the_form_and_the_choices_are_listed() {
    let instance = harness::start().await;
    let account_id = ready(&instance).await.id;
    let mut client = CatalogServiceClient::new(instance.connect().await);
    let request = v1::ListCategoriesRequest {
        account_id: account_id.clone(),
        recursive: true,
        ..Default::default()
    };
    let all = client
        .list_categories(request)
        .await
        .expect("lists")
        .into_inner()
        .categories;
    let paths: Vec<_> = all.iter().map(|category| category.path.as_str()).collect();
    assert_eq!(paths, ["Homme", "Homme > Sweats", "Femme", "Femme > Sweats"]);

    let request = v1::GetCategoryRequest {
        account_id: account_id.clone(),
        id: 11,
    };
    let one = client.get_category(request).await.expect("is there").into_inner();
    let codes: Vec<_> = one.fields.iter().map(|field| field.code.as_str()).collect();
    assert_eq!(codes, ["brand", "size", "condition", "color", "package_size"]);
    assert!(one.category.is_some_and(|category| category.leaf));

    let request = v1::SearchBrandsRequest {
        account_id: account_id.clone(),
        query: "ni".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        client
            .search_brands(request)
            .await
            .expect("finds")
            .into_inner()
            .brands[0]
            .id,
        7
    );
    let request = v1::ListSizesRequest {
        account_id: account_id.clone(),
        category_id: 11,
        ..Default::default()
    };
    assert_eq!(
        client
            .list_sizes(request)
            .await
            .expect("lists")
            .into_inner()
            .sizes[0]
            .group,
        "Tailles"
    );
    let request = v1::ListColorsRequest {
        account_id: account_id.clone(),
        ..Default::default()
    };
    assert_eq!(
        client
            .list_colors(request)
            .await
            .expect("lists")
            .into_inner()
            .colors[0]
            .name,
        "Noir"
    );
    let request = v1::ListConditionsRequest {
        account_id: account_id.clone(),
        ..Default::default()
    };
    assert_eq!(
        client
            .list_conditions(request)
            .await
            .expect("lists")
            .into_inner()
            .conditions
            .len(),
        2
    );
    let request = v1::ListPackageSizesRequest {
        account_id,
        page_size: 1,
        ..Default::default()
    };
    assert_eq!(
        client
            .list_package_sizes(request)
            .await
            .expect("lists")
            .into_inner()
            .package_sizes
            .len(),
        1
    );
    instance.stop().await;
}

#[tokio::test]
async fn names_resolve_or_are_reported_ambiguous_or_unknown() {
    let instance = harness::start().await;
    let account_id = ready(&instance).await.id;
    let mut client = CatalogServiceClient::new(instance.connect().await);
    let query = |kind: v1::NameKind, name: &str| v1::resolve_names_request::Query {
        kind: kind.into(),
        name: name.to_owned(),
        category_id: None,
    };
    let queries = vec![
        query(v1::NameKind::Category, "Homme > Sweats"),
        query(v1::NameKind::Category, "Sweats"),
        query(v1::NameKind::Condition, "bon"),
        query(v1::NameKind::Brand, "Nobody"),
    ];
    let request = v1::ResolveNamesRequest {
        account_id: account_id.clone(),
        queries,
    };
    let results = client
        .resolve_names(request)
        .await
        .expect("answers")
        .into_inner()
        .results;
    let outcomes: Vec<_> = results
        .iter()
        .map(v1::resolve_names_response::Result::outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Resolved,
            Outcome::Ambiguous,
            Outcome::Resolved,
            Outcome::Unknown
        ]
    );
    assert_eq!(results[0].r#match.as_ref().map(|found| found.id), Some(11));
    assert_eq!(results[1].candidates.len(), 2);
    assert_eq!(results[2].r#match.as_ref().map(|found| found.id), Some(3));

    let request = v1::ResolveNamesRequest {
        account_id,
        queries: vec![query(v1::NameKind::Unspecified, "x")],
    };
    let status = client.resolve_names(request).await.expect_err("is refused");
    assert_eq!(reason(&status), "VALIDATION_FAILED");
    instance.stop().await;
}

#[tokio::test]
async fn photos_and_text_become_a_listing_with_preview() {
    let instance = harness::start().await;
    let account_id = ready(&instance).await.id;
    let mut client = ListingServiceClient::new(instance.connect().await);
    let photo = |seed| v1::create_listing_from_photos_request::NewPhoto {
        data: jpeg(seed).into(),
        file_name: format!("{seed}.jpg"),
    };
    let input = v1::ListingInput {
        title: "Sweat Nike".to_owned(),
        description: "Très peu porté, comme neuf.".to_owned(),
        price: Some(v1::Money {
            minor_units: 2900,
            currency_code: String::new(),
        }),
        category: name("Homme > Sweats"),
        brand: name("nike"),
        size: name("M"),
        condition: name("bon"),
        colors: vec![name("noir").expect("a name")],
        package_size: name("petit"),
        ..Default::default()
    };
    let request = v1::CreateListingFromPhotosRequest {
        account_id,
        photos: vec![photo(1), photo(2)],
        listing: Some(input),
        request_id: String::new(),
    };
    let made = client
        .create_listing_from_photos(request.clone())
        .await
        .expect("is made")
        .into_inner();
    let listing = made.listing.expect("a listing");
    assert_eq!(
        listing.photo_ids,
        made.photos
            .iter()
            .map(|photo| photo.id.clone())
            .collect::<Vec<_>>()
    );
    assert_eq!(
        listing.category.as_ref().map(|category| category.name.as_str()),
        Some("Homme > Sweats")
    );
    assert_eq!(
        listing.price.as_ref().map(|price| price.currency_code.as_str()),
        Some("EUR")
    );

    let preview = client
        .preview_listing(v1::PreviewListingRequest {
            id: listing.id.clone(),
        })
        .await;
    let preview = preview.expect("is shown").into_inner();
    assert!(preview.price_text.starts_with("29,00"), "{}", preview.price_text);
    assert_eq!(
        (preview.photos.len(), preview.violations.as_slice()),
        (2, &[][..])
    );
    assert!(
        preview
            .details
            .iter()
            .any(|detail| detail.code == "condition" && detail.value == "Bon état")
    );

    let ambiguous = v1::ListingInput {
        category: name("Sweats"),
        ..Default::default()
    };
    let request = v1::UpdateListingRequest {
        id: listing.id.clone(),
        listing: Some(ambiguous),
        ..Default::default()
    };
    let status = client.update_listing(request).await.expect_err("is ambiguous");
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(
        (status.code(), info.reason.as_str()),
        (Code::InvalidArgument, "ERROR_REASON_NAME_AMBIGUOUS")
    );
    assert_eq!(
        info.metadata["candidates"],
        "11 Homme > Sweats\n21 Femme > Sweats"
    );
    instance.stop().await;
}

#[tokio::test]
async fn listing_obeys_limits_and_is_updated_by_mask() {
    let instance = harness::start().await;
    let account_id = ready(&instance).await.id;
    let mut client = ListingServiceClient::new(instance.connect().await);
    let input = v1::ListingInput {
        title: "x".repeat(101),
        price: Some(v1::Money {
            minor_units: 99,
            currency_code: "EUR".to_owned(),
        }),
        ..Default::default()
    };
    let request = v1::CreateListingRequest {
        account_id: account_id.clone(),
        listing: Some(input),
        ..Default::default()
    };
    let status = client.create_listing(request).await.expect_err("is refused");
    let fields = status
        .get_details_bad_request()
        .expect("BadRequest")
        .field_violations;
    let fields: Vec<_> = fields.into_iter().map(|violation| violation.field).collect();
    assert_eq!(fields, ["listing.title", "listing.price"]);

    let listing = instance.make_listing(&account_id, "A thing").await;
    let mask = |paths: &[&str]| {
        Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        })
    };
    let input = v1::ListingInput {
        description: "Ignored".to_owned(),
        ..Default::default()
    };
    let request = v1::UpdateListingRequest {
        id: listing.id.clone(),
        listing: Some(input),
        update_mask: mask(&["title"]),
        expected_sequence: Some(listing.sequence),
        ..Default::default()
    };
    let changed = client
        .update_listing(request.clone())
        .await
        .expect("is changed")
        .into_inner()
        .listing;
    let changed = changed.expect("a listing");
    assert_eq!((changed.title.as_str(), changed.description.as_str()), ("", ""));
    let status = client
        .update_listing(request)
        .await
        .expect_err("has changed since");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "RESOURCE_CHANGED")
    );

    let filter = v1::ListListingsRequest {
        states: vec![v1::listing::State::Draft.into()],
        ..Default::default()
    };
    assert_eq!(
        client
            .list_listings(filter)
            .await
            .expect("lists")
            .into_inner()
            .listings
            .len(),
        1
    );
    client
        .delete_listing(v1::DeleteListingRequest {
            id: listing.id.clone(),
            ..Default::default()
        })
        .await
        .expect("goes");
    let status = client
        .get_listing(v1::GetListingRequest { id: listing.id })
        .await
        .expect_err("is gone");
    assert_eq!(reason(&status), "NOT_FOUND");
    instance.stop().await;
}
