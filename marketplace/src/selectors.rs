//! CSS selectors of the elements on the site's pages, as data. Each [`Key`] lists its selectors in the order in which
//! to try them, newest markup first, with date and source.
//!
//! The site's texts are localised, so selectors use ids and test ids only. If the markup changes, an operator supplies
//! a file with the changed keys. To add an element, add a line to `keys!` and its selectors to `data/selectors.toml`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::fold::fold;

mod any;

macro_rules! keys {
    ($($(#[doc = $doc:literal])+ $key:ident = $name:literal $(, $placeholder:literal)?;)+) => {
        /// An element, or a kind of element, of the site's pages.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Key {
            $($(#[doc = $doc])+ $key,)+
        }

        impl Key {
            /// Every key, in the order of the form.
            pub const ALL: &'static [Self] = &[$(Self::$key,)+];

            /// Returns the name in the data file.
            pub fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)+ }
            }

            /// Returns the placeholder for the id or number in this key's selectors, if any: `{id}` or `{n}`.
            pub fn placeholder(self) -> Option<&'static str> {
                match self { $(Self::$key => None$(.or(Some($placeholder)))?,)+ }
            }
        }
    };
}

keys! {
    /// Shown to a logged-in member.
    UserMenu = "user_menu";
    /// Shown to a visitor who is not logged in.
    LoginButton = "login_button";
    /// The header's "sell now" link, used if `/items/new` leads to the home page.
    SellButton = "sell_button";
    /// The cookie banner.
    CookieBanner = "cookie_banner";
    /// Refuses all optional cookies.
    CookieReject = "cookie_reject";
    /// Closes the dialog that asks for the country of the site.
    CountryDialogClose = "country_dialog_close";
    /// Any dialog that covers the page.
    Dialog = "dialog";
    /// The dialog that asks for a proof of authenticity.
    AuthenticityDialog = "authenticity_dialog";
    /// Closes such a dialog without a statement.
    DialogClose = "dialog_close";
    /// A row of any open list, in markup without names for rows.
    ListRow = "list_row";
    /// A ticked row in an open list that takes several choices.
    ListTicked = "list_ticked";

    /// The hidden file input. The page may replace its node, so find it again for each use.
    PhotoInput = "photo_input";
    /// The part of the form with the photos.
    PhotoArea = "photo_area";
    /// The photo at position n, counted from 0; present once its upload has finished.
    PhotoReady = "photo_ready", "{n}";
    /// Every photo whose upload has finished.
    PhotosReady = "photos_ready";
    /// Removes the photo at position n.
    PhotoDelete = "photo_delete", "{n}";
    /// Shown while a part of the form loads.
    Loader = "loader";

    /// The title.
    Title = "title";
    /// The description.
    Description = "description";

    /// The read-only input that opens the list of categories and shows the chosen one.
    CategoryInput = "category_input";
    /// The open list of categories.
    CategoryList = "category_list";
    /// A row of that list.
    CategoryRow = "category_row", "{id}";
    /// The same row, if it leads to subcategories instead of being chosen.
    CategoryParentRow = "category_parent_row", "{id}";
    /// The search above the list.
    CategorySearch = "category_search";
    /// A category that the site suggests from the photos.
    CategorySuggestion = "category_suggestion", "{id}";

    /// The read-only input that opens the list of brands and shows the chosen one.
    BrandInput = "brand_input";
    /// The open list of brands.
    BrandList = "brand_list";
    /// The search above that list.
    BrandSearch = "brand_search";
    /// A row of that list.
    BrandRow = "brand_row", "{id}";
    /// Uses the typed text as the brand.
    BrandCustom = "brand_custom";
    /// The row for "no brand", if the list has one.
    BrandNone = "brand_none";
    /// Shown instead of rows when the search finds nothing.
    BrandNothingFound = "brand_nothing_found";

    /// The read-only input that opens the sizes and shows the chosen one.
    SizeInput = "size_input";
    /// A size, in any group.
    SizeOption = "size_option", "{id}";

    /// The read-only input that opens the conditions and shows the chosen one.
    ConditionInput = "condition_input";
    /// A condition.
    ConditionOption = "condition_option", "{id}";

    /// The read-only input that opens the colours and shows those chosen.
    ColorInput = "color_input";
    /// A colour.
    ColorOption = "color_option", "{id}";

    /// The read-only input that opens the materials and shows those chosen.
    MaterialInput = "material_input";
    /// A material.
    MaterialOption = "material_option", "{id}";

    /// "Done" in the small-screen variant of a list with several choices.
    ListDone = "list_done";

    /// The price, with its currency sign.
    Price = "price";

    /// The part of the form with the package sizes.
    PackageSizeArea = "package_size_area";
    /// A package size.
    PackageSizeOption = "package_size_option", "{id}";
    /// The input that shows whether that package size is selected.
    PackageSizeRadio = "package_size_radio", "{id}";

    /// The paid bump's checkbox, which must stay unchecked.
    Bump = "bump";

    /// Saves a draft.
    SaveDraft = "save_draft";
    /// Publishes. On the edit page of a published item, saves.
    Publish = "publish";
    /// Deletes the draft at once, without confirmation.
    DeleteDraft = "delete_draft";

    /// A validation message under a field, or a note under a choice that may hold one.
    FieldAlert = "field_alert";
    /// Shown when the form has crashed.
    CrashDialog = "crash_dialog";

    /// An item's card on the member page.
    MemberItem = "member_item", "{id}";
    /// The item's state on such a card ("Draft", "Sold").
    MemberItemStatus = "member_item_status", "{id}";

    /// Opens the edit page of the member's own item.
    ItemEdit = "item_edit";
    /// Hides the member's own item, or shows it again.
    ItemHide = "item_hide";
    /// Opens the confirmation of a deletion of the member's own item.
    ItemDelete = "item_delete";
    /// The confirmation of the deletion.
    ItemDeleteModal = "item_delete_modal";
    /// Confirms the deletion.
    ItemDeleteConfirm = "item_delete_confirm";
}

