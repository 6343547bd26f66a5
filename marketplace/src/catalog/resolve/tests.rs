use super::super::NO_BRAND;
use super::super::tests::catalog;
use super::*;

fn index() -> CatalogIndex {
    CatalogIndex::new(catalog())
}

fn ids(result: Result<Named, ResolveError>) -> Result<i64, Vec<i64>> {
    result.map(|n| n.id).map_err(|error| match error {
        ResolveError::Unknown { .. } => Vec::new(),
        ResolveError::Ambiguous { candidates, .. } => candidates.into_iter().map(|c| c.id).collect(),
    })
}

/// Returns the first suggestion for an unknown name.
fn suggested(result: Result<Named, ResolveError>) -> Option<i64> {
    match result {
        Err(ResolveError::Unknown { suggestions, .. }) => suggestions.first().map(|c| c.id),
        other => panic!("{other:?}"),
    }
}

fn category_named(given: &str) -> Result<Named, ResolveError> {
    index().resolve_category(given).map(|c| Named {
        id: c.id,
        name: String::new(),
    })
}

fn category(given: &str) -> Result<i64, Vec<i64>> {
    ids(category_named(given))
}

#[test]
fn name_that_only_begins_or_resembles_is_never_resolved() {
    let index = index();
    for (given, suggestion) in [
        ("Petit", 15),
        ("Petit Bat", 15),
        ("Bateau", 15),
        ("Nikee", 53),
        ("Nikes", 53),
        ("Nkie", 53),
        ("acne", 13),
        ("adida", 14),
        ("Sans marques", NO_BRAND),
    ] {
        assert_eq!(suggested(index.resolve_brand(given)), Some(suggestion), "{given}");
    }
    for (given, suggestion) in [("clair", 26), ("Oran", 11)] {
        assert_eq!(
            suggested(index.resolve_color(30, given)),
            Some(suggestion),
            "{given}"
        );
    }
    assert_eq!(suggested(index.resolve_material(30, "mérinos")), Some(47));
    assert_eq!(suggested(index.resolve_condition(30, "satisf")), Some(4));
    assert_eq!(suggested(index.resolve_package_size(30, "pet")), Some(1));
    for (given, suggestion) in [
        ("capuche", 31),
        ("Hom > Sweats à capuche", 31),
        ("Femmes / Livres", 60),
    ] {
        assert_eq!(suggested(category_named(given)), Some(suggestion), "{given}");
    }
}

#[test]
fn no_brand_in_any_language_is_the_sites_own_entry() {
    for given in [
        "Sans marque",
        "sans  MARQUE",
        "Aucune marque",
        "Ohne Marke",
        "Ohne Label",
        "No brand",
        "unbranded",
        "Bez značky",
        "Senza marca",
        "Zonder merk",
        "Bez marki",
        "Χωρίς μάρκα",
    ] {
        let found = index().resolve_brand(given).expect("it is known");
        assert_eq!(
            (found.id, found.name.as_str()),
            (NO_BRAND, "Sans marque"),
            "{given}"
        );
    }
}

#[test]
fn color_is_found_by_its_name_in_any_language() {
    let index = index();
    for (given, expected) in [
        ("or", Ok(14)),
        ("OR", Ok(14)),
        ("dorée", Ok(14)),
        ("gold", Ok(14)),
        ("Zlatá", Ok(14)),
        ("złoty", Ok(14)),
        ("Χρυσό", Ok(14)),
        ("kuldne", Ok(14)),
        ("argent", Ok(13)),
        ("silber", Ok(13)),
        ("orange", Ok(11)),
        ("Narančasta", Ok(11)),
        ("black", Ok(1)),
        ("noires", Ok(1)),
        ("blanche", Ok(12)),
        ("bleu marine", Ok(27)),
        ("light blue", Ok(26)),
        ("violette", Ok(6)),
        ("lilas", Ok(25)),
        // German and Hungarian for purple, Spanish for lilac.
        ("lila", Err(vec![6, 25])),
        // Known, but not offered.
        ("grün", Err(vec![])),
    ] {
        assert_eq!(ids(index.resolve_color(30, given)), expected, "{given}");
    }
}

