//! Reads the site's catalogue from the calls that its upload form makes.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use vintedbot_marketplace::catalog::{Brand, Catalog, Category, CategoryFields, FieldRule, SizeGroup};
use vintedbot_marketplace::{Error, Named};

use super::{Call, WebSession};
use crate::{signs, text};

/// How many leaf categories are requested at once.
const AT_ONCE: usize = 4;
/// The number of colours if the attribute has no rules. Colours and brands have none (as seen 2026,
/// confidence A).
const MOST_COLORS: u32 = 2;

/// The fields of one leaf category, with the choices from the same answers.
struct Leaf {
    fields: CategoryFields,
    conditions: Vec<Named>,
    materials: Vec<Named>,
    size_groups: Vec<SizeGroup>,
    package_sizes: Vec<Named>,
}

impl WebSession {
    pub(crate) async fn catalog(&self) -> Result<Catalog, Error> {
        let tree = self.json(&Call::get("item_upload/catalogs")).await?;
        let mut categories = Vec::new();
        add_categories(list(&tree, "catalogs")?, None, &mut categories)?;
        let brands = self.brands().await?;
        let colors = self.json(&Call::get("item_upload/colors")).await?;
        let mut catalog = Catalog {
            language: self.language,
            brands,
            colors: named_list(&colors, "colors")?,
            size_groups: Vec::new(),
            conditions: Vec::new(),
            materials: Vec::new(),
            package_sizes: Vec::new(),
            categories: Vec::new(),
        };
        let ids: Vec<i64> = categories
            .iter()
            .filter(|(_, is_leaf)| *is_leaf)
            .map(|(each, _)| each.id)
            .collect();
        let mut leaves: Vec<Leaf> = stream::iter(ids)
            .map(|id| self.leaf(id))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        leaves.reverse();
        for (mut category, is_leaf) in categories {
            if is_leaf && let Some(leaf) = leaves.pop() {
                add_new(&mut catalog.conditions, leaf.conditions, |each| each.id);
                add_new(&mut catalog.materials, leaf.materials, |each| each.id);
                add_new(&mut catalog.package_sizes, leaf.package_sizes, |each| each.id);
                add_new(&mut catalog.size_groups, leaf.size_groups, |each| each.id);
                category.fields = Some(leaf.fields);
            }
            catalog.categories.push(category);
        }
        Ok(catalog)
    }

    /// Returns the brands found by an empty search and by a search for each letter. The site has more brands; each
    /// search returns only the first ones.
    async fn brands(&self) -> Result<Vec<Brand>, Error> {
        let keywords = std::iter::once(String::new()).chain(('a'..='z').map(String::from));
        let search = |keyword: String| async move {
            let call = Call::get("item_upload/brands").query("keyword", keyword);
            let answer = self.json(&call).await?;
            // The search for a letter without brands returns none.
            let found = answer["brands"].as_array().map(Vec::as_slice).unwrap_or_default();
            found.iter().map(brand).collect::<Result<Vec<_>, Error>>()
        };
        let found: Vec<Vec<Brand>> = stream::iter(keywords)
            .map(search)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut brands = Vec::new();
        add_new(&mut brands, found.into_iter().flatten().collect(), |brand| {
            brand.id
        });
        Ok(brands)
    }

