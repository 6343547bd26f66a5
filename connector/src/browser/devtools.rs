//! The browser's DevTools protocol, used in parallel to the driver. A browser that this process started is reached over
//! its debugging pipe, a remote one over the WebSocket that its driver names.
//!
//! A browser that this process started has no debugging port. It reads commands from one pipe and writes answers to
//! another, as texts that end with NUL. [`Pipe::join`] relays both directions between driver and browser and inserts
//! our own commands, which are distinguished by their numbers. Answers to them and the events of our session come to
//! us. Everything else goes to the driver, which does not see our session.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::cdp::{CdpSession, RawEvent};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use vintedbot_marketplace::Error;

use super::broken;

/// Command numbers from here on are ours. The driver counts from 1, and the protocol's numbers have 31 bits.
const OURS: u64 = 1 << 30;
/// The capacity of the event buffer. A reader that falls behind receives [`RecvError::Lagged`].
const EVENTS_WAITING: usize = 4096;
/// The size of the read buffer in bytes. A longer message is read in several parts.
const BUFFER: usize = 64 * 1024;

/// An event of the page.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) params: Value,
}

/// A debugging session of one page.
#[derive(Clone)]
pub(crate) enum DevTools {
    Own(Pipe),
    Elsewhere(CdpSession),
}

/// The events of a session since the subscription.
pub(crate) enum Events {
    Own(broadcast::Receiver<Event>),
    Elsewhere(CdpSession, broadcast::Receiver<RawEvent>),
}

impl DevTools {
    /// Sends a command and waits for its answer.
    pub(crate) async fn send(&self, method: &str, params: Value) -> Result<Value, Error> {
        match self {
            Self::Own(pipe) => pipe.send(method, params).await,
            Self::Elsewhere(session) => session.send_raw(method, params).await.map_err(broken),
        }
    }

    pub(crate) fn events(&self) -> Events {
        match self {
            Self::Own(pipe) => Events::Own(pipe.shared.events.subscribe()),
            Self::Elsewhere(session) => Events::Elsewhere(session.clone(), session.subscribe_connection()),
        }
    }
}

impl Events {
    pub(crate) async fn next(&mut self) -> Result<Event, RecvError> {
        match self {
            Self::Own(events) => events.recv().await,
            Self::Elsewhere(session, events) => loop {
                let event = events.recv().await?;
                if event.session_id.as_ref() == session.session_id() {
                    return Ok(Event {
                        method: event.method,
                        params: event.params,
                    });
                }
            },
        }
    }
}

type Answer = Result<Value, String>;

/// Our side of a browser's debugging pipe.
#[derive(Clone)]
pub(crate) struct Pipe {
    to_browser: mpsc::UnboundedSender<Vec<u8>>,
    shared: Arc<Shared>,
}

struct Shared {
    routes: Mutex<Routes>,
    events: broadcast::Sender<Event>,
}

#[derive(Default)]
struct Routes {
    /// Our session id, once the session is open.
    session: Option<String>,
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
    /// The number of the command that opens our session. Messages for the driver are held until its answer arrives,
    /// because the browser announces the session to all clients before it answers us.
    attaching: Option<u64>,
    held: Vec<Vec<u8>>,
    is_over: bool,
}

/// The fields by which a message is routed. Other fields are not parsed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    session_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
}

impl Shared {
    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a browser message that is ours. Returns the messages to forward to the driver.
    fn route(&self, message: Vec<u8>) -> Vec<Vec<u8>> {
        let Ok(head) = serde_json::from_slice::<Head<'_>>(&message) else {
            return vec![message];
        };
        let mut routes = self.routes();
        if let Some(id) = head.id.filter(|id| *id >= OURS) {
            let answer = answer_of(&message);
            let mut released = Vec::new();
            if routes.attaching == Some(id) {
                routes.attaching = None;
                let session = answer
                    .as_ref()
                    .ok()
                    .and_then(|result| result["sessionId"].as_str());
                routes.session = session.map(str::to_owned);
                released = std::mem::take(&mut routes.held);
                released.retain(|held| !is_about(held, routes.session.as_deref()));
            }
            if let Some(waiting) = routes.waiting.remove(&id) {
                let _ = waiting.send(answer);
            }
            return released;
        }
        if head.session_id.is_some() && head.session_id.as_deref() == routes.session.as_deref() {
            drop(routes);
            if let Ok(mut event) = serde_json::from_slice::<Value>(&message) {
                let _ = self.events.send(Event {
                    method: head.method.unwrap_or_default().into_owned(),
                    params: event["params"].take(),
                });
            }
            return Vec::new();
        }
        if routes.attaching.is_some() {
            routes.held.push(message);
            return Vec::new();
        }
        let is_of_targets = head.method.is_some_and(|method| method.starts_with("Target."));
        if is_of_targets && is_about(&message, routes.session.as_deref()) {
            return Vec::new();
        }
        vec![message]
    }

    /// Marks the pipe as closed and fails all waiting commands.
    fn end(&self) {
        let mut routes = self.routes();
        routes.is_over = true;
        routes.waiting.clear();
    }
}

