use super::ViolationKind::*;
use super::*;
use crate::catalog::CatalogIndex;
use crate::catalog::tests::catalog;
use crate::markets::Market;

const FRENCH: &str = "vinted.fr";
const GERMAN: &str = "vinted.de";
const ENGLAND: &str = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";

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
    let violations = violations(item, FRENCH, FRENCH);
    violations.into_iter().map(|v| (v.field, v.kind)).collect()
}

fn violations(item: &Submission<'_>, site: &str, home: &str) -> Vec<Violation> {
    let market = |name| Market::find(name).expect("a known market");
    let index = CatalogIndex::new(catalog());
    validate(item, &index, market(site), market(home), Limits::embedded())
}

fn violations_of_title(title: &str, site: &str, home: &str) -> Vec<Violation> {
    let price = euros(2500);
    let item = Submission {
        title,
        ..sound(&price)
    };
    violations(&item, site, home)
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
        let kinds: Vec<_> = validate(&sound(&price), &index, market, market, Limits::embedded())
            .into_iter()
            .map(|v| v.kind)
            .collect();
        assert_eq!(kinds, expected, "{minor_units} {currency}");
    }
}

#[test]
fn price_below_the_range_is_reported_in_plain_words() {
    let violations = violations(&sound(&euros(99)), FRENCH, FRENCH);
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
        ("\u{200b}\u{2800}", vec![Missing]),
        ("กางเกงยีนส์ผ้านุ่มสบายมาก", vec![]),
        ("فُسْتَانٌ جَمِيلٌ لِلصَّيْفِ", vec![]),
        (
            "Gr. 1\u{fe0f}\u{20e3}2\u{fe0f}\u{20e3}3\u{fe0f}\u{20e3}4\u{fe0f}\u{20e3}",
            vec![],
        ),
        ("Robe\tbleue", vec![ControlCharacter]),
        ("Robe\nbleue", vec![ControlCharacter]),
    ] {
        assert_eq!(found_in_title(title), expected, "{title:?}");
    }
    assert_eq!(found_in_title(&"é".repeat(100)), []);
    assert_eq!(found_in_title(&"é".repeat(101)), [TooLong]);
}

#[test]
fn title_is_counted_in_graphemes() {
    let flags = |count: usize| "\u{1f1eb}\u{1f1f7}".repeat(count);
    for (title, expected) in [
        (format!("Maillot {ENGLAND} domicile 2018"), vec![]),
        (format!("Maillot {ENGLAND}{ENGLAND}{ENGLAND}"), vec![]),
        (format!("Écharpe supporter {} finale", flags(3)), vec![]),
        (format!("Écharpe {}", flags(4)), vec![SpecialCharactersInARow]),
        (
            "Robe d'été \u{2764}\u{fe0f}\u{2764}\u{fe0f}\u{2764}\u{fe0f}".to_owned(),
            vec![],
        ),
        ("e\u{301}".repeat(100), vec![]),
        ("e\u{301}".repeat(101), vec![TooLong]),
        (format!("{ENGLAND}a").repeat(50), vec![]),
        (format!("{ENGLAND}a").repeat(51), vec![TooLong]),
        (format!("e{}", "\u{301}".repeat(2_000)), vec![TooLong]),
    ] {
        assert_eq!(found_in_title(&title), expected, "{title}");
    }
    let price = euros(2500);
    let item = Submission {
        description: &format!("{}x", flags(1_999)),
        ..sound(&price)
    };
    assert_eq!(found(&item), []);
}

#[test]
fn run_of_special_characters_is_quoted() {
    let title = format!("Maillot {ENGLAND}!{ENGLAND}! 2018");
    let violations = violations_of_title(&title, FRENCH, FRENCH);
    let expected = format!("4 special characters in a row ({ENGLAND}!{ENGLAND}!), at most 3 are allowed");
    assert_eq!(violations[0].description, expected);
}

#[test]
fn emoji_in_a_german_title_is_refused_by_name() {
    let flag = "\u{1f1e9}\u{1f1ea}";
    for (title, named) in [
        ("Strickjacke ✨".to_owned(), "✨"),
        (format!("Trikot {ENGLAND} 2018"), ENGLAND),
        (format!("Schal {flag}"), flag),
        ("Kleid \u{2764}\u{fe0f}".to_owned(), "\u{2764}\u{fe0f}"),
    ] {
        for site in [GERMAN, crate::markets::PRACTICE] {
            let violations = violations_of_title(&title, site, GERMAN);
            let kinds: Vec<_> = violations.iter().map(|v| (v.field, v.kind)).collect();
            assert_eq!(kinds, [(Field::Title, Emoji)], "{title} on {site}");
            let expected = format!("contains the emoji {named}; vinted.de accepts no emoji in a title");
            assert_eq!(violations[0].description, expected);
        }
        assert_eq!(
            violations_of_title(&title, FRENCH, FRENCH),
            [],
            "{title} in France"
        );
    }
    for title in ["Schöne Jacke, Größe 38", "Levi's® 501 ★ 38€"] {
        assert_eq!(violations_of_title(title, GERMAN, GERMAN), [], "{title}");
    }
}

#[test]
fn markets_of_the_limits_are_known() {
    for site in &Limits::embedded().emoji.refused_in_titles {
        assert_eq!(Market::find(site).map(|market| &market.site), Some(site));
    }
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
        market,
        Limits::embedded(),
    );
    assert_eq!(violations.iter().map(|v| v.kind).collect::<Vec<_>>(), [TooMany]);
}
