//! Checks a listing against the limits, the category and the market.

use super::{Length, Limits, Range, Submission, TitleLimits, Violation, ViolationKind};
use crate::catalog::{CatalogIndex, CategoryFields, FieldRule};
use crate::markets::Market;
use crate::{Field, Money, Named, currencies, text};

/// The maximum length of a text that a description quotes.
const QUOTED_MAX: usize = 20;

/// Returns every violation of a listing, in the form's order; empty if the site should accept it. `market` is the
/// site's market, `home` the account's. They differ while the account works on the practice site.
///
/// A brand outside the catalog is accepted, because the site knows more brands than a catalog holds.
pub fn validate(
    item: &Submission<'_>,
    catalog: &CatalogIndex,
    market: &Market,
    home: &Market,
    limits: &Limits,
) -> Vec<Violation> {
    let mut check = Check {
        violations: Vec::new(),
    };
    check.photos(item.photo_count, limits.photos);
    check.title(item.title, limits.title);
    if limits.emoji.refused_in_titles.contains(&home.site) {
        check.no_emoji(item.title, home);
    }
    check.length(Field::Description, item.description, limits.description);
    check.characters(Field::Description, item.description, |c| c == '\n');
    if let Some(fields) = check.category(item.category_id, catalog) {
        check.choices(item, fields, catalog, limits);
    }
    check.price(item.price, market, limits);
    check.violations
}

struct Check {
    violations: Vec<Violation>,
}

impl Check {
    fn add(&mut self, field: Field, kind: ViolationKind, description: impl Into<String>) {
        self.violations.push(Violation {
            field,
            kind,
            description: description.into(),
        });
    }

