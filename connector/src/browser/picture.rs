//! Screenshots: of the whole page as evidence, and thumbnails of the steps.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use vintedbot_marketplace::Error;

use super::broken;
use super::page::Page;

/// The maximum height of one screenshot in Chromium, in pixels.
const TALLEST: f64 = 16_000.0;
/// The scale of thumbnails relative to the window: enough to recognise the page, and cheap to take.
const SMALL: f64 = 0.3;
/// The time limit for a screenshot. A page with an alert box yields none.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

impl Page {
    /// Takes a PNG of the whole page, including the parts outside the window.
    pub(crate) async fn screenshot(&self) -> Result<Bytes, Error> {
        self.picture(1.0, |metrics| {
            let size = &metrics["cssContentSize"];
            [
                0.0,
                0.0,
                size["width"].as_f64().unwrap_or(1280.0),
                size["height"].as_f64().unwrap_or(1600.0).min(TALLEST),
            ]
        })
        .await
    }

    /// Takes a thumbnail of the window's current view. Returns `None` on failure, because a step does not depend on it.
    pub(crate) async fn thumbnail(&self) -> Option<Bytes> {
        let taken = self.picture(SMALL, |metrics| {
            let view = &metrics["cssVisualViewport"];
            ["pageX", "pageY", "clientWidth", "clientHeight"]
                .map(|name| view[name].as_f64().unwrap_or_default())
        });
        match taken.await {
            Ok(png) => Some(png),
            Err(error) => {
                tracing::debug!(%error, "this step has no thumbnail");
                None
            }
        }
    }

    async fn picture(&self, scale: f64, clip: impl Fn(&Value) -> [f64; 4]) -> Result<Bytes, Error> {
        let taken = async {
            let metrics = self.traffic.ask("Page.getLayoutMetrics", json!({})).await?;
            let [x, y, width, height] = clip(&metrics);
            let asked = json!({
                "format": "png",
                "optimizeForSpeed": scale < 1.0,
                "captureBeyondViewport": scale >= 1.0,
                "clip": { "x": x, "y": y, "width": width, "height": height, "scale": scale },
            });
            let picture = self.traffic.ask("Page.captureScreenshot", asked).await?;
            STANDARD
                .decode(picture["data"].as_str().unwrap_or_default())
                .map(Bytes::from)
                .map_err(broken)
        };
        tokio::time::timeout(TAKEN_WITHIN, taken)
            .await
            .unwrap_or_else(|_| Err(Error::Browser("no screenshot in time".to_owned())))
    }
}
