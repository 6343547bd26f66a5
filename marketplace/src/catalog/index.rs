//! Fast lookups in a [`Catalog`].

use std::collections::HashMap;

use super::synonyms::no_brand;
use super::{Brand, Catalog, Category, CategoryFields, FieldRule, NO_BRAND, SizeGroup};
use crate::fold::Folded;
use crate::{CategoryChoice, Named};

/// No tree of the site is deeper. A longer path is a loop in the data.
const DEEPEST_PATH: usize = 32;

/// A [`Catalog`] with indexes for lookups.
#[derive(Clone, Debug)]
pub struct CatalogIndex {
    catalog: Catalog,
    category_at: HashMap<i64, usize>,
    brand_at: HashMap<i64, usize>,
    children_of: HashMap<Option<i64>, Vec<usize>>,
    pub(super) category_names: Vec<Folded>,
    pub(super) brand_names: Vec<Folded>,
}

impl CatalogIndex {
    /// Indexes a catalog. If an id occurs twice, the later entry counts. If the brands lack the entry for "no brand",
    /// it is added.
    pub fn new(mut catalog: Catalog) -> Self {
        // The site's form always offers it, but its search does not find it (as seen 2026-05, confidence A).
        if !catalog.brands.iter().any(|brand| brand.id == NO_BRAND) {
            catalog.brands.push(Brand {
                id: NO_BRAND,
                name: no_brand(catalog.language).to_owned(),
                needs_authenticity_check: false,
            });
        }
        let mut children_of: HashMap<_, Vec<_>> = HashMap::new();
        for (at, category) in catalog.categories.iter().enumerate() {
            children_of.entry(category.parent_id).or_default().push(at);
        }
        Self {
            category_at: catalog
                .categories
                .iter()
                .enumerate()
                .map(|(at, c)| (c.id, at))
                .collect(),
            brand_at: catalog
                .brands
                .iter()
                .enumerate()
                .map(|(at, b)| (b.id, at))
                .collect(),
            children_of,
            category_names: catalog.categories.iter().map(|c| Folded::new(&c.name)).collect(),
            brand_names: catalog.brands.iter().map(|b| Folded::new(&b.name)).collect(),
            catalog,
        }
    }

    /// Returns the catalog itself.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Returns a category by id.
    pub fn category(&self, id: i64) -> Option<&Category> {
        self.category_at.get(&id).map(|at| &self.catalog.categories[*at])
    }

    /// Returns the path from the root to a category, including it; empty for an unknown id.
    pub fn path(&self, id: i64) -> Vec<&Category> {
        let mut path: Vec<_> = std::iter::successors(self.category(id), |c| {
            c.parent_id.and_then(|parent| self.category(parent))
        })
        .take(DEEPEST_PATH)
        .collect();
        path.reverse();
        path
    }

    /// Returns the path as text: `Homme > Vêtements > Sweats`.
    pub fn path_name(&self, id: i64) -> String {
        self.path(id)
            .iter()
            .map(|c| c.name.as_str())
            .collect::<Vec<_>>()
            .join(" > ")
    }

    /// Returns a leaf category as a listing stores it; `None` for an unknown id and for a category that is not a leaf.
    pub fn choice(&self, id: i64) -> Option<CategoryChoice> {
        self.fields(id)?;
        let path = self
            .path(id)
            .into_iter()
            .map(|c| Named {
                id: c.id,
                name: c.name.clone(),
            })
            .collect();
        Some(CategoryChoice { id, path })
    }

    /// Returns the children of a category, or the roots, in the site's order.
    pub fn children(&self, parent_id: Option<i64>) -> impl Iterator<Item = &Category> {
        self.children_of
            .get(&parent_id)
            .into_iter()
            .flatten()
            .map(|at| &self.catalog.categories[*at])
    }

