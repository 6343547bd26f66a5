//! Records the page's requests to the site from the browser's network events, without changing them. The events show
//! whether a request was sent, which the page alone does not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use vintedbot_marketplace::Error;

use super::devtools::{DevTools, Event, Events};

/// The size of the browser's buffer for response bodies, in bytes.
const BODY_BUFFER: u32 = 16 * 1024 * 1024;

/// The time limit for asking the browser which URL it shows.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// The interval between two checks whether the page is quiet.
const CHECK_EVERY: Duration = Duration::from_millis(50);
/// The path at which the form requests the fields of a category (as seen 2026, confidence A).
const ASKED_FOR_CATEGORY: &str = "/item_upload/attributes";

/// A request of the page for a document or data, with its response as far as it has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) request_id: String,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) is_document: bool,
    /// The request body, kept only for requests for the fields of a category.
    pub(crate) sent: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The body of a JSON or HTML response other than a document. Absent also if it was lost or the browser did not
    /// return it.
    pub(crate) body: Option<String>,
    /// Whether no response arrived, or it was cut off.
    pub(crate) failed: bool,
    /// The browser's error text for such a failure.
    pub(crate) failure: String,
    /// Whether no more information about the exchange will arrive.
    pub(crate) complete: bool,
}

impl Exchange {
    /// Creates a request without a response.
    pub(crate) fn asked(method: &str, url: &str) -> Self {
        Self {
            request_id: String::new(),
            method: method.to_owned(),
            url: url.to_owned(),
            is_document: false,
            sent: None,
            status: None,
            content_type: String::new(),
            headers: Vec::new(),
            body: None,
            failed: false,
            failure: String::new(),
            complete: false,
        }
    }

    /// Whether a file download arrived instead of a page.
    pub(crate) fn is_download(&self) -> bool {
        let says = |header: &(String, String)| {
            header.0 == "content-disposition"
                && header.1.trim_start().to_lowercase().starts_with("attachment")
        };
        self.is_document && self.headers.iter().any(says)
    }
}

#[derive(Default)]
struct Log {
    exchanges: Vec<Exchange>,
    /// Events were lost, so a request that is missing in the log may still have been sent.
    is_incomplete: bool,
    /// Response bodies are no longer read.
    is_unread: bool,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Log>,
    changed: Notify,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, request_id: &str, change: impl FnOnce(&mut Exchange)) {
        let mut log = self.log();
        if let Some(exchange) = log
            .exchanges
            .iter_mut()
            .rev()
            .find(|exchange| exchange.request_id == request_id)
        {
            change(exchange);
        }
        drop(log);
        self.changed.notify_waiters();
    }
}

/// The log of one page's requests. Dropping it ends the recording.
pub(crate) struct Traffic {
    session: DevTools,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

impl Traffic {
    /// Starts recording.
    pub(crate) async fn listen(session: DevTools) -> Result<Self, Error> {
        let events = session.events();
        // Response bodies must outlive the page: the site leaves the form as soon as it has saved it.
        let lasting = json!({
            "maxTotalBufferSize": BODY_BUFFER,
            "maxResourceBufferSize": BODY_BUFFER,
            "enableDurableMessages": true,
        });
        session.send("Network.enable", lasting).await?;
        let shared = Arc::new(Shared::default());
        let listener = tokio::spawn(listen(session.clone(), events, Arc::clone(&shared)));
        Ok(Self {
            session,
            shared,
            listener,
        })
    }

    /// Sends a command to the browser itself, without the driver.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Result<Value, Error> {
        self.session.send(method, params).await
    }

    /// Sets a cookie for the host of a URL. It bypasses the driver, because the driver's client writes commands to its
    /// debug log.
    pub(crate) async fn set_cookie(&self, name: &str, value: &str, url: &str) -> Result<(), Error> {
        let cookie = json!({ "name": name, "value": value, "url": url });
        self.ask("Network.setCookie", cookie).await.map(drop)
    }

