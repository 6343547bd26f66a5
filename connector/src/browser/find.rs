//! Finds elements by the selectors file.
//!
//! The site identifies an element both by id and by test id. The selectors of a key may contradict each other, for
//! example if an id has moved to another element or if a second element has the same name. Then no field is filled on
//! the basis of one selector. The field is reported as not found, so that no value is entered in the wrong place.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::{By, WebElement};
use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Field, fold};

use super::broken;
use super::failure::{failed, is_missing, is_not_clicked};
use super::page::{Page, within};
use super::reading::shown_by;
use crate::reading::FIELDS;

/// While an element is awaited, one look in this many also checks for a challenge.
const CHALLENGE_EVERY: u32 = 15;
/// How often contradicting selectors are tried again. A page that is being redrawn may hold elements twice.
const DOUBTS: u32 = 4;
const DOUBT_LASTS: Duration = Duration::from_millis(150);

const FIND: &str = r"
const [lists, showing] = arguments;
const shown = (one) => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && one.checkVisibility({ visibilityProperty: true });
};
const outermost = (all) => all.filter((one) => !all.some((other) => other !== one && other.contains(one)));
const found = lists.map((css) => outermost([...document.querySelectorAll(css)].filter((one) => !showing || shown(one))));
const at = found.findIndex((list) => list.length === 1);
if (at < 0) {
  const some = found.findIndex((list) => list.length > 1);
  return some < 0 ? { at: null, element: null, doubt: false } : { at: some, element: found[some][0], doubt: true };
}
const one = found[at][0];
const same = (other) => other === one || other.contains(one) || one.contains(other);
return { at, element: one, doubt: found.some((list) => list.length > 0 && !list.some(same)) };";

/// Returns the rows of an open list if no row, and no element in a row, has an id or test id.
const NAMELESS_ROWS: &str = r"
const [css] = arguments;
const shown = (one) => one.checkVisibility({ visibilityProperty: true });
const rows = [...document.querySelectorAll(css)].filter(shown);
const named = (one) => one.matches('[id], [data-testid]') || one.querySelector('[id], [data-testid]');
return rows.some(named) ? [] : rows.map((row) => ({ row, text: row.innerText }));";

/// Returns the validation messages that the form shows, each with the name of its field. That is the field in the same
/// innermost section, or, if the section has several, the field right above the message. The id of an input names a
/// field without a name here.
const ALERTS: &str = r"
const [css, fields] = arguments;
const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && one.innerText.trim() !== '';
const all = [...document.querySelectorAll(css)].filter(shown);
const innermost = all.filter((one) => !all.some((other) => other !== one && one.contains(other)));
const places = fields.map(([name, css]) => ({ name, elements: [...document.querySelectorAll(css)] }));
const namesIn = (node) => places
  .filter(({ elements }) => elements.some((one) => node.contains(one)))
  .map(({ name }) => name);
const fieldOf = (alert) => {
  let below = alert;
  for (let node = alert.parentElement; node; node = node.parentElement) {
    const names = namesIn(node);
    if (names.length === 1) return names[0];
    if (names.length > 1) {
      let above = below.previousElementSibling;
      while (above && all.includes(above)) above = above.previousElementSibling;
      const right = above ? namesIn(above) : [];
      return right.length === 1 ? right[0] : '';
    }
    const inputs = node.querySelectorAll('input[id], select[id], textarea[id]');
    if (inputs.length === 1) return inputs[0].id;
    below = node;
  }
  return '';
};
return innermost.map((one) => ({
  field: fieldOf(one),
  text: one.innerText.trim(),
  is_marked: one.closest('[role=alert]') !== null || one.querySelector('[role=alert]') !== null,
}));";

/// A validation message on the form, or a hint in the place of one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Alert {
    /// The field's name; empty if the message belongs to no single field.
    pub(crate) field: String,
    pub(crate) text: String,
    /// Whether the page marks it as an alert. A hint that becomes an alert is a new message.
    pub(crate) is_marked: bool,
}

#[derive(Deserialize)]
struct Found {
    at: Option<usize>,
    element: Value,
    doubt: bool,
}

#[derive(Deserialize)]
struct Row {
    row: Value,
    text: String,
}

/// The element to find: its key, and an id or number if the key stands for several elements.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) key: Key,
    pub(crate) value: &'a str,
}

impl<'a> Target<'a> {
    pub(crate) fn new(key: Key, value: &'a str) -> Self {
        Self { key, value }
    }
}

impl From<Key> for Target<'_> {
    fn from(key: Key) -> Self {
        Self { key, value: "" }
    }
}