impl Key {
    /// The elements that are required to fill the form.
    pub const FORM_FIELDS: [Self; 13] = [
        Self::PhotoInput,
        Self::Title,
        Self::Description,
        Self::CategoryInput,
        Self::BrandInput,
        Self::SizeInput,
        Self::ConditionInput,
        Self::ColorInput,
        Self::MaterialInput,
        Self::Price,
        Self::PackageSizeOption,
        Self::PackageSizeRadio,
        Self::Publish,
    ];

    /// The elements that a change requires on the edit page of an item on sale, in addition to [`Key::FORM_FIELDS`].
    /// Such an item has at least one photo.
    pub const EDIT_FIELDS: [Self; 2] = [Self::PhotosReady, Self::PhotoDelete];

    /// The elements that a change requires on an item's own page. The confirmation of a deletion appears later.
    pub const ITEM_BUTTONS: [Self; 2] = [Self::ItemHide, Self::ItemDelete];
}

/// The evidence for a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// On a captured page (confidence A).
    Captured,
    /// In code that worked (confidence B).
    WorkingCode,
    /// By analogy with neighbouring elements (confidence C).
    Inferred,
    /// Supplied by the operator of this instance.
    Operator,
}

/// One selector of an element.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// May contain the key's placeholder.
    pub css: String,
    /// The month in which it was last seen, `YYYY-MM`.
    pub seen: String,
    pub source: Source,
    /// Texts that show that the element is another one, such as the button beside it.
    #[serde(default)]
    pub unless_text: Vec<String>,
}

impl Selector {
    /// Returns the CSS for any id or number.
    pub fn css_for_any(&self) -> String {
        any::widened(&self.css)
    }

