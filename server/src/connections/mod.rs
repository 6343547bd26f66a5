//! Limits on connections: how many may be open, in total and from one address, and how long they may stay silent.
//!
//! A client that holds connections open without calling must not keep others out. A full server therefore closes the
//! oldest connection without an authenticated call to make room, and refuses the new one only where every connection
//! has such a call.

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

/// How long accepting pauses after it failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections may take. Numbers are counts, times are wall-clock durations.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in total.
    pub total: usize,
    /// Connections from one address; IPv6 addresses of one /64 network count as one.
    pub per_address: usize,
    /// Calls that run at once on one HTTP/2 connection.
    pub streams: u32,
    /// Calls, streams among them, that run at once for one owner.
    pub calls_per_owner: usize,
    /// How long a connection may take to its first complete request head.
    pub first_request: Duration,
    /// How long a connection may stay open without a call.
    pub idle: Duration,
    /// How long a client may leave sent bytes unread before its connection is closed.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: 512,
            per_address: 384,
            streams: 200,
            calls_per_owner: 256,
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            stalled: Duration::from_secs(60),
        }
    }
}

/// Accepts connections within the limits. Never ends.
pub fn accept(listener: TcpListener, registry: Registry) -> impl Stream<Item = std::io::Result<Connection>> {
    stream::unfold((listener, registry), |(listener, registry)| async move {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    let Some(slot) = registry.admit(address.ip()) else {
                        continue;
                    };
                    // Without it, small frames wait for the acknowledgement of the ones before.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY");
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

/// Whether accepting fails for lack of something that only time brings back. Others concern one connection.
fn is_exhausted(error: &std::io::Error) -> bool {
    use rustix::io::Errno;

    let errno = Errno::from_io_error(error);
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .map(Some)
        .contains(&errno)
}

/// Counts a call on its connection, from its head to the end of its answer.
pub async fn count_call(request: Request, next: Next) -> Response {
    let call = request.extensions().get::<Activity>().map(Activity::begin_call);
    hold(next.run(request).await, call)
}

/// Drops `guard` with the answer's body.
pub fn hold<G: Send + Unpin + 'static>(response: Response, guard: G) -> Response {
    response.map(|inner| Body::new(Holding { inner, _guard: guard }))
}

/// A body with what is released after it.
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
