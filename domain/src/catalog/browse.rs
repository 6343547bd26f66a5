//! Looking through a catalogue.

use vintedbot_marketplace::Named;
use vintedbot_marketplace::catalog::{Brand, CatalogIndex, Category};

use super::{CategoryField, FieldOption, fields, seen_by};
use crate::identity::Caller;
use crate::paging::{self, Page, PageRequest, Window};
use crate::{Domain, Error, Reason, Result};

/// The longest text to search brands by, in characters.
const QUERY_MAX: usize = 100;
/// No tree of the site is deeper; what is deeper is a loop in what was read.
const DEEPEST: usize = 32;

/// A place in the category tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryPlace {
    pub id: i64,
    pub name: String,
    pub parent_id: Option<i64>,
    /// Names from the root down, parted by ` > `.
    pub path: String,
    /// Only such a category can be published in.
    pub leaf: bool,
}

/// One size, with the heading of its group.
pub type SizeChoice = FieldOption;

/// The children of a category (or the roots), or with `recursive` everything below it, parents before their children.
pub async fn list_categories(
    domain: &Domain,
    caller: &Caller,
    account_id: &str,
    parent_id: Option<i64>,
    recursive: bool,
    page: &PageRequest,
) -> Result<Page<CategoryPlace>> {
    let method = (caller.owner_id.as_str(), "ListCategories");
    let parameters = (account_id, parent_id, recursive);
    let window = Window::<usize>::open(&domain.keys, paging::CHOICES, method, &parameters, page)?;
    let (_, index) = seen_by(domain, caller, account_id).await?;
    if let Some(id) = parent_id.filter(|id| index.category(*id).is_none()) {
        return Err(unknown("parent_id", id));
    }
    let mut found = Vec::new();
    collect(&index, parent_id, if recursive { DEEPEST } else { 1 }, &mut found);
    window.of_list(
        &domain.keys,
        found.into_iter().map(|category| place(&index, category)),
    )
}

fn collect<'a>(index: &'a CatalogIndex, parent_id: Option<i64>, depth: usize, found: &mut Vec<&'a Category>) {
    if depth == 0 {
        return;
    }
    for child in index.children(parent_id) {
        found.push(child);
        collect(index, Some(child.id), depth - 1, found);
    }
}

fn place(index: &CatalogIndex, category: &Category) -> CategoryPlace {
    CategoryPlace {
        id: category.id,
        name: category.name.clone(),
        parent_id: category.parent_id,
        path: index.path_name(category.id),
        leaf: category.fields.is_some(),
    }
}

/// One category, with the fields that a leaf asks for in the form's order.
pub async fn category(
    domain: &Domain,
    caller: &Caller,
    account_id: &str,
    id: i64,
) -> Result<(CategoryPlace, Vec<CategoryField>)> {
    let (_, index) = seen_by(domain, caller, account_id).await?;
    let category = index
        .category(id)
        .ok_or_else(|| Error::not_found("category", id.to_string()))?;
    Ok((place(&index, category), fields::of_category(&index, id)))
}

/// Brands whose name, or a word of it, begins with the text, best match first; all of them by name where there is none.
/// `category_id` leaves none where the category asks for no brand.
pub async fn search_brands(
    domain: &Domain,
    caller: &Caller,
    account_id: &str,
    query: &str,
    category_id: Option<i64>,
    page: &PageRequest,
) -> Result<Page<Brand>> {
    if query.chars().count() > QUERY_MAX {
        return Err(Error::invalid(
            "query",
            format!("must have at most {QUERY_MAX} characters"),
        ));
    }
    let method = (caller.owner_id.as_str(), "SearchBrands");
    let parameters = (account_id, query, category_id);
    let window = Window::<usize>::open(&domain.keys, paging::RESOURCES, method, &parameters, page)?;
    let (_, index) = seen_by(domain, caller, account_id).await?;
    let asked = match category_id {
        None => true,
        Some(id) => index
            .category(id)
            .ok_or_else(|| unknown("category_id", id))?
            .fields
            .as_ref()
            .is_some_and(|f| f.brand.is_some()),
    };
    let mut brands: Vec<&Brand> = match query.trim() {
        _ if !asked => Vec::new(),
        "" => index.catalog().brands.iter().collect(),
        text => index.search_brands(text, usize::MAX),
    };
    if query.trim().is_empty() {
        brands.sort_by_key(|brand| brand.name.to_lowercase());
    }
    window.of_list(&domain.keys, brands.into_iter().cloned())
}

