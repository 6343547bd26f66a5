//! Calls, repeated if that is safe.

use std::time::Duration;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::client::Credential;
use crate::request_id::Change;
use crate::{Error, ErrorReason, Result, RetryPolicy};

/// The connection with its credential.
pub type Line = InterceptedService<Channel, Credential>;

/// The connection and the settings that the services use for their calls.
#[derive(Clone)]
pub struct Calls {
    pub channel: Channel,
    pub credential: Credential,
    /// The timeout of one attempt.
    pub timeout: Duration,
    /// The silence after which a watch reconnects.
    pub silence: Duration,
    pub retry: RetryPolicy,
}

impl Calls {
    /// Returns the connection with its credential.
    pub fn line(&self) -> Line {
        InterceptedService::new(self.channel.clone(), self.credential.clone())
    }

    /// Returns calls without a credential, for public methods.
    pub fn public(&self) -> Self {
        Self {
            credential: Credential::None,
            ..self.clone()
        }
    }

    /// Makes a call that may be repeated: it changes nothing, or its repetition has no further effect.
    pub async fn read<R, A, F>(&self, request: R, call: impl Fn(Line, Request<R>) -> F) -> Result<A>
    where
        R: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        self.repeat(|| async {
            let mut request = Request::new(request.clone());
            request.set_timeout(self.timeout);
            let answer = call(self.line(), request);
            tokio::time::timeout(self.timeout, answer)
                .await
                .map_err(|_elapsed| Error::timed_out())?
                .map_err(Error::from)
        })
        .await
    }

    /// Makes a call that changes something. All attempts carry the same `request_id`, so the server executes it once.
    pub async fn change<R, A, F>(&self, request: R, call: impl Fn(Line, Request<R>) -> F) -> Result<A>
    where
        R: Change,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        self.read(request.identified(), call).await
    }

    /// Makes a call that has no `request_id` and must not be repeated: it would fail, or have its effect twice.
    pub async fn once<R, A, F>(&self, request: R, call: impl Fn(Line, Request<R>) -> F) -> Result<A>
    where
        R: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let calls = Self {
            retry: RetryPolicy::never(),
            ..self.clone()
        };
        calls.read(request, call).await
    }

    /// Runs `attempt` until it succeeds, fails permanently, or the attempts are exhausted. `attempt` must be safe to
    /// repeat.
    pub async fn repeat<A, F>(&self, mut attempt: impl FnMut() -> F) -> Result<A>
    where
        F: Future<Output = Result<Response<A>>>,
    {
        let mut made = 1;
        loop {
            let error = match self.authenticated(&mut attempt).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(error) => error,
            };
            let Some(wait) = self.retry.wait_after(made, &error) else {
                return Err(error);
            };
            tokio::time::sleep(wait).await;
            made += 1;
        }
    }

    /// Runs `attempt` with the current access token of the session, if there is one. If the server refuses the token as
    /// expired, refreshes it and runs `attempt` once more.
    pub async fn authenticated<A, F>(&self, mut attempt: impl FnMut() -> F) -> Result<A>
    where
        F: Future<Output = Result<A>>,
    {
        let Credential::Session(session) = &self.credential else {
            return attempt().await;
        };
        let sent = session.fresh_bearer().await?;
        match attempt().await {
            Err(error) if error.reason() == ErrorReason::TokenExpired => {
                session.refresh(&sent).await?;
                attempt().await
            }
            outcome => outcome,
        }
    }
}

/// The required resource of a response.
pub trait Present<T> {
    fn present(self, what: &'static str) -> Result<T>;
}

impl<T> Present<T> for Option<T> {
    fn present(self, what: &'static str) -> Result<T> {
        self.ok_or(Error::Incomplete(what))
    }
}

/// `call!(XyzServiceClient::method)`: a function that calls the method on a given connection.
macro_rules! call {
    ($client:ident :: $method:ident) => {
        |line, request| async move { $client::new(line).$method(request).await }
    };
}
pub(crate) use call;
