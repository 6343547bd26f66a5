//! The stream of events, resumed after lost connections.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use futures::stream::BoxStream;
use tokio::time::timeout;
use tonic::{Code, Status};
use vintedbot_proto::v1::event_service_client::EventServiceClient;
use vintedbot_proto::v1::watch_response::Message;
use vintedbot_proto::v1::{WatchRequest, WatchResponse};

use crate::call::Calls;
use crate::{Error, Result};

/// The messages of the event log, as a stream; see [`Events::watch`](crate::Events::watch).
///
/// If the connection is lost or the server restarts, the stream resumes from its cursor, with growing waits and without
/// a limit. Every event therefore arrives exactly once. A silence of 40 s counts as a lost connection (see
/// [`ClientBuilder::silence`](crate::ClientBuilder::silence)), and so does a response without a reason of the server,
/// such as a proxy's 404. A permanent error, such as a revoked API token, an ended session or an expired cursor
/// ([`Error::is_cursor_expired`]), is returned, and the stream ends.
///
/// An interrupted snapshot starts again: use a snapshot only after its `SnapshotEnd`.
#[must_use = "nothing is watched until the stream is polled"]
pub struct Watch {
    messages: BoxStream<'static, Result<WatchResponse>>,
    cursor: String,
}

impl Watch {
    pub(crate) fn begin(calls: Calls, request: WatchRequest) -> Self {
        Self {
            cursor: request.cursor.clone(),
            messages: Box::pin(messages(calls, request)),
        }
    }

    /// The cursor after the last message read. Another watch, also in another process, can resume from it. Empty if
    /// no message has been read.
    #[must_use]
    pub fn cursor(&self) -> &str {
        &self.cursor
    }
}

impl Stream for Watch {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(next) = ready!(self.messages.as_mut().poll_next(context)) else {
                return Poll::Ready(None);
            };
            let response = match next {
                Ok(response) => response,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            if !response.cursor.is_empty() {
                self.cursor = response.cursor;
            }
            // A message of an unknown kind is skipped, and its cursor is kept.
            if let Some(message) = response.message {
                return Poll::Ready(Some(Ok(message)));
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

fn messages(calls: Calls, mut request: WatchRequest) -> impl Stream<Item = Result<WatchResponse>> {
    async_stream::stream! {
        let mut cuts = 0;
        loop {
            let open = || async {
                let mut client = EventServiceClient::new(calls.line());
                client.watch(request.clone()).await.map_err(Error::from)
            };
            let opened = timeout(calls.silence, calls.authenticated(open)).await;
            let error = match opened.unwrap_or_else(|_elapsed| Err(silent())) {
                Ok(response) => {
                    let mut stream = response.into_inner();
                    loop {
                        let Ok(next) = timeout(calls.silence, stream.message()).await else {
                            break silent();
                        };
                        match next {
                            Ok(Some(message)) => {
                                cuts = 0;
                                if !message.cursor.is_empty() {
                                    request.cursor.clone_from(&message.cursor);
                                }
                                yield Ok(message);
                            }
                            Ok(None) => break Error::from(Status::unavailable("the server ended the stream")),
                            Err(status) => break Error::from(status),
                        }
                    }
                }
                Err(error) => error,
            };
            if is_final(&error) {
                yield Err(error);
                return;
            }
            cuts += 1;
            let wait = calls.retry.back_off(cuts).max(error.retry_after().unwrap_or_default());
            tokio::time::sleep(wait).await;
        }
    }
}

fn silent() -> Error {
    Error::from(Status::unavailable("the stream was silent for too long"))
}

/// Returns whether a retry would only give the same error.
fn is_final(error: &Error) -> bool {
    match error {
        // Without a reason, the answer is not the server's.
        Error::Api { reason_name, .. } if reason_name.is_empty() => false,
        Error::Api { code, .. } => !matches!(
            code,
            Code::Unavailable | Code::ResourceExhausted | Code::Internal | Code::DeadlineExceeded
        ),
        Error::Refresh(cause) => is_final(cause),
        _ => false,
    }
}
