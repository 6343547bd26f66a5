//! Maps driver errors to the connector's errors.

use thirtyfour::error::{WebDriverError, WebDriverErrorInner};
use vintedbot_marketplace::{Error, Evidence};

use super::broken;

/// An error for a page that cannot be used. The caller adds evidence if the browser can still provide it.
pub(crate) fn unusable(what: impl Into<String>) -> Error {
    Error::Unusable {
        what: what.into(),
        evidence: Box::new(Evidence::default()),
    }
}

/// Maps a failed command to an error about the page or the browser.
pub(crate) fn failed(error: WebDriverError) -> Error {
    match &*error {
        // The driver has dismissed the box and has done nothing else.
        WebDriverErrorInner::UnexpectedAlertOpen(info) => {
            let words = info.value.message.trim();
            let words = words.rsplit_once(": ").map_or(words, |(_, words)| words);
            unusable(format!(
                "an alert box appeared ({})",
                words.trim_end_matches('}').trim()
            ))
        }
        WebDriverErrorInner::WebDriverTimeout(_) => unusable("it never finishes loading"),
        WebDriverErrorInner::NoSuchWindow(_) => Error::Browser("its window was closed".to_owned()),
        WebDriverErrorInner::InvalidSessionId(_) => Error::Browser("its session has ended".to_owned()),
        _ => broken(error),
    }
}

/// Maps a failed navigation.
pub(crate) fn not_reached(error: WebDriverError) -> Error {
    match &*error {
        WebDriverErrorInner::UnknownError(_) if error.to_string().contains("net::ERR_") => {
            no_page(&error.to_string())
        }
        _ => failed(error),
    }
}

/// Maps the browser's own error page. The browser works, and names the reason why the site did not load.
pub(crate) fn no_page(message: &str) -> Error {
    if message.contains("ERR_TOO_MANY_REDIRECTS") {
        return unusable("an endless redirect");
    }
    Error::Unavailable(message.to_owned())
}

/// Whether a command failed because its element no longer exists.
pub(crate) fn is_missing(error: &WebDriverError) -> bool {
    matches!(
        **error,
        WebDriverErrorInner::NoSuchElement(_) | WebDriverErrorInner::StaleElementReference(_)
    )
}

/// Whether the driver reports that a click was not made.
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

/// Maps a failed session start. If the versions of driver and browser differ, the error names both.
pub(crate) fn not_started(error: WebDriverError) -> Error {
    let message = error.to_string();
    let after = |mark: &str| {
        let rest = message.split_once(mark)?.1.trim_start();
        let version: String = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        (!version.is_empty()).then(|| version.trim_end_matches('.').to_owned())
    };
    match (after("only supports Chrome version"), after("browser version is")) {
        (Some(driver), Some(browser)) => versions_differ(&driver, &browser),
        _ => broken(message),
    }
}

/// The error for a driver of another version than the browser's. Such a driver behaves unpredictably.
pub(crate) fn versions_differ(driver: &str, browser: &str) -> Error {
    Error::Browser(format!(
        "the driver has version {driver}, the browser has version {browser}: install the matching driver"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_and_browser_version_mismatch_names_both() {
        let error = WebDriverError::from_inner(WebDriverErrorInner::SessionCreateError(
            "session not created: This version of ChromeDriver only supports Chrome version 114\nCurrent browser \
             version is 154.0.8037.2 with binary path /usr/bin/chromium"
                .to_owned(),
        ));
        let message = not_started(error).to_string();
        assert!(
            message.contains("version 114,") && message.contains("version 154.0.8037.2:"),
            "{message}"
        );
    }
}
