//! The generations of the upload form's markup. The form's behaviour is the same in all of them; the names of its parts
//! differ.
//!
//! As seen in 2023 (confidence A, on the Polish site), 2026-05, 2026-07 and 2026-09 (confidence A). If an older name is
//! not known, the current name is used. The size input of 2026-07 was seen again in 2026-10. To add a generation, add it
//! to [`Markup`] and describe it here.

use serde::Serialize;

use crate::appearance::Markup;

/// A read-only input that opens a list. The list's test id is `base` followed by `-content`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Input {
    pub id: &'static str,
    pub base: &'static str,
    /// Whether the input's test id is `base` followed by `-input`.
    pub tested: bool,
}

impl Input {
    const fn new(id: &'static str, base: &'static str) -> Self {
        Self {
            id,
            base,
            tested: true,
        }
    }

    const fn untested(id: &'static str, base: &'static str) -> Self {
        Self {
            id,
            base,
            tested: false,
        }
    }

    /// Returns its attributes for the page's HTML.
    pub fn attributes(&self) -> String {
        let test_id = if self.tested {
            format!(r#" data-testid="{}-input""#, self.base)
        } else {
            String::new()
        };
        format!(r#"id="{id}" name="{id}"{test_id}"#, id = self.id)
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Generation {
    /// The test id of the photo area; the grid's test id adds `-grid`.
    pub photos: Option<&'static str>,
    /// Whether photos are `img` elements instead of backgrounds.
    pub images: bool,
    /// Whether the tile that adds photos contains a separate button.
    pub upload_button: bool,
    pub category: Input,
    pub brand: Input,
    pub size: Input,
    pub condition: Input,
    pub color: Input,
    pub material: Input,
    /// Whether the rows of lists are inside `li.pile__element`.
    pub piles: bool,
    /// The suffix of a package size row's test id after the number.
    pub package: &'static str,
}

const SEPTEMBER_2026: Generation = Generation {
    photos: Some("media-upload"),
    images: false,
    upload_button: true,
    category: Input::new("category", "catalog-select-dropdown"),
    brand: Input::new("brand", "brand-select-dropdown"),
    size: Input::new("size", "category-size-single-grid_chips"),
    condition: Input::new("condition", "category-condition-single-list"),
    color: Input::new("color", "color-select-dropdown"),
    material: Input::new("material", "category-material-multi-list"),
    piles: false,
    package: "-package-size--cell",
};

const JULY_2026: Generation = Generation {
    size: Input::new("size", "category-size-single-grid"),
    ..SEPTEMBER_2026
};

const MAY_2026: Generation = Generation {
    photos: Some("media-select"),
    images: true,
    upload_button: false,
    size: Input::new("size", "size-select-dropdown"),
    condition: Input::new("condition", "condition-select-dropdown"),
    ..SEPTEMBER_2026
};

const Y2023: Generation = Generation {
    photos: None,
    images: true,
    upload_button: false,
    category: Input::untested("catalog_id", "catalog-select-dropdown"),
    brand: Input::untested("brand_id", "brand-select-dropdown"),
    size: Input::untested("size_id", "size-select-dropdown"),
    condition: Input::untested("status_id", "condition-select-dropdown"),
    piles: true,
    package: "-package-size",
    ..SEPTEMBER_2026
};

impl Generation {
    pub fn of(markup: Markup) -> Self {
        match markup {
            Markup::Y2023 => Y2023,
            Markup::May2026 => MAY_2026,
            Markup::July2026 => JULY_2026,
            Markup::September2026 => SEPTEMBER_2026,
        }
    }
}