/// Returns the name under which a missing element is reported.
pub(crate) fn name_of(key: Key) -> &'static str {
    let field = match key {
        Key::PhotoInput | Key::PhotoArea | Key::PhotoReady | Key::PhotosReady | Key::PhotoDelete => {
            Field::Photos
        }
        Key::Title => Field::Title,
        Key::Description => Field::Description,
        Key::CategoryInput | Key::CategoryRow | Key::CategorySearch => Field::Category,
        Key::BrandInput | Key::BrandRow | Key::BrandSearch | Key::BrandNone => Field::Brand,
        Key::SizeInput | Key::SizeOption => Field::Size,
        Key::ConditionInput | Key::ConditionOption => Field::Condition,
        Key::ColorInput | Key::ColorOption => Field::Colors,
        Key::MaterialInput | Key::MaterialOption => Field::Materials,
        Key::Price => Field::Price,
        Key::PackageSizeArea | Key::PackageSizeOption | Key::PackageSizeRadio => Field::PackageSize,
        Key::Bump => Field::Bump,
        Key::SaveDraft => Field::SaveDraft,
        Key::Publish => Field::Publish,
        other => return other.name(),
    };
    field.name()
}

/// Whether all selectors that match must agree on the element. They must for elements whose value is read back and for
/// clicks that cannot be undone. List rows are verified by what their input shows afterwards.
fn is_decisive(key: Key) -> bool {
    matches!(
        key,
        Key::PhotoInput
            | Key::Title
            | Key::Description
            | Key::CategoryInput
            | Key::BrandInput
            | Key::SizeInput
            | Key::ConditionInput
            | Key::ColorInput
            | Key::MaterialInput
            | Key::Price
            | Key::PackageSizeOption
            | Key::PackageSizeRadio
            | Key::Bump
            | Key::SaveDraft
            | Key::Publish
            | Key::ItemHide
            | Key::ItemDelete
            | Key::ItemDeleteConfirm
    )
}

/// Whether the site hides this element and draws its own in its place.
fn is_hidden(key: Key) -> bool {
    matches!(key, Key::PhotoInput | Key::PackageSizeRadio | Key::Bump)
}

impl Page {
    /// Returns the element if it is on the page now. It must be visible, unless the site hides elements of this key.
    pub(crate) async fn find(&self, target: impl Into<Target<'_>>) -> Result<Option<WebElement>, Error> {
        let target = target.into();
        let mut doubts = 0;
        loop {
            let Some((element, is_sure)) = self.find_once(target).await? else {
                return Ok(None);
            };
            if is_sure || !is_decisive(target.key) {
                return Ok(Some(element));
            }
            doubts += 1;
            if doubts > DOUBTS {
                return Err(self.not_found(name_of(target.key)).await);
            }
            tokio::time::sleep(DOUBT_LASTS).await;
        }
    }

    async fn find_once(&self, target: Target<'_>) -> Result<Option<(WebElement, bool)>, Error> {
        let selectors = self.selectors.of(target.key);
        let css: Vec<String> = selectors.iter().map(|each| each.css_for(target.value)).collect();
        let answer = self
            .driver
            .execute(FIND, vec![json!(css), json!(!is_hidden(target.key))])
            .await
            .map_err(failed)?;
        let found: Found = answer.convert().map_err(failed)?;
        let Some(at) = found.at else {
            return Ok(None);
        };
        let element = WebElement::from_json(found.element, self.driver.handle().clone()).map_err(failed)?;
        let mut is_sure = !found.doubt;
        if let Some(selector) = selectors.get(at).filter(|each| !each.unless_text.is_empty()) {
            let text = match element.text().await {
                Err(error) if is_missing(&error) => return Ok(None),
                text => text.map_err(failed)?,
            };
            is_sure &= !selector.is_ruled_out_by(&text);
        }
        if let Some(css) = css.get(at) {
            self.remember(target.key, css);
        }
        Ok(Some((element, is_sure)))
    }