/// The sizes of a leaf category, in the site's order; none where it has none.
pub async fn sizes(
    domain: &Domain,
    caller: &Caller,
    account_id: &str,
    category_id: i64,
    page: &PageRequest,
) -> Result<Page<SizeChoice>> {
    let method = (caller.owner_id.as_str(), "ListSizes");
    let window = Window::<usize>::open(
        &domain.keys,
        paging::CHOICES,
        method,
        &(account_id, category_id),
        page,
    )?;
    let (_, index) = seen_by(domain, caller, account_id).await?;
    require_leaf(&index, category_id)?;
    window.of_list(&domain.keys, fields::sizes(&index, category_id))
}

/// The colours, in the site's order.
pub async fn colors(
    domain: &Domain,
    caller: &Caller,
    account_id: &str,
    page: &PageRequest,
) -> Result<Page<Named>> {
    choices(
        domain,
        caller,
        ("ListColors", account_id),
        None,
        page,
        |index, _| index.catalog().colors.iter().collect(),
    )
    .await
}

/// The conditions, best first; only those that a leaf category allows where one is given.
pub async fn conditions(
    domain: &Domain,
    caller: &Caller,
    account_id: &str,
    category_id: Option<i64>,
    page: &PageRequest,
) -> Result<Page<Named>> {
    choices(
        domain,
        caller,
        ("ListConditions", account_id),
        category_id,
        page,
        |index, category| match category {
            Some(id) => index.conditions(id),
            None => index.catalog().conditions.iter().collect(),
        },
    )
    .await
}

/// The package sizes, smallest first; only those that a leaf category allows where one is given.
pub async fn package_sizes(
    domain: &Domain,
    caller: &Caller,
    account_id: &str,
    category_id: Option<i64>,
    page: &PageRequest,
) -> Result<Page<Named>> {
    choices(
        domain,
        caller,
        ("ListPackageSizes", account_id),
        category_id,
        page,
        |index, category| match category {
            Some(id) => index.package_sizes(id),
            None => index.catalog().package_sizes.iter().collect(),
        },
    )
    .await
}

async fn choices(
    domain: &Domain,
    caller: &Caller,
    (method, account_id): (&str, &str),
    category_id: Option<i64>,
    page: &PageRequest,
    offered: impl for<'a> Fn(&'a CatalogIndex, Option<i64>) -> Vec<&'a Named>,
) -> Result<Page<Named>> {
    let method = (caller.owner_id.as_str(), method);
    let window = Window::<usize>::open(
        &domain.keys,
        paging::CHOICES,
        method,
        &(account_id, category_id),
        page,
    )?;
    let (_, index) = seen_by(domain, caller, account_id).await?;
    if let Some(id) = category_id {
        require_leaf(&index, id)?;
    }
    window.of_list(&domain.keys, offered(&index, category_id).into_iter().cloned())
}

fn require_leaf(index: &CatalogIndex, category_id: i64) -> Result<()> {
    if index.category(category_id).is_none() {
        return Err(unknown("category_id", category_id));
    }
    if index.fields(category_id).is_none() {
        let text = format!(
            "{} is divided further: choose one below it",
            index.path_name(category_id)
        );
        return Err(Error::invalid("category_id", text));
    }
    Ok(())
}

/// What is answered where an id stands for nothing in the catalogue.
pub(crate) fn unknown(field: &str, id: i64) -> Error {
    Error::rejected(
        Reason::NameUnknown,
        format!("{field} {id} stands for nothing in the account's catalogue"),
    )
    .with("field", field)
    .with("name", id.to_string())
}
