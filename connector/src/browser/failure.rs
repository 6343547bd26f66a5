//! What the driver could not do, as the rest of the product is told it.

use thirtyfour::error::{WebDriverError, WebDriverErrorInner};
use vintedbot_marketplace::{Error, Evidence};

use super::broken;

/// A page that is none to work with. What it looked like is added by whoever can still take a picture.
pub(crate) fn unusable(what: impl Into<String>) -> Error {
    Error::Unusable {
        what: what.into(),
        evidence: Box::new(Evidence::default()),
    }
}

/// What a failed command says about the page, or about the browser.
pub(crate) fn failed(error: WebDriverError) -> Error {
    match &*error {
        // The driver has dismissed it, and done nothing else.
        WebDriverErrorInner::UnexpectedAlertOpen(info) => {
            let words = info.value.message.trim();
            let words = words.rsplit_once(": ").map_or(words, |(_, words)| words);
            unusable(format!(
                "an alert box came up ({})",
                words.trim_end_matches('}').trim()
            ))
        }
        WebDriverErrorInner::WebDriverTimeout(_) => unusable("it never finishes loading"),
        WebDriverErrorInner::NoSuchWindow(_) => Error::Browser("its window was closed".to_owned()),
        WebDriverErrorInner::InvalidSessionId(_) => Error::Browser("it is not there any more".to_owned()),
        _ => broken(error),
    }
}

/// Why an address could not be gone to.
pub(crate) fn not_reached(error: WebDriverError) -> Error {
    match &*error {
        WebDriverErrorInner::UnknownError(_) if error.to_string().contains("net::ERR_") => {
            no_page(&error.to_string())
        }
        _ => failed(error),
    }
}

/// What the browser says where a page should be: it works, and says why the site does not come.
pub(crate) fn no_page(said: &str) -> Error {
    if said.contains("ERR_TOO_MANY_REDIRECTS") {
        return unusable("an endless redirect");
    }
    Error::Unavailable(said.to_owned())
}

/// Whether a command failed because its element has gone.
pub(crate) fn is_missing(error: &WebDriverError) -> bool {
    matches!(
        **error,
        WebDriverErrorInner::NoSuchElement(_) | WebDriverErrorInner::StaleElementReference(_)
    )
}

/// Whether the driver says that a click was not made at all.
pub(crate) fn is_not_clicked(error: &WebDriverError) -> bool {
    is_missing(error)
        || matches!(
            **error,
            WebDriverErrorInner::ElementClickIntercepted(_)
                | WebDriverErrorInner::ElementNotInteractable(_)
                | WebDriverErrorInner::InvalidElementState(_)
                | WebDriverErrorInner::MoveTargetOutOfBounds(_)
        )
}

/// What the driver says when it cannot drive that browser: both versions, where it names them.
pub(crate) fn not_started(error: WebDriverError) -> Error {
    let said = error.to_string();
    let after = |mark: &str| {
        let rest = said.split_once(mark)?.1.trim_start();
        let version: String = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        (!version.is_empty()).then(|| version.trim_end_matches('.').to_owned())
    };
    match (after("only supports Chrome version"), after("browser version is")) {
        (Some(driver), Some(browser)) => versions_differ(&driver, &browser),
        _ => broken(said),
    }
}

/// A driver of another version than the browser does unforeseeable things.
pub(crate) fn versions_differ(driver: &str, browser: &str) -> Error {
    Error::Browser(format!(
        "the driver is of version {driver}, the browser of version {browser}: install the driver that belongs to it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_of_another_version_is_named_beside_the_browsers() {
        let error = WebDriverError::from_inner(WebDriverErrorInner::SessionCreateError(
            "session not created: This version of ChromeDriver only supports Chrome version 114\nCurrent browser \
             version is 154.0.8037.2 with binary path /usr/bin/chromium"
                .to_owned(),
        ));
        let said = not_started(error).to_string();
        assert!(
            said.contains("version 114,") && said.contains("version 154.0.8037.2:"),
            "{said}"
        );
    }
}
