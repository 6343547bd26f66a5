//! A connection that closes when it is idle for too long or is evicted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;
use vintedbot_domain::failpoints;

use super::Limits;
use super::registry::{Activity, Slot};

/// The interval at which a connection's limits are checked.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// An accepted connection with its slot.
pub struct Connection {
    stream: TcpStream,
    slot: Slot,
    limits: Limits,
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    check: Pin<Box<Sleep>>,
    /// The time since which the client has left sent bytes unread.
    stalled: Option<Instant>,
}

impl Connection {
    pub fn new(stream: TcpStream, slot: Slot, limits: &Limits) -> Self {
        Self {
            stream,
            evicted: Box::pin(slot.activity.evicted().cancelled_owned()),
            check: Box::pin(tokio::time::sleep(limits.first_request.min(CHECK_EVERY))),
            slot,
            limits: limits.clone(),
            stalled: None,
        }
    }

    #[cfg(test)]
    pub fn activity(&self) -> Activity {
        self.slot.activity.clone()
    }

    /// Returns the error that ends the connection, once a limit is exceeded. Otherwise registers the task's waker.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.evicted.as_mut().poll(context).is_ready() {
            return Poll::Ready(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "evicted in favour of another connection",
            ));
        }
        loop {
            ready!(self.check.as_mut().poll(context));
            let now = Instant::now();
            let ends = [
                self.slot.activity.idle_until(&self.limits),
                self.stalled.map(|since| since + self.limits.stalled),
            ];
            let end = ends.into_iter().flatten().min();
            if end.is_some_and(|end| end <= now) && !failpoints::disables("silence") {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "idle for too long"));
            }
            // A call may end, or the client may stop reading, before the next check.
            let next = end.map_or(now + CHECK_EVERY, |end| {
                end.clamp(now + Duration::from_millis(1), now + CHECK_EVERY)
            });
            self.check.as_mut().reset(next);
        }
    }

    /// Returns the operation's result, unless the connection must end.
    fn or_end<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Pending => self.poll_end(context).map(Err),
            ready => ready,
        }
    }

    fn or_end_write<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            self.stalled.get_or_insert_with(Instant::now);
        } else {
            self.stalled = None;
        }
        self.or_end(context, polled)
    }
}

impl Connected for Connection {
    type ConnectInfo = Activity;

    fn connect_info(&self) -> Activity {
        self.slot.activity.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.or_end(context, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.or_end_write(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.or_end_write(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
