//! Lists and searches the choices of a catalogue.

use vintedbot_marketplace::catalog::{Brand, CatalogIndex, Category};
use vintedbot_marketplace::{Named, text};

use super::{CategoryField, FieldOption, fields, seen_by};
use crate::identity::Caller;
use crate::paging::{self, Page, PageQuery, PageRequest};
use crate::{Context, Error, Reason, Result};

/// The maximum length of a brand query, in characters.
const QUERY_MAX: usize = 100;
/// The maximum depth of a category tree. The site's trees are not deeper, so a deeper tree contains a loop.
const DEEPEST: usize = 32;

/// A category with its position in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryPlace {
    pub id: i64,
    pub name: String,
    pub parent_id: Option<i64>,
    /// The names from the root down, joined by ` > `.
    pub path: String,
    /// Whether the category is a leaf. Only leaf categories accept listings.
    pub leaf: bool,
}

/// A size with the heading of its group.
pub type SizeChoice = FieldOption;

/// Lists the children of a category, or the roots. With `recursive`, lists all descendants, parents before their
/// children.
pub async fn list_categories(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    parent_id: Option<i64>,
    recursive: bool,
    page: &PageRequest,
) -> Result<Page<CategoryPlace>> {
    let method = (caller.workspace_id.as_str(), "ListCategories");
    let parameters = (account_id, parent_id, recursive);
    let window = PageQuery::<usize>::open(&context.keys, paging::CHOICES, method, &parameters, page)?;
    let (_, index) = seen_by(context, caller, account_id).await?;
    if let Some(id) = parent_id.filter(|id| index.category(*id).is_none()) {
        return Err(unknown("parent_id", id));
    }
    let mut found = Vec::new();
    collect(&index, parent_id, if recursive { DEEPEST } else { 1 }, &mut found);
    window.of_list(
        &context.keys,
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

/// Returns a category. For a leaf, also returns the form's fields in the form's order.
pub async fn category(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    id: i64,
) -> Result<(CategoryPlace, Vec<CategoryField>)> {
    let (_, index) = seen_by(context, caller, account_id).await?;
    let category = index
        .category(id)
        .ok_or_else(|| Error::not_found("category", id.to_string()))?;
    Ok((place(&index, category), fields::of_category(&index, id)))
}

/// Lists brands of which the name or a word of the name begins with `query`, best match first. An empty query lists all
/// brands by name. With `category_id`, lists none if the category has no brand field.
pub async fn search_brands(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    query: &str,
    category_id: Option<i64>,
    page: &PageRequest,
) -> Result<Page<Brand>> {
    let query = &*text::normalize_name(query);
    if text::length(query) > QUERY_MAX {
        return Err(Error::invalid(
            "query",
            format!("must have at most {QUERY_MAX} characters"),
        ));
    }
    let method = (caller.workspace_id.as_str(), "SearchBrands");
    let parameters = (account_id, query, category_id);
    let window = PageQuery::<usize>::open(&context.keys, paging::RESOURCES, method, &parameters, page)?;
    let (_, index) = seen_by(context, caller, account_id).await?;
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
    window.of_list(&context.keys, brands.into_iter().cloned())
}

/// Lists the sizes of a leaf category in the site's order. The list is empty if the category has none.
pub async fn sizes(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    category_id: i64,
    page: &PageRequest,
) -> Result<Page<SizeChoice>> {
    let method = (caller.workspace_id.as_str(), "ListSizes");
    let window = PageQuery::<usize>::open(
        &context.keys,
        paging::CHOICES,
        method,
        &(account_id, category_id),
        page,
    )?;
    let (_, index) = seen_by(context, caller, account_id).await?;
    require_leaf(&index, category_id)?;
    window.of_list(&context.keys, fields::sizes(&index, category_id))
}

/// Lists the colours in the site's order.
pub async fn colors(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    page: &PageRequest,
) -> Result<Page<Named>> {
    choices(
        context,
        caller,
        ("ListColors", account_id),
        None,
        page,
        |index, _| index.catalog().colors.iter().collect(),
    )
    .await
}

/// Lists the conditions, best first; with `category_id`, only those of that leaf category.
pub async fn conditions(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    category_id: Option<i64>,
    page: &PageRequest,
) -> Result<Page<Named>> {
    choices(
        context,
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

/// Lists the package sizes, smallest first; with `category_id`, only those of that leaf category.
pub async fn package_sizes(
    context: &Context,
    caller: &Caller,
    account_id: &str,
    category_id: Option<i64>,
    page: &PageRequest,
) -> Result<Page<Named>> {
    choices(
        context,
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
    context: &Context,
    caller: &Caller,
    (method, account_id): (&str, &str),
    category_id: Option<i64>,
    page: &PageRequest,
    offered: impl for<'a> Fn(&'a CatalogIndex, Option<i64>) -> Vec<&'a Named>,
) -> Result<Page<Named>> {
    let method = (caller.workspace_id.as_str(), method);
    let window = PageQuery::<usize>::open(
        &context.keys,
        paging::CHOICES,
        method,
        &(account_id, category_id),
        page,
    )?;
    let (_, index) = seen_by(context, caller, account_id).await?;
    if let Some(id) = category_id {
        require_leaf(&index, id)?;
    }
    window.of_list(&context.keys, offered(&index, category_id).into_iter().cloned())
}

fn require_leaf(index: &CatalogIndex, category_id: i64) -> Result<()> {
    if index.category(category_id).is_none() {
        return Err(unknown("category_id", category_id));
    }
    if index.fields(category_id).is_none() {
        let text = format!(
            "{} is not a leaf category; choose one of its subcategories",
            index.path_name(category_id)
        );
        return Err(Error::invalid("category_id", text));
    }
    Ok(())
}

/// Returns the error for an id that is not in the catalogue.
pub(crate) fn unknown(field: &str, id: i64) -> Error {
    Error::rejected(
        Reason::NameUnknown,
        format!("{field} {id} does not exist in the account's catalogue"),
    )
    .with("field", field)
    .with("name", id.to_string())
}
