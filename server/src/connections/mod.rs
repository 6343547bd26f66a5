//! Limits on connections: the number of open connections, in total and per address, and their idle time.
//!
//! A client must not block others by holding connections open without calls. If the server is full, it closes the
//! oldest connection without an authenticated call. It refuses the new connection only if every open one has such a
//! call.

mod io;
mod registry;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures::Stream;
use futures::stream;
use http_body::{Frame, SizeHint};
use tokio::net::TcpListener;

pub use io::Connection;
pub use registry::{Activity, Registry};

/// The pause after accepting failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits on connections. Numbers are counts, times are wall-clock durations.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in total.
    pub total: usize,
    /// Connections from one address; IPv6 addresses of one /64 network count as one.
    pub per_address: usize,
    /// Concurrent calls on one HTTP/2 connection.
    pub streams: u32,
    /// Concurrent calls of one workspace, including streams; also those from one address without a credential.
    pub calls_per_workspace: usize,
    /// The maximum time until the first complete request head of a connection.
    pub first_request: Duration,
    /// The maximum time that a connection may stay open without a call.
    pub idle: Duration,
    /// The maximum time that a client may leave sent bytes unread.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: 512,
            per_address: 384,
            streams: 200,
            calls_per_workspace: 256,
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            stalled: Duration::from_secs(60),
        }
    }
}

/// Accepts connections within the limits. The stream never ends.
pub fn accept(listener: TcpListener, registry: Registry) -> impl Stream<Item = std::io::Result<Connection>> {
    stream::unfold((listener, registry), |(listener, registry)| async move {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    let Some(slot) = registry.admit(address.ip()) else {
                        continue;
                    };
                    // Without TCP_NODELAY, small frames wait for the acknowledgement of earlier ones.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY could not be set");
                    }
                    let connection = Connection::new(stream, slot, registry.limits());
                    return Some((Ok(connection), (listener, registry)));
                }
                Err(error) => {
                    if is_exhausted(&error) {
                        registry.report_exhausted(&error);
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    })
}

/// Returns whether accepting failed because a resource is exhausted. Other errors concern one connection.
fn is_exhausted(error: &std::io::Error) -> bool {
    use rustix::io::Errno;

    let errno = Errno::from_io_error(error);
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .map(Some)
        .contains(&errno)
}

/// Counts a call on its connection, from its head to the end of its response.
pub async fn count_call(request: Request, next: Next) -> Response {
    let call = request.extensions().get::<Activity>().map(Activity::begin_call);
    hold(next.run(request).await, call)
}

/// Drops `guard` together with the response body.
pub fn hold<G: Send + Unpin + 'static>(response: Response, guard: G) -> Response {
    response.map(|inner| Body::new(Holding { inner, _guard: guard }))
}

/// A response body with a guard that is dropped after it.
struct Holding<G> {
    inner: Body,
    _guard: G,
}

impl<G: Unpin> http_body::Body for Holding<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