fn answer_of(message: &[u8]) -> Answer {
    let mut answer: Value = serde_json::from_slice(message).map_err(|error| error.to_string())?;
    match answer.get("error") {
        Some(error) => Err(error["message"].as_str().unwrap_or_default().to_owned()),
        None => Ok(answer["result"].take()),
    }
}

/// Whether a message announces the beginning or the end of this session.
fn is_about(message: &[u8], session: Option<&str>) -> bool {
    let Some(session) = session else { return false };
    serde_json::from_slice::<Value>(message).is_ok_and(|message| {
        matches!(
            message["method"].as_str(),
            Some("Target.attachedToTarget" | "Target.detachedFromTarget")
        ) && message["params"]["sessionId"] == session
    })
}

impl Pipe {
    /// Joins a browser with its driver and relays messages until the browser ends. The pipe to the browser stays open
    /// when the driver ends; this side closes it.
    pub(crate) fn join(
        from_browser: impl AsyncRead + Send + Unpin + 'static,
        to_browser: impl AsyncWrite + Send + Unpin + 'static,
        from_driver: impl AsyncRead + Send + Unpin + 'static,
        to_driver: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        // Unbounded, so that neither side blocks while the other waits for an answer.
        let (browser, for_browser) = mpsc::unbounded_channel();
        let (driver, for_driver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            routes: Mutex::default(),
            events: broadcast::channel(EVENTS_WAITING).0,
        });
        tokio::spawn(write(for_browser, to_browser));
        tokio::spawn(write(for_driver, to_driver));
        let passed_on = browser.clone();
        let driver_side = tokio::spawn(read(from_driver, move |message| {
            let _ = passed_on.send(message);
        }));
        let routing = Arc::clone(&shared);
        tokio::spawn(async move {
            read(from_browser, |message| {
                for message in routing.route(message) {
                    let _ = driver.send(message);
                }
            })
            .await;
            routing.end();
            driver_side.abort();
        });
        Self {
            to_browser: browser,
            shared,
        }
    }

    /// Opens our session of the page with this target id, which the driver uses as the window handle.
    pub(crate) async fn attach(&self, target_id: &str) -> Result<(), Error> {
        let params = json!({ "targetId": target_id, "flatten": true });
        let answer = self.command("Target.attachToTarget", params, true).await?;
        match answer["sessionId"].as_str() {
            Some(_) => Ok(()),
            None => Err(broken("the browser opened no session")),
        }
    }

    async fn send(&self, method: &str, params: Value) -> Result<Value, Error> {
        self.command(method, params, false).await
    }

    async fn command(&self, method: &str, params: Value, is_attach: bool) -> Result<Value, Error> {
        let gone = || broken("its debugging pipe is closed");
        let (answer, answered) = oneshot::channel();
        {
            let mut routes = self.shared.routes();
            if routes.is_over {
                return Err(gone());
            }
            let id = OURS + routes.last;
            routes.last += 1;
            let mut command = json!({ "id": id, "method": method, "params": params });
            if is_attach {
                routes.attaching = Some(id);
            } else {
                command["sessionId"] = json!(routes.session);
            }
            routes.waiting.insert(id, answer);
            self.to_browser
                .send(command.to_string().into_bytes())
                .map_err(|_| gone())?;
        }
        answered
            .await
            .map_err(|_| gone())?
            .map_err(|message| broken(format!("{method}: {message}")))
    }
}

/// Reads messages until the stream ends.
async fn read(from: impl AsyncRead + Unpin, mut take: impl FnMut(Vec<u8>)) {
    let mut from = BufReader::with_capacity(BUFFER, from);
    loop {
        let mut message = Vec::new();
        match from.read_until(0, &mut message).await {
            Ok(1..) if message.pop() == Some(0) => take(message),
            // A truncated message is dropped.
            _ => return,
        }
    }
}