#[test]
fn category_is_found_by_ancestors_in_order() {
    for given in [
        "Homme > Sweats",
        "hommes/sweats",
        "Hommes > Vêtements > Sweats et pulls > Sweats",
        "HOMMES › vetements › sweat",
        "Hommes > Sweats et pulls > Sweats",
        " Homme >  > Sweats > ",
    ] {
        assert_eq!(category(given), Ok(30), "{given}");
    }
    assert_eq!(category("Femme > Sweats"), Ok(50));
    assert_eq!(category("robe"), Ok(51));
    assert_eq!(
        category("Vêtements > Hommes > Sweats"),
        Err(vec![]),
        "the wrong way round"
    );
}

#[test]
fn name_with_a_slash_is_tried_as_a_name_first() {
    assert_eq!(category("Livres / BD"), Ok(60));
    assert_eq!(category("Femmes > Livres/BD"), Ok(60));
}

#[test]
fn ambiguous_category_returns_full_paths() {
    let error = index().resolve_category("Sweats").expect_err("men's or women's");
    let ResolveError::Ambiguous {
        field,
        given,
        candidates,
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!((*field, given.as_str()), (Field::Category, "Sweats"));
    let names: Vec<_> = candidates.iter().map(|c| (c.id, c.name.as_str())).collect();
    assert_eq!(
        names,
        [
            (30, "Hommes > Vêtements > Sweats et pulls > Sweats"),
            (50, "Femmes > Vêtements > Sweats")
        ]
    );
    assert!(
        error.to_string().contains("Femmes > Vêtements > Sweats"),
        "{error}"
    );
}

#[test]
fn inner_category_stands_for_its_leaves() {
    assert_eq!(category("Sweats et pulls"), Err(vec![30, 31, 32]));
    assert_eq!(category("Femmes > Vêtements"), Err(vec![50, 51, 52]));
    assert_eq!(
        category("Vides"),
        Err(vec![70]),
        "named, but nothing below it can be chosen"
    );
}

#[test]
fn leaf_with_its_parents_name_is_preferred() {
    assert_eq!(category("Jeans"), Ok(41));
    assert_eq!(category("jean"), Ok(41));
    assert_eq!(category("Homme > Jeans > Jeans"), Ok(41));
}

#[test]
fn unknown_category_returns_the_nearest_names() {
    let error = index().resolve_category("Hommes > Swaets").expect_err("misspelt");
    let ResolveError::Unknown { suggestions, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(
        suggestions
            .iter()
            .any(|c| c.name == "Femmes > Vêtements > Sweats"),
        "{suggestions:?}"
    );
    assert_eq!(category(""), Err(vec![]));
    assert_eq!(category(" > / "), Err(vec![]));
}

#[test]
fn brand_names_ignore_case_accents_and_spaces() {
    for (given, expected) in [
        ("nike", Ok(53)),
        ("NIKE ACG", Ok(54)),
        ("Adidas", Ok(14)),
        ("hm", Ok(10)),
        ("H & M", Ok(10)),
        ("levis", Ok(11)),
        ("hermes", Ok(12)),
        ("Acne Studio", Err(vec![])),
        ("acne studios", Ok(13)),
        ("petit bateau", Ok(15)),
        ("PetitBateau", Ok(15)),
        ("nik", Err(vec![53, 54])),
        ("zzz", Err(vec![])),
        ("", Err(vec![])),
    ] {
        assert_eq!(ids(index().resolve_brand(given)), expected, "{given}");
    }
    let error = index().resolve_brand("Nkie").expect_err("misspelt");
    assert!(error.to_string().contains("did you mean: Nike"), "{error}");
}

#[test]
fn size_is_found_by_each_of_its_names() {
    for (category, given, expected) in [
        (30, "M", Ok(208)),
        (30, "m", Ok(208)),
        (30, "xl", Ok(210)),
        (30, "X", Err(vec![])),
        (30, "38", Err(vec![])),
        (41, "M", Ok(301)),
        (41, "38", Ok(301)),
        (41, "M / 38 / 10", Ok(301)),
        (41, "m/38/10", Ok(301)),
        (41, "M / 38", Ok(301)),
        (41, "38/m", Ok(301)),
        (41, "38 (M)", Ok(301)),
        (41, "M / 40", Err(vec![])),
        (41, "38/40", Err(vec![])),
        (51, "M / 38", Ok(301)),
        (41, "M /", Ok(301)),
        (41, "/", Err(vec![])),
        (41, "38.5", Ok(303)),
        (41, "38½", Ok(303)),
        (41, "EU 38 1/2", Ok(303)),
        (41, "3", Err(vec![])),
        (51, "M", Ok(208)),
        (60, "M", Err(vec![])),
        (30, "Small", Ok(207)),
        (41, "small", Ok(300)),
        (30, "2XL", Ok(211)),
        (30, "extra large", Ok(210)),
        (30, "X-Small", Ok(206)),
        (30, "Taille M", Ok(208)),
        (30, "size: xl", Ok(210)),
        (41, "Taille 38", Ok(301)),
        (41, "T38", Ok(301)),
        (41, "EU 38", Ok(301)),
        (41, "38 EU", Ok(301)),
        (41, "EU38,5", Ok(303)),
        (41, "10", Ok(301)),
        (41, "EU 10", Err(vec![])),
        (41, "UK 38", Err(vec![])),
        (52, "One size", Ok(403)),
        (52, "TU", Ok(403)),
        (52, "Einheitsgröße", Ok(403)),
        (52, "36", Ok(402)),
        (52, "36 mois", Err(vec![])),
        (52, "3-6mois", Ok(400)),
        (52, "3", Err(vec![400, 401])),
    ] {
        assert_eq!(
            ids(index().resolve_size(category, given)),
            expected,
            "{given} in {category}"
        );
    }
    let chosen = index().resolve_size(51, "38").expect("one size is called that");
    assert_eq!(
        chosen.name, "M / 38 / 10",
        "the group's name is for telling apart alone"
    );
}

#[test]
fn unknown_size_returns_the_available_sizes() {
    let error = index().resolve_size(30, "44").expect_err("not offered");
    let ResolveError::Unknown { suggestions, .. } = error else {
        panic!("{error:?}")
    };
    let names: Vec<_> = suggestions.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["XS", "S", "M", "L", "XL", "XXL"]);
}

#[test]
fn condition_is_found_by_its_first_words_in_both_languages() {
    for (given, expected) in [
        ("bon", Ok(3)),
        ("Bon état", Ok(3)),
        ("bon etat", Ok(3)),
        ("très bon", Ok(2)),
        ("TRES BON ETAT", Ok(2)),
        ("good", Ok(3)),
        ("very good", Ok(2)),
        ("New with tags", Ok(6)),
        ("satisfaisant", Ok(4)),
        ("neuf", Err(vec![6, 1])),
        ("new", Err(vec![6, 1])),
        ("Sehr gut", Ok(2)),
        ("Velmi dobrý", Ok(2)),
        ("Nowy bez metki", Ok(1)),
        ("Buone", Ok(3)),
        ("Ικανοποιητική", Ok(4)),
        ("bonne", Err(vec![])),
        ("usé", Err(vec![])),
    ] {
        assert_eq!(ids(index().resolve_condition(30, given)), expected, "{given}");
    }
    assert_eq!(
        ids(index().resolve_condition(60, "New with tags")),
        Err(vec![]),
        "not offered there"
    );
    let chosen = index().resolve_condition(30, "good").expect("known in English");
    assert_eq!(chosen.name, "Bon état", "the name is the account's own");
}

#[test]
fn colors_materials_and_package_sizes_are_found_by_name() {
    let index = index();
    for (given, expected) in [
        ("noir", Ok(1)),
        ("Noire", Ok(1)),
        ("bleu", Ok(9)),
        ("bl", Err(vec![9, 26, 12])),
    ] {
        assert_eq!(ids(index.resolve_color(30, given)), expected, "{given}");
    }
    for (given, expected) in [
        ("coton", Ok(44)),
        ("laine", Ok(46)),
        ("laine merinos", Ok(47)),
        ("soie", Err(vec![])),
    ] {
        assert_eq!(ids(index.resolve_material(30, given)), expected, "{given}");
    }
    for (given, expected) in [
        ("petit", Ok(1)),
        ("medium", Ok(2)),
        ("Large", Ok(3)),
        ("énorme", Err(vec![])),
    ] {
        assert_eq!(ids(index.resolve_package_size(30, given)), expected, "{given}");
    }
    assert_eq!(
        ids(index.resolve_package_size(60, "large")),
        Err(vec![]),
        "not offered there"
    );
}

#[test]
fn resolve_never_panics() {
    let index = index();
    for given in [
        "\u{0}",
        "🧥",
        "a\u{301}",
        "////",
        "ß",
        "…>…",
        "İ",
        &"x".repeat(10_000),
    ] {
        let _ = index.resolve_category(given);
        let _ = index.resolve_brand(given);
        let _ = index.resolve_size(30, given);
        let _ = index.resolve_condition(30, given);
    }
}
