use super::ViolationKind::*;
use super::*;
use crate::catalog::CatalogIndex;
use crate::catalog::tests::catalog;
use crate::markets::Market;

const FRENCH: &str = "vinted.fr";

fn euros(minor_units: i64) -> Money {
    Money {
        minor_units,
        currency: "EUR".to_owned(),
    }
}

fn sound(price: &Money) -> Submission<'_> {
    Submission {
        title: "Sweat Nike gris",
        description: "Porté deux fois.\nTaille bien.",
        photo_count: 3,
        price: Some(price),
        category_id: Some(30),
        brand_id: Some(53),
        size_id: Some(208),
        condition_id: Some(3),
        color_ids: vec![1, 9],
        material_ids: vec![44],
        package_size_id: Some(1),
    }
}

fn found(item: &Submission<'_>) -> Vec<(Field, ViolationKind)> {
    let market = Market::find(FRENCH).expect("a known market");
    let violations = validate(item, &CatalogIndex::new(catalog()), market, Limits::embedded());
    violations.into_iter().map(|v| (v.field, v.kind)).collect()
}

fn found_in_title(title: &str) -> Vec<ViolationKind> {
    let price = euros(2500);
    found(&Submission {
        title,
        ..sound(&price)
    })
    .into_iter()
    .map(|(_, kind)| kind)
    .collect()
}

#[test]
fn embedded_limits_match_the_site() {
    let limits = Limits::embedded();
    assert_eq!((limits.photos.min, limits.photos.max), (1, 20));
    assert_eq!(
        (limits.title.max_chars, limits.description.max_chars),
        (100, 2000)
    );
    assert_eq!((limits.colors.max, limits.materials.max), (2, 3));
    assert_eq!(
        limits.price["EUR"],
        Range {
            min: 100,
            max: 3_000_000
        }
    );
    assert_eq!(
        limits.price["USD"],
        Range {
            min: 100,
            max: 900_000
        }
    );
}

#[test]
fn file_with_a_missing_or_unknown_key_is_refused() {
    let whole = include_str!("../../data/limits.toml");
    assert!(Limits::parse(whole).is_ok());
    assert!(Limits::parse(&whole.replace("special_run_max = 3", "")).is_err());
    assert!(Limits::parse(&whole.replace("special_run_max", "special_runs")).is_err());
}

#[test]
fn valid_listing_has_no_violation() {
    assert_eq!(found(&sound(&euros(2500))), []);
    let price = euros(100);
    assert_eq!(
        found(&Submission {
            brand_id: Some(987_654),
            ..sound(&price)
        }),
        [],
        "a brand outside the catalog"
    );
}

#[test]
fn all_violations_are_reported_in_form_order() {
    let price = Money {
        minor_units: 2500,
        currency: "GBP".to_owned(),
    };
    let item = Submission {
        title: &"A".repeat(101),
        description: &"x".repeat(2001),
        photo_count: 21,
        brand_id: None,
        size_id: Some(301),
        condition_id: None,
        color_ids: vec![1, 1, 9],
        material_ids: vec![44, 45, 46, 99],
        ..sound(&price)
    };
    assert_eq!(
        found(&item),
        [
            (Field::Photos, TooMany),
            (Field::Title, TooLong),
            (Field::Title, TooManyCapitals),
            (Field::Description, TooLong),
            (Field::Brand, Missing),
            (Field::Size, NotOffered),
            (Field::Condition, Missing),
            (Field::Colors, TooMany),
            (Field::Colors, Repeated),
            (Field::Materials, TooMany),
            (Field::Materials, NotOffered),
            (Field::Price, WrongCurrency),
        ]
    );
}

#[test]
fn empty_listing_lacks_all_required_fields() {
    assert_eq!(
        found(&Submission::default()),
        [
            (Field::Photos, Missing),
            (Field::Title, Missing),
            (Field::Description, Missing),
            (Field::Category, Missing),
            (Field::Price, Missing),
        ]
    );
}

#[test]
fn attribute_outside_the_category_is_refused() {
    let price = euros(500);
    let book = Submission {
        category_id: Some(60),
        ..sound(&price)
    };
    assert_eq!(
        found(&book),
        [
            (Field::Brand, NotAskedFor),
            (Field::Size, NotAskedFor),
            (Field::Colors, NotAskedFor),
            (Field::Materials, NotAskedFor),
        ]
    );
}