    /// Whether the element's text shows that it is another one.
    pub fn is_ruled_out_by(&self, text: &str) -> bool {
        let text = fold(text);
        self.unless_text.iter().any(|other| fold(other) == text)
    }

    /// Returns the CSS with the placeholder replaced. Uses only the letters, digits, `-` and `_` of the value, so that
    /// CSS can read it as nothing but a name.
    pub fn css_for(&self, value: impl Display) -> String {
        let safe: String = value
            .to_string()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .collect();
        self.css.replace("{id}", &safe).replace("{n}", &safe)
    }
}

/// Why a selectors file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("selectors: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("selectors: {} has none", .0.name())]
    Empty(Key),
    #[error("selectors: {} of {} {}", .css, .key.name(), placeholder_rule(.key))]
    Placeholder { key: Key, css: String },
}

fn placeholder_rule(key: &Key) -> String {
    key.placeholder()
        .map_or("must not hold a placeholder".to_owned(), |p| {
            format!("must hold {p} and no other placeholder")
        })
}

type Lists = BTreeMap<Key, Vec<Selector>>;

/// The selectors of every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectors(Lists);

static EMBEDDED: LazyLock<Selectors> = LazyLock::new(|| {
    Selectors(lists(include_str!("../data/selectors.toml")).expect("the embedded file is read by a test"))
});

impl Selectors {
    /// Returns the built-in selectors.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Parses an operator's file. Its keys replace the built-in ones; all others stay.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut merged = EMBEDDED.0.clone();
        merged.extend(lists(text)?);
        Ok(Self(merged))
    }

    /// Returns the selectors of a key, in the order in which to try them; never empty.
    pub fn of(&self, key: Key) -> &[Selector] {
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Returns the CSS of a key's selectors for one id or number, in the order in which to try them.
    pub fn css(&self, key: Key, value: impl Display + Copy) -> Vec<String> {
        self.of(key)
            .iter()
            .map(|selector| selector.css_for(value))
            .collect()
    }
}