    async fn leaf(&self, id: i64) -> Result<Leaf, Error> {
        let asked = json!({ "attributes": [{ "code": "category", "value": [id] }] });
        let answer = self.json(&Call::post("item_upload/attributes", asked)).await?;
        let emptied = |what| signs::emptied(&self.detector, what, self.base.to_string(), &answer);
        let attributes =
            list(&answer, "attributes").map_err(|_| emptied(format!("category {id}: no attributes")))?;
        let rule = |code: &str, limit: u32| {
            attributes
                .iter()
                .find(|each| each["code"] == code)
                .map(|each| field_rule(each, limit))
        };
        let choices = |code: &str| {
            let of_code = attributes.iter().filter(|each| each["code"] == code);
            of_code
                .flat_map(|each| options(&each["configuration"]))
                .collect::<Vec<Named>>()
        };
        let mut fields = CategoryFields {
            brand: rule("brand", 1),
            size: rule("size", 1),
            condition: rule("condition", 1),
            color: rule("color", MOST_COLORS),
            material: rule("material", 1),
            package_size: None,
        };
        let (conditions, materials) = (choices("condition"), choices("material"));
        for (code, field, choices) in [
            ("condition", &mut fields.condition, &conditions),
            ("material", &mut fields.material, &materials),
        ] {
            if let Some(field) = field {
                if choices.is_empty() {
                    return Err(emptied(format!("category {id}: {code} without options")));
                }
                field.options = choices.iter().map(|choice| choice.id).collect();
            }
        }
        let mut size_groups = Vec::new();
        if let Some(size) = &mut fields.size {
            let call = Call::get("item_upload/size_groups").query("catalog_ids", id);
            if let Some(answer) = self.json_if_there(&call).await? {
                size_groups = list(&answer, "size_groups")?
                    .iter()
                    .map(size_group)
                    .collect::<Result<_, _>>()?;
            }
            size.options = size_groups.iter().map(|group: &SizeGroup| group.id).collect();
        }
        let path = format!("catalogs/{id}/package_sizes");
        let package_sizes = named_list(&self.json(&Call::get(&path)).await?, "package_sizes")?;
        let package_ids = package_sizes.iter().map(|each| each.id).collect();
        fields.package_size = Some(FieldRule {
            required: true,
            selection_limit: 1,
            options: package_ids,
        });
        Ok(Leaf {
            fields,
            conditions,
            materials,
            size_groups,
            package_sizes,
        })
    }
}

/// Collects the tree from the root down, each category with whether it is a leaf.
fn add_categories(
    nodes: &[Value],
    parent_id: Option<i64>,
    found: &mut Vec<(Category, bool)>,
) -> Result<(), Error> {
    for node in nodes {
        let Named { id, name } = named(node)?;
        let children = ["catalogs", "children"]
            .iter()
            .find_map(|key| node[*key].as_array());
        let children = children.map(Vec::as_slice).unwrap_or_default();
        found.push((
            Category {
                id,
                parent_id,
                name,
                fields: None,
            },
            children.is_empty(),
        ));
        add_categories(children, Some(id), found)?;
    }
    Ok(())
}

fn add_new<T>(all: &mut Vec<T>, more: Vec<T>, id: impl Fn(&T) -> i64) {
    for one in more {
        if !all.iter().any(|known| id(known) == id(&one)) {
            all.push(one);
        }
    }
}

fn field_rule(attribute: &Value, usual_limit: u32) -> FieldRule {
    let rules = &attribute["configuration"];
    let limit = rules["selection_limit"]
        .as_u64()
        .and_then(|limit| u32::try_from(limit).ok());
    FieldRule {
        required: rules["required"].as_bool().unwrap_or(true),
        selection_limit: limit.unwrap_or(usual_limit),
        options: Vec::new(),
    }
}

/// Returns the choices of an attribute, taken out of any groups.
fn options(holder: &Value) -> Vec<Named> {
    let mut found = Vec::new();
    for option in holder["options"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
    {
        if option["options"].is_array() {
            found.extend(options(option));
        } else {
            found.extend(named(option).ok());
        }
    }
    found
}

fn size_group(group: &Value) -> Result<SizeGroup, Error> {
    let caption = group["caption"]
        .as_str()
        .or(group["title"].as_str())
        .unwrap_or_default();
    let id = text::number(&group["id"]).ok_or_else(|| Error::Shape("a size group without id".to_owned()))?;
    Ok(SizeGroup {
        id,
        name: text::cleaned_name(caption),
        sizes: named_list(group, "sizes")?,
    })
}

fn brand(brand: &Value) -> Result<Brand, Error> {
    let Named { id, name } = named(brand)?;
    let needs_authenticity_check = brand["requires_authenticity_check"].as_bool().unwrap_or(false);
    Ok(Brand {
        id,
        name,
        needs_authenticity_check,
    })
}

fn named(value: &Value) -> Result<Named, Error> {
    match (
        text::number(&value["id"]),
        value["title"].as_str().or(value["name"].as_str()),
    ) {
        (Some(id), Some(name)) => Ok(Named {
            id,
            name: text::cleaned_name(name),
        }),
        _ => Err(Error::Shape("a choice without id or title".to_owned())),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a [Value], Error> {
    match value[key].as_array() {
        Some(list) if !list.is_empty() => Ok(list),
        _ => Err(Error::Shape(format!("no {key} in the answer"))),
    }
}

fn named_list(value: &Value, key: &str) -> Result<Vec<Named>, Error> {
    list(value, key)?.iter().map(named).collect()
}
