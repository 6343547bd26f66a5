//! Photos, by the addresses in the site's answers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use url::Url;
use vintedbot_marketplace::Error;

use super::{Allowed, SystemResolver, Trouble, client, may_be_asked, resolve, unavailable};

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(why) => Self::Shape(format!("an address that is not followed: {why}")),
            Trouble::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

/// Fetches what an address shows, at most `max_bytes` of it.
///
/// # Errors
/// [`Error::Shape`] for an address that leads elsewhere than allowed; [`Error::Unavailable`] where nothing useful came.
pub(crate) async fn fetch(
    address: &str,
    allowed: &Allowed<'_>,
    timeout: Duration,
    max_bytes: usize,
) -> Result<Bytes, Error> {
    let url = Url::parse(address).map_err(|error| Trouble::Refused(format!("it is no address: {error}")))?;
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
