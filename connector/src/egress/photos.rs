//! Fetches photos from the addresses in the site's answers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use url::Url;
use vintedbot_marketplace::Error;

use super::{Allowed, EgressError, SystemResolver, client, may_be_asked, resolve, unavailable};

impl From<EgressError> for Error {
    fn from(egress_error: EgressError) -> Self {
        match egress_error {
            EgressError::Refused(why) => Self::Shape(format!("refused address: {why}")),
            EgressError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

/// Fetches the body at an address, at most `max_bytes` of it.
///
/// # Errors
/// [`Error::Shape`] if the address is not allowed; [`Error::Unavailable`] if no usable body arrived.
pub(crate) async fn fetch(
    address: &str,
    allowed: &Allowed<'_>,
    timeout: Duration,
    max_bytes: usize,
) -> Result<Bytes, Error> {
    let url = Url::parse(address)
        .map_err(|error| EgressError::Refused(format!("the address is not a valid URL: {error}")))?;
    may_be_asked(&url, allowed)?;
    let fetched = async {
        let addresses = resolve(&url, allowed, &SystemResolver).await?;
        let answer = client(&addresses)?.get(url).send().await.map_err(unavailable)?;
        if answer.status().as_u16() != 200 {
            return Err(Error::Unavailable(format!("status {}", answer.status().as_u16())));
        }
        let mut body = BytesMut::new();
        let mut parts = answer.bytes_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(unavailable)?;
            if body.len() + part.len() > max_bytes {
                return Err(Error::Unavailable(format!("more than {max_bytes} bytes")));
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    };
    match tokio::time::timeout(timeout, fetched).await {
        Ok(fetched) => fetched,
        Err(_) => Err(Error::Unavailable("no answer in time".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Starts a server that answers every request with `head` and then repeats `more` until the client disconnects.
    /// Returns its URL and the number of connections.
    async fn server(head: String, more: &'static [u8]) -> (Url, Arc<AtomicUsize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}/x.jpg", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 1_024];
                let _ = stream.read(&mut request).await;
                let mut written = stream.write_all(head.as_bytes()).await;
                while written.is_ok() && !more.is_empty() {
                    written = stream.write_all(more).await;
                }
            }
        });
        (url.parse().expect("an address"), asked)
    }

    async fn fetched(url: &Url) -> Result<Bytes, Error> {
        let allowed = Allowed::Practice(url);
        fetch(url.as_str(), &allowed, Duration::from_secs(10), 10_000).await
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_wherever_it_leads() {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let (elsewhere, asked) = server(good.to_owned(), b"").await;
        assert_eq!(fetched(&elsewhere).await.expect("a body"), "ok");
        for status in [301, 302, 303, 307, 308] {
            let head =
                format!("HTTP/1.1 {status} Moved\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
            let (redirecting, came) = server(head, b"").await;
            let answer = fetched(&redirecting).await;
            assert!(
                matches!(answer, Err(Error::Unavailable(_))),
                "{status}: {answer:?}"
            );
            assert_eq!(came.load(Ordering::SeqCst), 1);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "by us, before the redirects");
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_not_read_to_its_end() {
        for (head, more) in [
            // With a length, without one, and in chunks; none of the bodies ends.
            ("content-length: 1000000000000", b"xxxxxxxx".as_slice()),
            ("connection: close", b"xxxxxxxx".as_slice()),
            ("transfer-encoding: chunked", b"8\r\nxxxxxxxx\r\n".as_slice()),
        ] {
            let (url, _) = server(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n"), more).await;
            match fetched(&url).await {
                Err(Error::Unavailable(why)) => assert!(why.contains("more than 10000 bytes"), "{why}"),
                other => panic!("{head}: {other:?}"),
            }
        }
    }
}