    /// Returns every element of a key, by the first of its selectors that matches any.
    pub(crate) async fn all(&self, key: Key) -> Result<Vec<WebElement>, Error> {
        for selector in self.selectors.of(key) {
            let found = self
                .driver
                .find_all(By::Css(selector.css.clone()))
                .await
                .map_err(failed)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Waits for the element. Returns `None` if it does not appear in time. A challenge that appears instead is an
    /// error.
    pub(crate) async fn comes(
        &self,
        target: impl Into<Target<'_>>,
        limit: Duration,
    ) -> Result<Option<WebElement>, Error> {
        let target = target.into();
        let mut looks = 0;
        within!(limit, {
            self.look_now_and_then(&mut looks).await?;
            self.find(target).await
        })
    }

    /// Clicks the element once it is present and uncovered. Returns `false` if that does not happen in time.
    pub(crate) async fn press(&self, target: impl Into<Target<'_>>, limit: Duration) -> Result<bool, Error> {
        let target = target.into();
        let mut looks = 0;
        let pressed = within!(limit, {
            self.look_now_and_then(&mut looks).await?;
            let Some(element) = self.find(target).await? else {
                return Ok(None);
            };
            self.click(&element).await
        });
        Ok(pressed?.is_some())
    }

    /// Clicks a row or an option, found by its id, or by its text if the rows have no ids. `says` decides by the row's
    /// text whether it may be clicked.
    pub(crate) async fn press_row(
        &self,
        target: Target<'_>,
        name: &str,
        says: impl Fn(&str) -> bool,
        limit: Duration,
    ) -> Result<bool, Error> {
        let mut looks = 0;
        let pressed = within!(limit, {
            self.look_now_and_then(&mut looks).await?;
            let Some(row) = self.row(target, name).await? else {
                return Ok(None);
            };
            match row.text().await {
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => return Err(failed(error)),
                Ok(text) if !says(&text) => {
                    tracing::warn!(
                        key = target.key.name(),
                        value = target.value,
                        text,
                        "a row has an unexpected text"
                    );
                    return Err(self.not_found(name_of(target.key)).await);
                }
                Ok(_) => {}
            }
            self.click(&row).await
        });
        Ok(pressed?.is_some())
    }

    /// Returns the row by its id. Uses the text only in an open list whose rows have no ids, and only if exactly one
    /// row matches.
    pub(crate) async fn row(&self, target: Target<'_>, name: &str) -> Result<Option<WebElement>, Error> {
        if let Some(row) = self.find(target).await? {
            return Ok(Some(row));
        }
        let css: Vec<&str> = self
            .selectors
            .of(Key::ListRow)
            .iter()
            .map(|each| each.css.as_str())
            .collect();
        let answer = self
            .driver
            .execute(NAMELESS_ROWS, vec![json!(css.join(", "))])
            .await
            .map_err(failed)?;
        let rows: Vec<Row> = answer.convert().map_err(failed)?;
        let name = fold(name);
        let mut same = rows.into_iter().filter(|row| {
            let first_line = row.text.trim().lines().next().unwrap_or_default();
            fold(&row.text) == name || fold(first_line) == name
        });
        match (same.next(), same.next()) {
            (Some(row), None) => {
                self.remember(target.key, &format!("{} by its text", css.join(", ")));
                WebElement::from_json(row.row, self.driver.handle().clone())
                    .map(Some)
                    .map_err(failed)
            }
            _ => Ok(None),
        }
    }

    /// Clicks the element. If something covers it, closes what it can and returns `None`.
    async fn click(&self, element: &WebElement) -> Result<Option<()>, Error> {
        match element.click().await {
            Ok(()) => Ok(Some(())),
            Err(error) if is_not_clicked(&error) => {
                self.uncover().await?;
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn look_now_and_then(&self, looks: &mut u32) -> Result<(), Error> {
        *looks += 1;
        if looks.is_multiple_of(CHALLENGE_EVERY) {
            self.uncover().await?;
        }
        Ok(())
    }

    /// The error for a field that is not found, or is found in more than one place.
    pub(crate) async fn not_found(&self, field: &str) -> Error {
        Error::FieldNotFound {
            field: field.to_owned(),
            evidence: Box::new(self.evidence().await),
        }
    }

    /// Returns all validation messages on the form, in the form's order. Some may be hints.
    pub(crate) async fn alerts(&self) -> Result<Vec<Alert>, Error> {
        let fields: Vec<(&str, String)> = FIELDS
            .iter()
            .map(|field| (field.name(), self.css_of(*field)))
            .collect();
        let css = self.joined(&[Key::FieldAlert]);
        let answer = self
            .driver
            .execute(ALERTS, vec![json!(css), json!(fields)])
            .await
            .map_err(failed)?;
        answer.convert().map_err(failed)
    }

    /// Returns the messages that have appeared since `before`. An older message does not concern later actions.
    pub(crate) async fn alerts_since(&self, before: &[Alert]) -> Result<Vec<Alert>, Error> {
        let mut alerts = self.alerts().await?;
        alerts.retain(|alert| !before.contains(alert));
        Ok(alerts)
    }

    /// Returns the CSS for any element of a field that is on the form while no list is open.
    fn css_of(&self, field: Field) -> String {
        let keys = match field {
            Field::Photos => vec![Key::PhotoArea, Key::PhotoInput],
            Field::PackageSize => vec![Key::PackageSizeArea, Key::PackageSizeOption],
            other => vec![shown_by(other)],
        };
        let selectors = keys.iter().flat_map(|key| self.selectors.of(*key));
        selectors
            .map(|each| each.css_for_any())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Returns the ids of the ticked rows in the open list, read from their names, each once. A suggested choice is in
    /// the list twice.
    pub(crate) async fn ticked(&self) -> Result<Vec<i64>, Error> {
        let mut ids: Vec<i64> = Vec::new();
        for tick in self.all(Key::ListTicked).await? {
            for attribute in ["data-testid", "id"] {
                let name = tick.attr(attribute).await.map_err(broken)?.unwrap_or_default();
                if let Some(id) = name.rsplit('-').next().and_then(|id| id.parse().ok()) {
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                    break;
                }
            }
        }
        Ok(ids)
    }
}
