use vintedbot_domain::Reason;
use vintedbot_domain::catalog::{self, NameKind, NameQuery, Resolution};
use vintedbot_marketplace::Named;
use vintedbot_marketplace::catalog::NO_BRAND;

use crate::support::{self, World, page, reason, violated};

fn query(kind: NameKind, name: &str, category_id: Option<i64>) -> NameQuery {
    NameQuery {
        kind,
        name: name.to_owned(),
        category_id,
    }
}

#[tokio::test]
async fn unread_catalogue_says_when_to_retry() {
    let world = World::new().await;
    let account = world.account("Shop").await;
    let refused = catalog::colors(&world.context, &world.caller, &account.id, &page(0, "")).await;
    let error = refused.expect_err("not ready");
    assert_eq!(error.reason(), Some(Reason::CatalogNotReady));
    assert!(matches!(error, vintedbot_domain::Error::Rejected(r) if r.retry_after_ms.is_some()));
}

#[tokio::test]
async fn newer_catalogue_replaces_the_older_one() {
    let (world, account) = World::with_account().await;
    let colors = async || {
        let page = catalog::colors(&world.context, &world.caller, &account.id, &page(0, ""))
            .await
            .expect("colours");
        page.items.len()
    };
    assert_eq!(colors().await, 4);
    let mut newer = support::catalog();
    newer.colors.truncate(1);
    world
        .context
        .catalogs
        .save(&world.context.store, "practice", newer)
        .await
        .expect("is saved");
    assert_eq!(colors().await, 1);
}

#[tokio::test]
async fn tree_is_listed_by_level_or_whole() {
    let (world, account) = World::with_account().await;
    let list = async |parent, recursive| {
        let page = page(0, "");
        let listed = catalog::list_categories(
            &world.context,
            &world.caller,
            &account.id,
            parent,
            recursive,
            &page,
        )
        .await;
        listed.map(|page| {
            page.items
                .into_iter()
                .map(|place| (place.id, place.leaf))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(list(None, false).await.expect("roots"), [(1, false), (2, false)]);
    assert_eq!(
        list(Some(2), false).await.expect("children"),
        [(21, true), (22, true)]
    );
    let whole = [(1, false), (11, true), (2, false), (21, true), (22, true)];
    assert_eq!(list(None, true).await.expect("all"), whole);
    assert_eq!(reason(list(Some(99), false).await), Some(Reason::NameUnknown));
}

#[tokio::test]
async fn leaf_lists_its_required_attributes() {
    let (world, account) = World::with_account().await;
    let (place, fields) = catalog::category(&world.context, &world.caller, &account.id, 21)
        .await
        .expect("a leaf");
    assert_eq!((place.path.as_str(), place.leaf), ("Hommes > Sweats", true));
    let codes: Vec<_> = fields
        .iter()
        .map(|field| (field.code, field.required, field.options.len()))
        .collect();
    let expected = [
        ("brand", false, 0),
        ("size", true, 3),
        ("condition", true, 3),
        ("color", false, 4),
        ("material", false, 2),
        ("package_size", true, 3),
    ];
    assert_eq!(codes, expected);
    assert_eq!(fields[2].title, "État");
    let unknown = catalog::category(&world.context, &world.caller, &account.id, 99).await;
    assert_eq!(reason(unknown), Some(Reason::NotFound));
    let sizes = catalog::sizes(&world.context, &world.caller, &account.id, 2, &page(0, "")).await;
    assert_eq!(violated(sizes), ["category_id"], "it is not a leaf");
}

#[tokio::test]
async fn choices_are_paged() {
    let (world, account) = World::with_account().await;
    let first = catalog::colors(&world.context, &world.caller, &account.id, &page(3, ""))
        .await
        .expect("a page");
    let second = catalog::colors(
        &world.context,
        &world.caller,
        &account.id,
        &page(3, &first.next_page_token),
    )
    .await;
    let second = second.expect("a page");
    assert_eq!(
        (
            first.items.len(),
            second.items[0].name.as_str(),
            second.items.len()
        ),
        (3, "Rouge", 1)
    );
    assert!(second.next_page_token.is_empty());
}

#[tokio::test]
async fn names_resolve_with_and_without_a_category() {
    let (world, account) = World::with_account().await;
    let queries = [
        query(NameKind::Category, "Homme > Sweats", None),
        query(NameKind::Category, "sweats", None),
        query(NameKind::Condition, "bon", None),
        query(NameKind::Condition, "good", Some(21)),
        query(NameKind::Color, "bleu", None),
        query(NameKind::Size, "m", Some(21)),
        query(NameKind::Material, "soie", Some(21)),
        query(NameKind::PackageSize, "small", None),
    ];
    let resolved = catalog::resolve_names(&world.context, &world.caller, &account.id, &queries)
        .await
        .expect("answers");
    let ids: Vec<_> = resolved
        .iter()
        .map(|resolution| match resolution {
            Resolution::Resolved(Named { id, .. }) => Ok(*id),
            Resolution::Ambiguous(candidates) => Err(candidates.len()),
            Resolution::Unknown(_) => Err(0),
        })
        .collect();
    assert_eq!(ids, [Ok(21), Err(2), Ok(3), Ok(3), Ok(2), Ok(207), Err(0), Ok(1)]);

    let wrong = [
        query(NameKind::Size, "M", None),
        query(NameKind::Color, " ", None),
    ];
    let refused = catalog::resolve_names(&world.context, &world.caller, &account.id, &wrong).await;
    assert_eq!(violated(refused), ["queries[0].category_id", "queries[1].name"]);
}

#[tokio::test]
async fn name_that_is_only_similar_has_a_candidate() {
    let (world, account) = World::with_account().await;
    let queries = [
        query(NameKind::Color, "clair", None),
        query(NameKind::Brand, "Nikee", None),
        query(NameKind::PackageSize, "peti", None),
        query(NameKind::Size, "Medium", Some(21)),
        query(NameKind::Color, "rote", None),
        query(NameKind::Color, "rot", None),
        query(NameKind::Brand, "Ohne Marke", None),
    ];
    let resolved = catalog::resolve_names(&world.context, &world.caller, &account.id, &queries)
        .await
        .expect("answers");
    let first: Vec<_> = resolved
        .iter()
        .map(|resolution| match resolution {
            Resolution::Resolved(Named { id, .. }) => ("resolved", Some(*id)),
            Resolution::Ambiguous(candidates) => ("ambiguous", candidates.first().map(|c| c.id)),
            Resolution::Unknown(candidates) => ("unknown", candidates.first().map(|c| c.id)),
        })
        .collect();
    assert_eq!(
        first,
        [
            ("unknown", Some(3)),
            ("unknown", Some(53)),
            ("unknown", Some(1)),
            ("resolved", Some(207)),
            // The whole short list.
            ("unknown", Some(1)),
            ("resolved", Some(4)),
            ("resolved", Some(NO_BRAND)),
        ]
    );
}

#[tokio::test]
async fn account_of_another_workspace_shows_no_catalogue() {
    let (world, account) = World::with_account().await;
    let stranger = world.stranger().await;
    let refused = catalog::colors(&world.context, &stranger, &account.id, &page(0, "")).await;
    assert_eq!(reason(refused), Some(Reason::NotFound));
}
