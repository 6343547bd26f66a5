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

fn category(given: &str) -> Result<i64, Vec<i64>> {
    ids(index().resolve_category(given).map(|c| Named {
        id: c.id,
        name: String::new(),
    }))
}

#[test]
fn embedded_aliases_can_be_read() {
    assert_eq!(ALIASES.condition.len(), 5);
    assert_eq!(ALIASES.package_size.len(), 3);
    assert!(ALIASES.brand.contains_key(&NO_BRAND));
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
        category("capuche"),
        Ok(31),
        "one word is enough when nothing else has it"
    );
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
    assert_eq!(category("Femmes / Livres"), Ok(60));
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
    assert_eq!(category("Femmes > Vêtements"), Err(vec![50, 51]));
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
        ("acne", Ok(13)),
        ("Sans marque", Ok(NO_BRAND)),
        ("no brand", Ok(NO_BRAND)),
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
        (41, "38.5", Ok(303)),
        (41, "3", Err(vec![])),
        (51, "M", Ok(208)),
        (60, "M", Err(vec![])),
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
        ("new", Err(vec![1, 6])),
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
        ("clair", Ok(26)),
        ("bl", Err(vec![9, 26, 12])),
    ] {
        assert_eq!(ids(index.resolve_color(30, given)), expected, "{given}");
    }
    for (given, expected) in [
        ("coton", Ok(44)),
        ("laine", Ok(46)),
        ("mérinos", Ok(47)),
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
