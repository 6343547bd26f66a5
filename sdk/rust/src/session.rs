//! The session of a signed-in person: its tokens, and their refresh.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};
use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::{RefreshSessionRequest, SessionTokens};

use crate::call::{Calls, Present as _, call};
use crate::client::bearer;
use crate::{Error, ErrorReason, Result, RetryPolicy};

/// The contract's lifetime of an access token.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);
const REFRESH_AHEAD: Duration = Duration::from_secs(30);
/// The timeout of one attempt at a refresh. The server accepts a repeated refresh token for 30 s, and later ends the
/// session. All attempts of the default `RetryPolicy` are sent within this time.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);

/// A session. Clones share its tokens.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    /// Calls without a credential.
    calls: Calls,
    state: Mutex<State>,
}

/// One refresh. All calls that need it await it.
type Refresh = Shared<BoxFuture<'static, Result<(), Arc<Error>>>>;

struct State {
    tokens: SessionTokens,
    /// The header value of the access token.
    bearer: MetadataValue<Ascii>,
    /// Absent for stored tokens. Their age is unknown, so they are used until the server refuses them.
    refresh_time: Option<Instant>,
    /// The refresh in progress, or the one whose refusal ended the session.
    refresh: Option<Refresh>,
}

impl State {
    fn stored(tokens: SessionTokens) -> Result<Self> {
        Ok(Self {
            bearer: bearer(&tokens.access_token)?,
            tokens,
            refresh_time: None,
            refresh: None,
        })
    }

    /// Measures the lifetime from the arrival of the tokens, because this clock may differ from the server's.
    fn received(tokens: SessionTokens, arrival: Instant) -> Result<Self> {
        Ok(Self {
            refresh_time: Some(arrival + ACCESS_TOKEN_LIFETIME - REFRESH_AHEAD),
            ..Self::stored(tokens)?
        })
    }

    fn is_due(&self, now: Instant) -> bool {
        self.refresh_time.is_some_and(|time| time <= now)
    }
}

impl Session {
    /// Takes tokens that were stored earlier.
    pub fn stored(calls: &Calls, tokens: SessionTokens) -> Result<Self> {
        Ok(Self::with(calls, State::stored(tokens)?))
    }

    /// Takes tokens that have just arrived.
    pub fn received(calls: &Calls, tokens: SessionTokens) -> Result<Self> {
        Ok(Self::with(calls, State::received(tokens, Instant::now())?))
    }

    fn with(calls: &Calls, state: State) -> Self {
        let mut calls = calls.public();
        calls.timeout = calls.timeout.min(REFRESH_TIMEOUT);
        calls.retry = RetryPolicy::default();
        Self(Arc::new(Inner {
            calls,
            state: Mutex::new(state),
        }))
    }

    pub fn tokens(&self) -> SessionTokens {
        self.state().tokens.clone()
    }

    /// Returns the header value of the current access token.
    pub fn bearer(&self) -> MetadataValue<Ascii> {
        self.state().bearer.clone()
    }

    /// Returns the header value of the access token, after a refresh if it expires soon.
    pub async fn fresh_bearer(&self) -> Result<MetadataValue<Ascii>> {
        let (bearer, is_due) = {
            let state = self.state();
            (state.bearer.clone(), state.is_due(Instant::now()))
        };
        if !is_due {
            return Ok(bearer);
        }
        self.refresh(&bearer).await?;
        Ok(self.bearer())
    }

    /// Replaces the access token `sent`, unless another call has replaced it already.
    pub async fn refresh(&self, sent: &MetadataValue<Ascii>) -> Result<()> {
        match self.shared_refresh(sent) {
            Some(refresh) => refresh.await.map_err(Error::Refresh),
            None => Ok(()),
        }
    }

    fn shared_refresh(&self, sent: &MetadataValue<Ascii>) -> Option<Refresh> {
        let mut state = self.state();
        if state.bearer != *sent {
            return None;
        }
        if state.refresh.is_none() {
            state.refresh = Some(self.start_refresh(state.tokens.refresh_token.clone()));
        }
        state.refresh.clone()
    }

    /// Starts a refresh in a task, so that a cancelled caller cannot lose the new tokens.
    fn start_refresh(&self, refresh_token: String) -> Refresh {
        let session = self.clone();
        let task = tokio::spawn(async move {
            let outcome = session.request_tokens(refresh_token).await;
            session.finish_refresh(outcome)
        });
        task.map(|joined| joined.unwrap_or_else(|_| Err(Arc::new(stopped()))))
            .boxed()
            .shared()
    }

    async fn request_tokens(&self, refresh_token: String) -> Result<State> {
        let request = RefreshSessionRequest { refresh_token };
        let answer = self
            .0
            .calls
            .read(request, call!(AuthServiceClient::refresh_session))
            .await?;
        State::received(answer.tokens.present("session tokens")?, Instant::now())
    }

    fn finish_refresh(&self, outcome: Result<State>) -> Result<(), Arc<Error>> {
        let mut state = self.state();
        match outcome {
            Ok(new) => {
                *state = new;
                Ok(())
            }
            Err(error) => {
                if !has_ended(&error) {
                    // The next call tries again.
                    state.refresh = None;
                }
                Err(Arc::new(error))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of a refresh whose task was dropped with the runtime.
fn stopped() -> Error {
    Error::from(Status::cancelled("the runtime has stopped"))
}

fn has_ended(error: &Error) -> bool {
    matches!(
        error.reason(),
        ErrorReason::RefreshTokenInvalid | ErrorReason::RefreshTokenReused
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_tokens_are_due_30_seconds_before_they_expire() {
        let arrival = Instant::now();
        let state = State::received(SessionTokens::default(), arrival).expect("it can be sent");
        let due = arrival + Duration::from_secs(14 * 60 + 30);
        assert!(!state.is_due(due - Duration::from_millis(1)));
        assert!(state.is_due(due));
    }

    #[test]
    fn stored_tokens_are_never_due() {
        let state = State::stored(SessionTokens::default()).expect("it can be sent");
        assert!(!state.is_due(Instant::now() + Duration::from_secs(60 * 60)));
    }
}