fn lists(text: &str) -> Result<Lists, ParseError> {
    let lists: Lists = toml::from_str(text)?;
    for (key, selectors) in &lists {
        if selectors.is_empty() {
            return Err(ParseError::Empty(*key));
        }
        for Selector { css, .. } in selectors {
            let fits = ["{id}", "{n}"]
                .iter()
                .all(|p| css.contains(p) == (key.placeholder() == Some(p)));
            if !fits {
                return Err(ParseError::Placeholder {
                    key: *key,
                    css: css.clone(),
                });
            }
        }
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_selectors_and_no_other_key_exists() {
        for key in Key::ALL {
            assert!(!Selectors::embedded().of(*key).is_empty(), "{}", key.name());
        }
        assert_eq!(Selectors::embedded().0.len(), Key::ALL.len());
    }

    #[test]
    fn key_names_match_the_file() {
        for key in Key::ALL {
            let css = key.placeholder().unwrap_or("x");
            let file = format!(
                "{} = [{{ css = \"#own-{css}\", seen = \"2026-12\", source = \"operator\" }}]",
                key.name()
            );
            let selectors = Selectors::parse(&file).expect("the name is known");
            assert_eq!(selectors.of(*key).len(), 1, "{}", key.name());
        }
    }

    #[test]
    fn every_selector_is_dated() {
        for key in Key::ALL {
            for Selector { css, seen, .. } in Selectors::embedded().of(*key) {
                let (year, month) = seen.split_once('-').expect("YYYY-MM");
                let month: u32 = month.parse().expect("a month");
                assert!(year.len() == 4 && (1..=12).contains(&month), "{css}: {seen}");
            }
        }
    }

    #[test]
    fn the_newest_markup_comes_first() {
        for key in Key::ALL {
            let seen: Vec<_> = Selectors::embedded().of(*key).iter().map(|s| &s.seen).collect();
            assert!(seen.is_sorted_by(|a, b| a >= b), "{}: {seen:?}", key.name());
        }
    }

    #[test]
    fn captured_names_are_tried_first() {
        let captured: [(Key, &[&str]); 8] = [
            (
                Key::PhotoDelete,
                &["[data-testid='media-select-grid-delete-button-7']"],
            ),
            (
                Key::ColorOption,
                &[
                    "[data-testid='color-7']",
                    "#color-7",
                    "[data-testid='suggested-color-7']",
                    "#color-checkbox-7",
                ],
            ),
            (
                Key::CategorySuggestion,
                &["#catalog-suggestion-7", "[id='7-catalog-suggestion-radio']"],
            ),
            (
                Key::BrandCustom,
                &["#custom-select-brand", "#custom-select-brand-radio"],
            ),
            (
                Key::PackageSizeOption,
                &["[data-testid='7-package-size--cell']", "#package-size-7"],
            ),
            (
                Key::SizeInput,
                &["#size", "[data-testid='category-size-single-grid-input']"],
            ),
            (
                Key::MaterialOption,
                &[
                    "[data-testid='material-7']",
                    "#material-7",
                    "#material-checkbox-7",
                ],
            ),
            (
                Key::FieldAlert,
                &[".web_ui__Validation__warning[role='alert']", ".c-input__note"],
            ),
        ];
        for (key, css) in captured {
            let all = Selectors::embedded().css(key, 7);
            assert_eq!(all[..css.len()], *css, "{}", key.name());
            let evidence = &Selectors::embedded().of(key)[..css.len()];
            assert!(
                evidence.iter().all(|each| each.source == Source::Captured),
                "{}",
                key.name()
            );
        }
    }

    #[test]
    fn only_known_placeholders_are_replaced() {
        let css = Selectors::embedded().css(Key::SizeOption, 208);
        assert!(
            css.contains(&"[data-testid^='size-group-'][data-testid$='-grid-option-208']".to_owned()),
            "{css:?}"
        );
        assert_eq!(Selectors::embedded().css(Key::CategoryRow, 30)[0], "#catalog-30");
        let hostile = Selectors::embedded().css(Key::CategoryRow, "30, #bump");
        assert_eq!(hostile[0], "#catalog-30bump");
    }

    #[test]
    fn button_with_the_same_text_as_its_neighbour_is_excluded() {
        let draft = &Selectors::embedded().of(Key::SaveDraft)[0];
        assert!(draft.is_ruled_out_by(" hochladen ") && draft.is_ruled_out_by("Ajouter"));
        assert!(!draft.is_ruled_out_by("Entwurf speichern") && !draft.is_ruled_out_by(""));
    }

    #[test]
    fn operator_file_replaces_the_keys_that_it_names() {
        let file = "title = [{ css = '#headline', seen = '2027-01', source = 'operator' }]";
        let selectors = Selectors::parse(file).expect("a whole file");
        assert_eq!(selectors.of(Key::Title)[0].css, "#headline");
        assert_eq!(selectors.of(Key::Price), Selectors::embedded().of(Key::Price));
    }

    #[test]
    fn a_file_that_cannot_work_is_refused() {
        let selector =
            |css: &str| format!("[{{ css = \"{css}\", seen = \"2027-01\", source = \"operator\" }}]");
        for (file, reason) in [
            ("tilte = []".to_owned(), "tilte"),
            ("title = []".to_owned(), "title has none"),
            (
                format!("category_row = {}", selector("#catalog")),
                "must hold {id}",
            ),
            (
                format!("photo_ready = {}", selector("#photo-{id}")),
                "must hold {n}",
            ),
            (format!("title = {}", selector("#title-{n}")), "must not hold"),
            ("title = [{ css = '#t' }]".to_owned(), "seen"),
        ] {
            let error = Selectors::parse(&file).expect_err(&file).to_string();
            assert!(error.contains(reason), "{file}: {error}");
        }
    }
}