    /// Returns every leaf at or below a category, in the site's order.
    pub fn leaves(&self, id: i64) -> Vec<&Category> {
        let mut leaves = Vec::new();
        self.collect_leaves(self.category(id), 0, &mut leaves);
        leaves
    }

    fn collect_leaves<'a>(
        &'a self,
        category: Option<&'a Category>,
        depth: usize,
        leaves: &mut Vec<&'a Category>,
    ) {
        let Some(category) = category.filter(|_| depth < DEEPEST_PATH) else {
            return;
        };
        if category.fields.is_some() {
            leaves.push(category);
        }
        for child in self.children(Some(category.id)) {
            self.collect_leaves(Some(child), depth + 1, leaves);
        }
    }

    /// Returns the fields of a leaf category; `None` for an unknown id and for a category that is not a leaf.
    pub fn fields(&self, category_id: i64) -> Option<&CategoryFields> {
        self.category(category_id)?.fields.as_ref()
    }

    /// Returns the size groups that a category offers.
    pub fn size_groups(&self, category_id: i64) -> Vec<&SizeGroup> {
        self.offered(
            category_id,
            |fields| fields.size.as_ref(),
            &self.catalog.size_groups,
            |group| group.id,
        )
    }

    /// Returns the conditions that a category offers.
    pub fn conditions(&self, category_id: i64) -> Vec<&Named> {
        self.offered(
            category_id,
            |fields| fields.condition.as_ref(),
            &self.catalog.conditions,
            |c| c.id,
        )
    }

    /// Returns the colours that a category offers.
    pub fn colors(&self, category_id: i64) -> Vec<&Named> {
        self.offered(
            category_id,
            |fields| fields.color.as_ref(),
            &self.catalog.colors,
            |c| c.id,
        )
    }

    /// Returns the materials that a category offers.
    pub fn materials(&self, category_id: i64) -> Vec<&Named> {
        self.offered(
            category_id,
            |fields| fields.material.as_ref(),
            &self.catalog.materials,
            |m| m.id,
        )
    }

    /// Returns the package sizes that a category offers.
    pub fn package_sizes(&self, category_id: i64) -> Vec<&Named> {
        self.offered(
            category_id,
            |fields| fields.package_size.as_ref(),
            &self.catalog.package_sizes,
            |p| p.id,
        )
    }

    fn offered<'a, T>(
        &'a self,
        category_id: i64,
        rule: impl Fn(&'a CategoryFields) -> Option<&'a FieldRule>,
        list: &'a [T],
        id: impl Fn(&T) -> i64,
    ) -> Vec<&'a T> {
        let Some(rule) = self.fields(category_id).and_then(rule) else {
            return Vec::new();
        };
        if rule.options.is_empty() {
            return list.iter().collect();
        }
        rule.options
            .iter()
            .filter_map(|option| list.iter().find(|entry| id(entry) == *option))
            .collect()
    }

    /// Returns a brand by id.
    pub fn brand(&self, id: i64) -> Option<&Brand> {
        self.brand_at.get(&id).map(|at| &self.catalog.brands[*at])
    }

    /// Returns the brands whose name, or a later word of it, begins with these letters. Case and accents do not count.
    /// The best matches come first, at most `limit`. An empty text matches nothing.
    pub fn search_brands(&self, letters: &str, limit: usize) -> Vec<&Brand> {
        let given = Folded::new(letters);
        if given.is_empty() {
            return Vec::new();
        }
        let later_word = format!(" {}", given.text());
        let mut found: Vec<_> = self
            .brand_names
            .iter()
            .zip(&self.catalog.brands)
            .filter_map(|(name, brand)| {
                let in_later_word = || name.text().contains(&later_word);
                let rank = name.answers(&given).map(|rank| rank as usize);
                rank.or_else(|| in_later_word().then_some(usize::MAX))
                    .map(|rank| (rank, name.text(), brand))
            })
            .collect();
        found.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        found.into_iter().take(limit).map(|(_, _, brand)| brand).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::catalog;
    use super::*;

    fn names<'a>(categories: impl IntoIterator<Item = &'a Category>) -> Vec<&'a str> {
        categories.into_iter().map(|c| c.name.as_str()).collect()
    }

    #[test]
    fn path_starts_at_the_root() {
        let index = CatalogIndex::new(catalog());
        assert_eq!(
            index.path_name(30),
            "Hommes > Vêtements > Sweats et pulls > Sweats"
        );
        assert!(index.path(999).is_empty());
        let choice = index.choice(30).expect("a leaf can be chosen");
        assert_eq!(
            choice.path.iter().map(|n| n.id).collect::<Vec<_>>(),
            [5, 10, 20, 30]
        );
        assert!(
            index.choice(20).is_none(),
            "a category with children cannot be chosen"
        );
    }

    #[test]
    fn loop_in_the_tree_terminates() {
        let mut looped = catalog();
        for category in &mut looped.categories {
            if category.id == 5 {
                category.parent_id = Some(20);
            }
        }
        let index = CatalogIndex::new(looped);
        assert_eq!(index.path(30).len(), DEEPEST_PATH);
        assert!(!index.leaves(5).is_empty());
    }

    #[test]
    fn children_and_leaves_keep_the_sites_order() {
        let index = CatalogIndex::new(catalog());
        assert_eq!(names(index.children(None)), ["Femmes", "Hommes"]);
        assert_eq!(names(index.leaves(20)), ["Sweats", "Sweats à capuche", "Pulls"]);
        assert_eq!(index.children(Some(30)).count(), 0);
    }

    #[test]
    fn leaf_offers_the_choices_of_its_rules() {
        let index = CatalogIndex::new(catalog());
        assert_eq!(
            index.size_groups(30).iter().map(|g| g.id).collect::<Vec<_>>(),
            [2]
        );
        assert_eq!(index.conditions(30).len(), 5);
        assert_eq!(index.colors(30).len(), catalog().colors.len());
        assert!(index.materials(60).is_empty(), "not asked for");
        assert!(index.size_groups(20).is_empty(), "not a leaf");
    }

    #[test]
    fn brands_are_found_by_prefix() {
        let index = CatalogIndex::new(catalog());
        let found = |letters: &str| -> Vec<String> {
            index
                .search_brands(letters, 10)
                .into_iter()
                .map(|b| b.name.clone())
                .collect()
        };
        assert_eq!(found("NIK"), ["Nike", "Nike ACG"]);
        assert_eq!(found("nike"), ["Nike", "Nike ACG"]);
        assert_eq!(found("hermes"), ["Hermès"]);
        assert_eq!(found("ac"), ["Acne Studios", "Nike ACG"]);
        assert_eq!(found("stud"), ["Acne Studios"]);
        assert!(found("  ").is_empty());
        assert_eq!(index.search_brands("n", 1).len(), 1);
    }

    #[test]
    fn catalog_without_no_brand_gets_the_entry() {
        let mut without = catalog();
        without.brands.retain(|brand| brand.id != NO_BRAND);
        let index = CatalogIndex::new(without);
        let brand = index.brand(NO_BRAND).expect("it is added");
        assert_eq!(brand.name, "Sans marque");
        let resolved = index.resolve_brand("Ohne Marke").expect("the site's own entry");
        assert_eq!(resolved.id, NO_BRAND);
        let whole = CatalogIndex::new(catalog());
        assert_eq!(whole.catalog(), &catalog(), "nothing is added to a whole catalog");
    }

    #[test]
    fn json_lists_shared_choices_once() {
        let json = serde_json::to_string(&catalog()).expect("a catalog is plain data");
        assert_eq!(json.matches("Neuf avec étiquette").count(), 1);
        let back: Catalog = serde_json::from_str(&json).expect("it was written by us");
        assert_eq!(back, catalog());
    }
}