/// Writes messages until every sender is dropped, then closes the pipe.
async fn write(mut messages: mpsc::UnboundedReceiver<Vec<u8>>, mut to: impl AsyncWrite + Unpin) {
    while let Some(mut message) = messages.recv().await {
        message.push(0);
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex, split};

    use super::*;

    struct Played {
        pipe: Pipe,
        browser: BufReader<DuplexStream>,
        driver: BufReader<DuplexStream>,
    }

    fn played() -> Played {
        let (browser, ours) = duplex(1 << 16);
        let (driver, theirs) = duplex(1 << 16);
        let (from_browser, to_browser) = split(ours);
        let (from_driver, to_driver) = split(theirs);
        Played {
            pipe: Pipe::join(from_browser, to_browser, from_driver, to_driver),
            browser: BufReader::new(browser),
            driver: BufReader::new(driver),
        }
    }

    async fn heard(from: &mut BufReader<DuplexStream>) -> Value {
        let mut message = Vec::new();
        from.read_until(0, &mut message).await.expect("a pipe");
        assert_eq!(message.pop(), Some(0), "the pipe is open");
        serde_json::from_slice(&message).expect("JSON")
    }

    async fn say(to: &mut BufReader<DuplexStream>, message: Value) {
        let text = format!("{message}\0");
        to.get_mut().write_all(text.as_bytes()).await.expect("a pipe");
    }

    /// Plays the browser's side while a session is opened, with one message for the driver in between.
    async fn attached(played: &mut Played) {
        let pipe = played.pipe.clone();
        let attaching = tokio::spawn(async move { pipe.attach("page").await });
        let asked = heard(&mut played.browser).await;
        assert_eq!(asked["params"]["targetId"], "page");
        let announced = json!({ "method": "Target.attachedToTarget", "params": { "sessionId": "ours" } });
        say(&mut played.browser, announced).await;
        say(
            &mut played.browser,
            json!({ "method": "Target.targetCreated", "params": {} }),
        )
        .await;
        let answer = json!({ "id": asked["id"], "result": { "sessionId": "ours" } });
        say(&mut played.browser, answer).await;
        attaching.await.expect("it ends").expect("a session");
    }

    #[tokio::test]
    async fn driver_never_sees_our_devtools_session() {
        let mut played = played();
        attached(&mut played).await;
        let first = heard(&mut played.driver).await;
        assert_eq!(
            first["method"], "Target.targetCreated",
            "the message in between is held"
        );

        let mut events = DevTools::Own(played.pipe.clone()).events();
        for (session, method) in [("ours", "Network.ours"), ("theirs", "Network.theirs")] {
            say(
                &mut played.browser,
                json!({ "sessionId": session, "method": method, "params": { "n": 1 } }),
            )
            .await;
        }
        let event = events.next().await.expect("an event");
        assert_eq!(
            (event.method.as_str(), &event.params["n"]),
            ("Network.ours", &json!(1))
        );
        assert_eq!(heard(&mut played.driver).await["method"], "Network.theirs");

        let over = json!({ "method": "Target.detachedFromTarget", "params": { "sessionId": "ours" } });
        say(&mut played.browser, over).await;
        say(&mut played.browser, json!({ "id": 9, "result": {} })).await;
        assert_eq!(heard(&mut played.driver).await["id"], 9);
    }

    #[tokio::test]
    async fn answers_go_to_their_callers() {
        let mut played = played();
        attached(&mut played).await;
        heard(&mut played.driver).await;
        say(&mut played.driver, json!({ "id": 1, "method": "Page.enable" })).await;
        assert_eq!(heard(&mut played.browser).await["id"], 1);
        let pipe = played.pipe.clone();
        let asking = tokio::spawn(async move { pipe.send("Network.getCookies", json!({})).await });
        let asked = heard(&mut played.browser).await;
        assert_eq!(asked["sessionId"], "ours");
        say(
            &mut played.browser,
            json!({ "id": 1, "result": { "of": "driver" } }),
        )
        .await;
        say(
            &mut played.browser,
            json!({ "id": asked["id"], "error": { "message": "no" } }),
        )
        .await;
        assert_eq!(heard(&mut played.driver).await["result"]["of"], "driver");
        let refused = asking.await.expect("it ends").expect_err("an error");
        assert!(
            refused.to_string().contains("Network.getCookies: no"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn pending_calls_fail_when_the_browser_ends() {
        let mut played = played();
        let pipe = played.pipe.clone();
        let asking = tokio::spawn(async move { pipe.send("Page.enable", json!({})).await });
        heard(&mut played.browser).await;
        drop(played.browser);
        asking.await.expect("it ends").expect_err("no browser");
        played
            .pipe
            .send("Page.enable", json!({}))
            .await
            .expect_err("nor later");
        let mut rest = Vec::new();
        let read = played.driver.read_until(0, &mut rest).await;
        assert_eq!(read.expect("a pipe"), 0, "the driver's pipe is closed");
    }
}
