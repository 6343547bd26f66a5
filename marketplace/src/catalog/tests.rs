//! A catalog for tests.

use super::{Brand, Catalog, Category, CategoryFields, FieldRule, NO_BRAND, SizeGroup};
use crate::{Language, Named};

fn named(list: &[(i64, &str)]) -> Vec<Named> {
    list.iter()
        .map(|(id, name)| Named {
            id: *id,
            name: (*name).to_owned(),
        })
        .collect()
}

fn rule(required: bool, selection_limit: u32, options: &[i64]) -> Option<FieldRule> {
    Some(FieldRule {
        required,
        selection_limit,
        options: options.to_vec(),
    })
}

fn clothes(size_groups: &[i64]) -> Option<CategoryFields> {
    Some(CategoryFields {
        brand: rule(true, 1, &[]),
        size: rule(true, 1, size_groups),
        condition: rule(true, 1, &[6, 1, 2, 3, 4]),
        color: rule(false, 2, &[]),
        material: rule(false, 3, &[]),
        package_size: rule(true, 1, &[1, 2, 3]),
    })
}

/// A small French catalog with the difficulties of the real one: repeated names, names with slashes, two size groups.
pub(crate) fn catalog() -> Catalog {
    let category = |id, parent_id: Option<i64>, name: &str, fields| Category {
        id,
        parent_id,
        name: name.to_owned(),
        fields,
    };
    let books = Some(CategoryFields {
        condition: rule(true, 1, &[2, 3, 4]),
        package_size: rule(true, 1, &[1]),
        ..Default::default()
    });
    Catalog {
        language: Language::Fr,
        categories: vec![
            category(1904, None, "Femmes", None),
            category(5, None, "Hommes", None),
            category(10, Some(5), "Vêtements", None),
            category(11, Some(1904), "Vêtements", None),
            category(20, Some(10), "Sweats et pulls", None),
            category(30, Some(20), "Sweats", clothes(&[2])),
            category(31, Some(20), "Sweats à capuche", clothes(&[2])),
            category(32, Some(20), "Pulls", clothes(&[2])),
            category(40, Some(10), "Jeans", None),
            category(41, Some(40), "Jeans", clothes(&[3])),
            category(42, Some(40), "Jeans skinny", clothes(&[3])),
            category(50, Some(11), "Sweats", clothes(&[2])),
            category(51, Some(11), "Robes", clothes(&[2, 3])),
            category(52, Some(11), "Layette", clothes(&[4])),
            category(60, Some(1904), "Livres / BD", books),
            category(70, Some(1904), "Vides", None),
        ],
        brands: [
            (NO_BRAND, "Sans marque"),
            (53, "Nike"),
            (54, "Nike ACG"),
            (14, "adidas"),
            (10, "H&M"),
            (11, "Levi's"),
            (12, "Hermès"),
            (13, "Acne Studios"),
            (15, "Petit Bateau"),
        ]
        .map(|(id, name)| Brand {
            id,
            name: name.to_owned(),
            needs_authenticity_check: id == 12,
        })
        .into(),
        colors: named(&[
            (1, "Noir"),
            (9, "Bleu"),
            (27, "Marine"),
            (26, "Bleu clair"),
            (12, "Blanc"),
            (11, "Orange"),
            (13, "Argenté"),
            (14, "Doré"),
            (6, "Violet"),
            (25, "Lilas"),
        ]),
        size_groups: vec![
            SizeGroup {
                id: 2,
                name: "Hauts".to_owned(),
                sizes: named(&[
                    (206, "XS"),
                    (207, "S"),
                    (208, "M"),
                    (209, "L"),
                    (210, "XL"),
                    (211, "XXL"),
                ]),
            },
            SizeGroup {
                id: 3,
                name: "Bas".to_owned(),
                sizes: named(&[
                    (300, "S / 36 / 8"),
                    (301, "M / 38 / 10"),
                    (302, "L / 40 / 12"),
                    (303, "38,5"),
                ]),
            },
            SizeGroup {
                id: 4,
                name: "Âges".to_owned(),
                sizes: named(&[
                    (400, "3-6 mois"),
                    (401, "3 ans"),
                    (402, "36"),
                    (403, "Taille unique"),
                ]),
            },
        ],
        conditions: named(&[
            (6, "Neuf avec étiquette"),
            (1, "Neuf sans étiquette"),
            (2, "Très bon état"),
            (3, "Bon état"),
            (4, "Satisfaisant"),
        ]),
        materials: named(&[
            (44, "Coton"),
            (45, "Polyester"),
            (46, "Laine"),
            (47, "Laine mérinos"),
        ]),
        package_sizes: named(&[(1, "Petit"), (2, "Moyen"), (3, "Grand")]),
    }
}