#[test]
fn only_a_leaf_can_hold_a_listing() {
    let price = euros(500);
    for (category_id, kind) in [(20, NotALeaf), (999, NotOffered)] {
        let item = Submission {
            category_id: Some(category_id),
            ..sound(&price)
        };
        assert_eq!(found(&item), [(Field::Category, kind)]);
    }
}

#[test]
fn prices_have_a_range_per_currency() {
    for (minor_units, expected) in [
        (0, vec![TooLow]),
        (-500, vec![TooLow]),
        (99, vec![TooLow]),
        (100, vec![]),
        (3_000_000, vec![]),
        (3_000_001, vec![TooHigh]),
        (i64::MIN, vec![TooLow]),
    ] {
        let price = euros(minor_units);
        let kinds: Vec<_> = found(&sound(&price)).into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(kinds, expected, "{minor_units}");
    }
    let index = CatalogIndex::new(catalog());
    for (site, currency, minor_units, expected) in [
        ("com", "USD", 900_001, vec![TooHigh]),
        ("co.uk", "GBP", 900_001, vec![]),
        ("pl", "PLN", 1, vec![]),
        ("pl", "PLN", 0, vec![TooLow]),
    ] {
        let price = Money {
            minor_units,
            currency: currency.to_owned(),
        };
        let market = Market::find(site).expect("a known market");
        let kinds: Vec<_> = validate(&sound(&price), &index, market, Limits::embedded())
            .into_iter()
            .map(|v| v.kind)
            .collect();
        assert_eq!(kinds, expected, "{minor_units} {currency}");
    }
}

#[test]
fn price_below_the_range_is_reported_in_plain_words() {
    let price = euros(99);
    let market = Market::find(FRENCH).expect("a known market");
    let violations = validate(
        &sound(&price),
        &CatalogIndex::new(catalog()),
        market,
        Limits::embedded(),
    );
    assert_eq!(
        violations[0].description,
        "0.99 EUR is below the minimum price, 1.00 EUR"
    );
}

#[test]
fn title_length_capitals_and_specials_are_limited() {
    for (title, expected) in [
        ("Sweat Nike gris taille M", vec![]),
        ("NIKE", vec![]),
        ("PS5 ASUS", vec![]),
        ("SWEAT NIKE GRIS", vec![TooManyCapitals]),
        ("SWEAT NIKE gris", vec![]),
        ("ÉTÉ ÉTÉ ÉTÉ", vec![TooManyCapitals]),
        ("Robe !!!", vec![]),
        ("Robe !!!!", vec![SpecialCharactersInARow]),
        ("Robe ★★★★★", vec![SpecialCharactersInARow]),
        ("Robe 👍🏽👍🏽👍🏽", vec![]),
        ("Famille 👨‍👩‍👧‍👦❤️✨", vec![]),
        ("服 服 服 服 服 服 服 服 服 服", vec![]),
        ("   ", vec![Missing]),
        ("Robe\tbleue", vec![ControlCharacter]),
        ("Robe\nbleue", vec![ControlCharacter]),
    ] {
        assert_eq!(found_in_title(title), expected, "{title:?}");
    }
    assert_eq!(found_in_title(&"é".repeat(100)), []);
    assert_eq!(found_in_title(&"é".repeat(101)), [TooLong]);
}

#[test]
fn description_keeps_newlines_but_no_other_control_char() {
    let price = euros(500);
    for (description, expected) in [
        ("a\nb", vec![]),
        ("a\tb", vec![(Field::Description, ControlCharacter)]),
    ] {
        assert_eq!(
            found(&Submission {
                description,
                ..sound(&price)
            }),
            expected
        );
    }
}

#[test]
fn a_category_may_allow_fewer_than_the_site() {
    let mut catalog = catalog();
    for category in &mut catalog.categories {
        if let Some(rule) = category.fields.as_mut().and_then(|fields| fields.color.as_mut()) {
            rule.selection_limit = 1;
        }
    }
    let price = euros(500);
    let market = Market::find(FRENCH).expect("a known market");
    let violations = validate(
        &sound(&price),
        &CatalogIndex::new(catalog),
        market,
        Limits::embedded(),
    );
    assert_eq!(violations.iter().map(|v| v.kind).collect::<Vec<_>>(), [TooMany]);
}
