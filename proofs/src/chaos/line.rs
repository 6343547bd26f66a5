//! A connection between one worker and the database that can be cut like a cable: data is lost without an error.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// A connection to a server.
pub struct Line {
    address: SocketAddr,
    /// The number of repairs, and whether the connection works.
    state: watch::Sender<(u64, bool)>,
    _task: AbortOnDropHandle<()>,
}

impl Line {
    /// Opens a connection to the server on this port.
    ///
    /// # Errors
    ///
    /// Fails if no port is free.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (state, seen) = watch::channel((0, true));
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
                        return;
                    };
                    let mended = seen.borrow().0;
                    let ((near_read, near_write), (far_read, far_write)) =
                        (near.into_split(), far.into_split());
                    let mut until = seen.clone();
                    tokio::select! {
                        () = carry(near_read, far_write, seen.clone()) => {}
                        () = carry(far_read, near_write, seen) => {}
                        // Connections that were open during the cut end when the line is repaired.
                        _ = until.wait_for(|(count, _)| *count > mended) => {}
                    }
                });
            }
        });
        Ok(Self {
            address,
            state,
            _task: AbortOnDropHandle::new(task),
        })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn cut(&self) {
        self.state.send_modify(|(_, is_whole)| *is_whole = false);
    }

    pub fn mend(&self) {
        self.state.send_modify(|(count, is_whole)| {
            *count += 1;
            *is_whole = true;
        });
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<(u64, bool)>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count) = from.read(&mut buffer).await else {
            return;
        };
        if count == 0 || state.wait_for(|(_, is_whole)| *is_whole).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
