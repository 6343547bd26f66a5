//! A connection that ends when it has been silent for too long or has to make room.

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

/// How often a connection with running calls is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// An accepted connection, with its place among the open ones.
pub struct Connection {
    stream: TcpStream,
    slot: Slot,
    limits: Limits,
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    look: Pin<Box<Sleep>>,
    /// Since when the client has left bytes unread.
    stalled: Option<Instant>,
}

impl Connection {
    pub fn new(stream: TcpStream, slot: Slot, limits: &Limits) -> Self {
        Self {
            stream,
            evicted: Box::pin(slot.activity.evicted().cancelled_owned()),
            look: Box::pin(tokio::time::sleep(limits.first_request.min(LOOK))),
            slot,
            limits: limits.clone(),
            stalled: None,
        }
    }

    #[cfg(test)]
    pub fn activity(&self) -> Activity {
        self.slot.activity.clone()
    }

    /// The error with which the connection ends, once it has to. Wakes the task then.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.evicted.as_mut().poll(context).is_ready() {
            return Poll::Ready(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "makes room for another connection",
            ));
        }
        loop {
            ready!(self.look.as_mut().poll(context));
            let now = Instant::now();
            let ends = [
                self.slot.activity.idle_until(&self.limits),
                self.stalled.map(|since| since + self.limits.stalled),
            ];
            let end = ends.into_iter().flatten().min();
            if end.is_some_and(|end| end <= now) && !failpoints::disables("silence") {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "silent for too long"));
            }
            // A call may end, or the client may stop reading, before the next look.
            let next = end.map_or(now + LOOK, |end| {
                end.clamp(now + Duration::from_millis(1), now + LOOK)
            });
            self.look.as_mut().reset(next);
        }
    }

    /// Passes on what an operation gave, unless the connection has to end.
    fn or_end<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Pending => self.poll_end(context).map(Err),
            ready => ready,
        }
    }

    fn or_end_of_write<T>(
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
        self.or_end_of_write(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.or_end_of_write(context, polled)
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