    fn photos(&mut self, count: usize, limit: Range) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let Range { min, max } = limit;
        if count == 0 && min > 0 {
            self.add(
                Field::Photos,
                ViolationKind::Missing,
                format!("at least {min} is needed"),
            );
        } else if count < min {
            self.add(
                Field::Photos,
                ViolationKind::TooFew,
                format!("{count} given, at least {min} are needed"),
            );
        } else if count > max {
            self.add(
                Field::Photos,
                ViolationKind::TooMany,
                format!("{count} given, at most {max} are allowed"),
            );
        }
    }

    fn title(&mut self, title: &str, limits: TitleLimits) {
        let TitleLimits {
            min_chars, max_chars, ..
        } = limits;
        self.length(Field::Title, title, Length { min_chars, max_chars });
        self.characters(Field::Title, title, |_| false);
        let capitals = title.chars().filter(|c| c.is_uppercase()).count();
        let letters = capitals + title.chars().filter(|c| c.is_lowercase()).count();
        if letters > limits.capitals_free_letters && capitals * 100 > letters * limits.capitals_max_percent {
            let text = format!(
                "{capitals} of {letters} letters are capitals, at most {} % are allowed",
                limits.capitals_max_percent
            );
            self.add(Field::Title, ViolationKind::TooManyCapitals, text);
        }
        let (length, run) = longest_special_run(title);
        if length > limits.special_run_max {
            let text = format!(
                "{length} special characters in a row ({}), at most {} are allowed",
                text::beginning(run, QUOTED_MAX),
                limits.special_run_max
            );
            self.add(Field::Title, ViolationKind::SpecialCharactersInARow, text);
        }
    }

    fn no_emoji(&mut self, title: &str, home: &Market) {
        let mut found: Vec<&str> = Vec::new();
        for emoji in text::graphemes(title).filter(|grapheme| text::is_emoji(grapheme)) {
            // More of them would not be quoted.
            if found.len() < QUOTED_MAX && !found.contains(&emoji) {
                found.push(emoji);
            }
        }
        if !found.is_empty() {
            let found = found.join(" ");
            let text = format!(
                "contains the emoji {}; {} accepts no emoji in a title",
                text::beginning(&found, QUOTED_MAX),
                home.site
            );
            self.add(Field::Title, ViolationKind::Emoji, text);
        }
    }

    fn length(&mut self, field: Field, text: &str, limits: Length) {
        let (trimmed, whole) = (text::length(text.trim()), text::length(text));
        let Length { min_chars, max_chars } = limits;
        if min_chars > 0 && text::is_blank(text) {
            self.add(field, ViolationKind::Missing, "is needed");
        } else if trimmed < min_chars {
            self.add(
                field,
                ViolationKind::TooShort,
                format!("{trimmed} characters, at least {min_chars} are needed"),
            );
        }
        if whole > max_chars {
            self.add(
                field,
                ViolationKind::TooLong,
                format!("{whole} characters, at most {max_chars} are allowed"),
            );
        }
    }

    fn characters(&mut self, field: Field, text: &str, allowed: impl Fn(char) -> bool) {
        if let Some(c) = text.chars().find(|c| c.is_control() && !allowed(*c)) {
            let text = format!("contains the control character U+{:04X}", u32::from(c));
            self.add(field, ViolationKind::ControlCharacter, text);
        }
    }

    fn category<'a>(&mut self, id: Option<i64>, catalog: &'a CatalogIndex) -> Option<&'a CategoryFields> {
        let Some(id) = id else {
            self.add(Field::Category, ViolationKind::Missing, "is needed");
            return None;
        };
        if catalog.category(id).is_none() {
            self.add(
                Field::Category,
                ViolationKind::NotOffered,
                format!("there is no category {id}"),
            );
        } else if catalog.fields(id).is_none() {
            let text = format!("{} has subcategories: choose one of them", catalog.path_name(id));
            self.add(Field::Category, ViolationKind::NotALeaf, text);
        }
        catalog.fields(id)
    }

    fn choices(
        &mut self,
        item: &Submission<'_>,
        fields: &CategoryFields,
        catalog: &CatalogIndex,
        limits: &Limits,
    ) {
        let category = item.category_id.unwrap_or_default();
        let ids = |named: Vec<&Named>| Some(named.into_iter().map(|n| n.id).collect::<Vec<_>>());
        let sizes = catalog
            .size_groups(category)
            .into_iter()
            .flat_map(|g| &g.sizes)
            .map(|s| s.id)
            .collect();
        let no_limit = usize::MAX;
        for (field, rule, chosen, offered, max) in [
            (
                Field::Brand,
                &fields.brand,
                as_slice(&item.brand_id),
                None,
                no_limit,
            ),
            (
                Field::Size,
                &fields.size,
                as_slice(&item.size_id),
                Some(sizes),
                no_limit,
            ),
            (
                Field::Condition,
                &fields.condition,
                as_slice(&item.condition_id),
                ids(catalog.conditions(category)),
                no_limit,
            ),
            (
                Field::Colors,
                &fields.color,
                &item.color_ids[..],
                ids(catalog.colors(category)),
                limits.colors.max,
            ),
            (
                Field::Materials,
                &fields.material,
                &item.material_ids[..],
                ids(catalog.materials(category)),
                limits.materials.max,
            ),
            (
                Field::PackageSize,
                &fields.package_size,
                as_slice(&item.package_size_id),
                ids(catalog.package_sizes(category)),
                no_limit,
            ),
        ] {
            self.choice(field, rule.as_ref(), chosen, offered.as_deref(), max);
        }
    }

    /// `offered` is `None` if the catalog does not hold every choice.
    fn choice(
        &mut self,
        field: Field,
        rule: Option<&FieldRule>,
        chosen: &[i64],
        offered: Option<&[i64]>,
        max: usize,
    ) {
        let Some(rule) = rule else {
            if !chosen.is_empty() {
                self.add(
                    field,
                    ViolationKind::NotAskedFor,
                    "this category does not have this field",
                );
            }
            return;
        };
        if rule.required && chosen.is_empty() {
            self.add(field, ViolationKind::Missing, "this category requires it");
        }
        let max = max.min(usize::try_from(rule.selection_limit).unwrap_or(usize::MAX));
        if chosen.len() > max {
            self.add(
                field,
                ViolationKind::TooMany,
                format!("{} given, at most {max} allowed", chosen.len()),
            );
        }
        for (at, id) in chosen.iter().enumerate() {
            if chosen[..at].contains(id) {
                self.add(field, ViolationKind::Repeated, format!("{id} is given twice"));
            } else if offered.is_some_and(|offered| !offered.contains(id)) {
                self.add(
                    field,
                    ViolationKind::NotOffered,
                    format!("this category does not offer {id}"),
                );
            }
        }
    }

    fn price(&mut self, price: Option<&Money>, market: &Market, limits: &Limits) {
        let Some(price) = price else {
            return self.add(Field::Price, ViolationKind::Missing, "is needed");
        };
        if price.currency != market.currency {
            let text = format!(
                "{} sells in {}, not in {}",
                market.site, market.currency, price.currency
            );
            return self.add(Field::Price, ViolationKind::WrongCurrency, text);
        }
        let Range { min, max } = limits.price.get(&price.currency).copied().unwrap_or(Range {
            min: 1,
            max: i64::MAX,
        });
        let shown = |minor_units| {
            let amount = currencies::decimal(minor_units, &price.currency, '.');
            format!("{amount} {}", price.currency)
        };
        if price.minor_units < min {
            let text = format!(
                "{} is below the minimum price, {}",
                shown(price.minor_units),
                shown(min)
            );
            self.add(Field::Price, ViolationKind::TooLow, text);
        } else if price.minor_units > max {
            let text = format!(
                "{} is above the maximum price, {}",
                shown(price.minor_units),
                shown(max)
            );
            self.add(Field::Price, ViolationKind::TooHigh, text);
        }
    }
}

fn as_slice(id: &Option<i64>) -> &[i64] {
    id.as_slice()
}

/// Returns the longest run of special characters, and its length in grapheme clusters. An emoji counts once, however
/// many code points it has.
fn longest_special_run(title: &str) -> (usize, &str) {
    let mut longest = (0, "");
    let (mut start, mut end, mut length) = (0, 0, 0);
    for grapheme in text::graphemes(title) {
        end += grapheme.len();
        if grapheme.chars().any(|c| c.is_alphanumeric() || c.is_whitespace()) {
            (start, length) = (end, 0);
            continue;
        }
        length += 1;
        if length > longest.0 {
            longest = (length, &title[start..end]);
        }
    }
    longest
}
