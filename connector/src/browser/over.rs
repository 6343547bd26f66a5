//! Handles what may cover any page: refuses optional cookies, stays on the market's own site, and makes no statement in
//! the seller's name.

use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::WebElement;
use vintedbot_marketplace::Error;
use vintedbot_marketplace::selectors::Key;

use super::failure::{failed, is_not_clicked, unusable};
use super::page::Page;

/// Finds the topmost dialog: its text, whether it expects an answer, and the button that closes it without one.
const DIALOG: &str = r"
const [dialogs, closes, authenticity, crash, ours] = arguments;
const shown = (one) => one.checkVisibility({ visibilityProperty: true });
const isOurs = (one) => one.matches(ours) || one.querySelector(ours);
const open = [...document.querySelectorAll(dialogs)].filter((one) => shown(one) && !isOurs(one));
const dialog = open[open.length - 1];
if (!dialog) return null;
const asks = [...dialog.querySelectorAll('input, select, textarea, [role=radio], [role=checkbox]')].some(shown);
return {
  text: dialog.innerText,
  asks,
  authenticity: dialog.matches(authenticity),
  crash: dialog.matches(crash),
  close: [...dialog.querySelectorAll(closes)].find(shown) || null,
};";

#[derive(Deserialize)]
struct Dialog {
    text: String,
    asks: bool,
    authenticity: bool,
    crash: bool,
    close: Value,
}

impl Page {
    /// Checks for a challenge, then closes what covers the page.
    pub(crate) async fn uncover(&self) -> Result<(), Error> {
        if !self.glance().await? {
            return Ok(());
        }
        for key in [Key::CountryDialogClose, Key::CookieReject] {
            if let Some(button) = self.find(key).await? {
                press_if_possible(&button).await?;
            }
        }
        self.answer_dialog().await
    }

    async fn answer_dialog(&self) -> Result<(), Error> {
        let css = |key: Key| {
            let all: Vec<&str> = self
                .selectors
                .of(key)
                .iter()
                .map(|each| each.css.as_str())
                .collect();
            json!(all.join(", "))
        };
        let keys = [
            Key::Dialog,
            Key::DialogClose,
            Key::AuthenticityDialog,
            Key::CrashDialog,
            // The dialog that our own deletion opens.
            Key::ItemDeleteModal,
        ];
        let answer = self
            .driver
            .execute(DIALOG, keys.into_iter().map(css).collect::<Vec<_>>())
            .await
            .map_err(failed)?;
        let Some(dialog): Option<Dialog> = answer.convert().map_err(failed)? else {
            return Ok(());
        };
        if dialog.crash {
            return Err(unusable("the form has crashed"));
        }
        if !dialog.asks && !dialog.close.is_null() {
            let close = WebElement::from_json(dialog.close, self.driver.handle().clone()).map_err(failed)?;
            return press_if_possible(&close).await;
        }
        // Only the seller can answer such a dialog.
        let field = if dialog.authenticity {
            "authenticity"
        } else {
            "dialog"
        };
        Err(Error::Refused {
            violations: vec![(field.to_owned(), dialog.text.trim().to_owned())],
            evidence: Box::new(self.evidence().await),
        })
    }
}

async fn press_if_possible(button: &WebElement) -> Result<(), Error> {
    match button.click().await {
        Err(error) if !is_not_clicked(&error) => Err(failed(error)),
        _ => Ok(()),
    }
}
