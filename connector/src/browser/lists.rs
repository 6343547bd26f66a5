//! Chooses options in the form's lists.
//!
//! The inputs of these lists are read-only: only a click on an option counts. Lists with one choice close on that
//! click, lists with several on a click outside (as seen 2026, confidence A).

use std::time::Duration;

use vintedbot_marketplace::catalog::NO_BRAND;
use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Field, ItemContent, Named};

use super::failure::failed;
use super::find::Target;
use super::page::{COMES_WITHIN, Page, value, within};
use super::reading::{says, shown_by};

/// How long a list may take to open before its input is clicked again. A page that is still loading loses clicks.
const OPENS_WITHIN: Duration = Duration::from_secs(2);
const PRESSES: usize = 4;

impl Page {
    pub(crate) async fn choose_category(&self, content: &ItemContent) -> Result<(), Error> {
        for _ in 0..PRESSES {
            if !self.walk_to_category(content).await? {
                self.search_category(content).await?;
            }
            // A category that the site derives from the photos may replace ours right after the choice.
            if self.comes_to_hold(content, Field::Category).await? {
                return Ok(());
            }
        }
        self.prove(content, Field::Category).await
    }

    /// Descends to the leaf from the deepest path step that the open list shows. Returns `false` if a step is missing.
    async fn walk_to_category(&self, content: &ItemContent) -> Result<bool, Error> {
        let path = &content.category.path;
        let Some(root) = path.first() else {
            return Err(self.not_found(Field::Category.name()).await);
        };
        let ids: Vec<String> = path.iter().map(|step| step.id.to_string()).collect();
        let row = |at: usize| Target::new(Key::CategoryRow, &ids[at]);
        if !self
            .open_list(Key::CategoryInput, row(0), &root.name, Some(Key::CategorySearch))
            .await?
        {
            return Err(self.not_found(Field::Category.name()).await);
        }
        let shown = within!(OPENS_WITHIN, {
            for at in (0..path.len()).rev() {
                if self.row(row(at), &path[at].name).await?.is_some() {
                    return Ok(Some(at));
                }
            }
            Ok(None)
        });
        let Some(first) = shown? else {
            return Ok(false);
        };
        for (at, step) in path.iter().enumerate().skip(first) {
            if !self
                .press_row(row(at), &step.name, |text| says(text, &step.name), OPENS_WITHIN)
                .await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn search_category(&self, content: &ItemContent) -> Result<(), Error> {
        let leaf = content.category.id.to_string();
        let mut upwards = content.category.path.iter().rev().map(|step| step.name.as_str());
        let name = upwards.next().unwrap_or_default();
        let parent = upwards.next().unwrap_or_default();
        let row = Target::new(Key::CategoryRow, &leaf);
        // A row with more than its name shows the path, because two leaves may have the same name.
        let is_meant =
            |text: &str| says(text, name) && (text.trim().lines().count() < 2 || says(text, parent));
        if self
            .open_list(Key::CategoryInput, Key::CategorySearch.into(), "", None)
            .await?
            && self.type_into(Key::CategorySearch, name).await?
            && self.press_row(row, name, is_meant, COMES_WITHIN).await?
        {
            return Ok(());
        }
        Err(self.not_found(Field::Category.name()).await)
    }

    pub(crate) async fn choose_brand(&self, content: &ItemContent, brand: &Named) -> Result<(), Error> {
        let id = brand.id.to_string();
        let row = Target::new(Key::BrandRow, &id);
        for _ in 0..PRESSES {
            if !self
                .open_list(Key::BrandInput, Key::BrandSearch.into(), "", None)
                .await?
            {
                return Err(self.not_found(Field::Brand.name()).await);
            }
            let is_none = brand.id == NO_BRAND && self.press(Key::BrandNone, OPENS_WITHIN).await?;
            if !is_none {
                // The search does not find "no brand" by its name: it offers that name as a brand (as seen 2026-05,
                // confidence A).
                if brand.id != NO_BRAND
                    && let Some(search) = self.find(Key::BrandSearch).await?
                    && value(&search).await.map_err(failed)? != brand.name
                {
                    self.type_into(Key::BrandSearch, &brand.name).await?;
                }
                if !self.press_row(row, &brand.name, |_| true, COMES_WITHIN).await? {
                    return Err(self.not_found(Field::Brand.name()).await);
                }
            }
            // If the search refills the list during the click, the click is lost.
            if self.comes_to_hold(content, Field::Brand).await? {
                return self.uncover().await;
            }
        }
        self.prove(content, Field::Brand).await
    }

    /// Chooses in a list that takes one choice and closes on it.
    pub(crate) async fn choose_one(
        &self,
        content: &ItemContent,
        field: Field,
        choice: &Named,
    ) -> Result<(), Error> {
        let input = shown_by(field);
        let option = if field == Field::Size {
            Key::SizeOption
        } else {
            Key::ConditionOption
        };
        let id = choice.id.to_string();
        let option = Target::new(option, &id);
        let is_chosen = self.open_list(input, option, &choice.name, None).await?
            && self
                .press_row(option, &choice.name, |_| true, COMES_WITHIN)
                .await?;
        if !is_chosen {
            return Err(self.not_found(field.name()).await);
        }
        self.prove(content, field).await
    }

    /// Chooses in a list that takes several choices and stays open. Removes existing choices first.
    pub(crate) async fn choose_many(
        &self,
        content: &ItemContent,
        field: Field,
        choices: &[Named],
    ) -> Result<(), Error> {
        let input = shown_by(field);
        let option = if field == Field::Colors {
            Key::ColorOption
        } else {
            Key::MaterialOption
        };
        let seen = self.seen(content, field).await?;
        if choices.is_empty() && seen.as_deref().unwrap_or_default().is_empty() {
            return Ok(());
        }
        if seen.is_some_and(|seen| !seen.is_empty()) && self.open_any(input).await? {
            for id in self.ticked().await? {
                let id = id.to_string();
                self.press_row(Target::new(option, &id), "", |_| true, COMES_WITHIN)
                    .await?;
            }
        }
        for choice in choices {
            let id = choice.id.to_string();
            let option = Target::new(option, &id);
            if !self.open_list(input, option, &choice.name, None).await?
                || !self
                    .press_row(option, &choice.name, |_| true, COMES_WITHIN)
                    .await?
            {
                return Err(self.not_found(field.name()).await);
            }
        }
        self.close_list().await?;
        self.prove(content, field).await
    }

    /// Opens the list of a read-only input until it shows the row, or the element `or`. Returns `false` if neither
    /// appears.
    async fn open_list(
        &self,
        input: Key,
        shows: Target<'_>,
        name: &str,
        or: Option<Key>,
    ) -> Result<bool, Error> {
        if self.comes(input, COMES_WITHIN).await?.is_none() {
            return Ok(false);
        }
        for _ in 0..PRESSES {
            if self.list_shows(shows, name, or).await? {
                return Ok(true);
            }
            self.press(input, OPENS_WITHIN).await?;
            let opened = within!(OPENS_WITHIN, {
                Ok(self.list_shows(shows, name, or).await?.then_some(()))
            });
            if opened?.is_some() {
                return Ok(true);
            }
            self.uncover().await?;
        }
        Ok(false)
    }

    async fn list_shows(&self, shows: Target<'_>, name: &str, or: Option<Key>) -> Result<bool, Error> {
        if self.row(shows, name).await?.is_some() {
            return Ok(true);
        }
        match or {
            Some(key) => Ok(self.find(key).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Opens a list that has ticked rows.
    async fn open_any(&self, input: Key) -> Result<bool, Error> {
        for _ in 0..PRESSES {
            self.press(input, COMES_WITHIN).await?;
            let opened = within!(OPENS_WITHIN, {
                let ticked = self.all(Key::ListTicked).await?;
                Ok((!ticked.is_empty()).then_some(()))
            });
            if opened?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn close_list(&self) -> Result<(), Error> {
        // The small-screen form has a button for this. Otherwise any click outside closes the list, and one on the
        // title is harmless.
        let button = if self.find(Key::ListDone).await?.is_some() {
            Key::ListDone
        } else {
            Key::Title
        };
        self.press(button, COMES_WITHIN).await.map(drop)
    }
}