    /// Waits until the page has sent no API request and awaited no answer for `quiet_for`, at most until `limit`. Only
    /// API calls count, because tracking requests never stop.
    pub(crate) async fn quiet(&self, quiet_for: Duration, limit: Duration) {
        let settled = async {
            let mut rested = Duration::ZERO;
            let mut before = 0;
            while rested < quiet_for {
                let (count, is_waiting) = {
                    let log = self.shared.log();
                    let calls = || {
                        log.exchanges
                            .iter()
                            .filter(|exchange| exchange.url.contains("/api/"))
                    };
                    (calls().count(), calls().any(|exchange| !exchange.complete))
                };
                if is_waiting || count != before {
                    rested = Duration::ZERO;
                } else {
                    rested += CHECK_EVERY;
                }
                before = count;
                tokio::time::sleep(CHECK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout(limit, settled).await;
    }

    /// Returns the URL that the window shows. It asks the browser itself, because a driver would answer an open dialog
    /// in the person's place. `None` if the window or the browser is gone.
    pub(crate) async fn shows(&self) -> Option<String> {
        let asked = self.ask("Target.getTargetInfo", json!({}));
        let answer = tokio::time::timeout(ANSWERS_WITHIN, asked).await.ok()?.ok()?;
        answer["targetInfo"]["url"].as_str().map(str::to_owned)
    }

    /// Stops reading response bodies.
    pub(crate) fn stop_reading(&self) {
        self.shared.log().is_unread = true;
    }

    /// Returns the cookies that the browser would send to a URL, as name and value.
    pub(crate) async fn cookies(&self, url: &str) -> Result<Vec<(String, String)>, Error> {
        let answer = self.ask("Network.getCookies", json!({ "urls": [url] })).await?;
        let cookies = answer["cookies"].as_array().into_iter().flatten();
        let text = |cookie: &serde_json::Value, key: &str| cookie[key].as_str().map(str::to_owned);
        Ok(cookies
            .filter_map(|cookie| Some((text(cookie, "name")?, text(cookie, "value")?)))
            .collect())
    }

    /// Returns the current end of the log.
    pub(crate) fn mark(&self) -> usize {
        self.shared.log().exchanges.len()
    }

    /// Returns the requests since a mark; `None` if some may be missing.
    pub(crate) fn since(&self, mark: usize) -> Option<Vec<Exchange>> {
        let log = self.shared.log();
        (!log.is_incomplete).then(|| log.exchanges.get(mark..).unwrap_or_default().to_vec())
    }

    /// Waits until the log changes, at most until `limit`.
    pub(crate) async fn changed(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.shared.changed.notified()).await;
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(session: DevTools, mut events: Events, shared: Arc<Shared>) {
    loop {
        match events.next().await {
            Ok(event) => take(&session, &shared, &event),
            Err(RecvError::Lagged(_)) => shared.log().is_incomplete = true,
            Err(RecvError::Closed) => {
                shared.log().is_incomplete = true;
                shared.changed.notify_waiters();
                return;
            }
        }
    }
}

fn take(session: &DevTools, shared: &Arc<Shared>, event: &Event) {
    let params = &event.params;
    let Some(request_id) = params["requestId"].as_str() else {
        return;
    };
    match event.method.as_str() {
        "Network.requestWillBeSent" => {
            let kind = params["type"].as_str().unwrap_or_default();
            if !matches!(kind, "Document" | "XHR" | "Fetch") {
                return;
            }
            // A redirect arrives as a new request with the same id; the log keeps both.
            let request = &params["request"];
            let text = |name: &str| request[name].as_str().unwrap_or_default();
            let sent = text("url")
                .ends_with(ASKED_FOR_CATEGORY)
                .then(|| text("postData").to_owned());
            shared.log().exchanges.push(Exchange {
                request_id: request_id.to_owned(),
                is_document: kind == "Document",
                sent,
                ..Exchange::asked(text("method"), text("url"))
            });
            shared.changed.notify_waiters();
        }
        "Network.responseReceived" => shared.update(request_id, |exchange| {
            exchange.status = params["response"]["status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok());
            exchange.content_type = params["response"]["mimeType"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let headers = params["response"]["headers"].as_object().into_iter().flatten();
            exchange.headers = headers
                .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
                .collect();
        }),
        "Network.loadingFinished" => {
            let log = shared.log();
            let has_words = !log.is_unread
                && log.exchanges.iter().rev().any(|each| {
                    let is_words = ["json", "html"]
                        .iter()
                        .any(|kind| each.content_type.contains(kind));
                    each.request_id == request_id && is_words && !each.is_document
                });
            drop(log);
            // Requested in a separate task, because waiting here would miss the events of that time.
            let (session, shared, request_id) = (session.clone(), Arc::clone(shared), request_id.to_owned());
            tokio::spawn(async move {
                let body = if has_words {
                    body_of(&session, &request_id).await
                } else {
                    None
                };
                shared.update(&request_id, |exchange| {
                    exchange.body = body;
                    exchange.complete = true;
                });
            });
        }
        "Network.loadingFailed" => shared.update(request_id, |exchange| {
            exchange.failed = true;
            params["errorText"]
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut exchange.failure);
            exchange.complete = true;
        }),
        _ => {}
    }
}

async fn body_of(session: &DevTools, request_id: &str) -> Option<String> {
    let answer = session
        .send("Network.getResponseBody", json!({ "requestId": request_id }))
        .await
        .ok()?;
    (answer["base64Encoded"] == false).then(|| answer["body"].as_str().map(str::to_owned))?
}
