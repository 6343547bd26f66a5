//! Decorators that redact a session's values: pages, addresses and errors may repeat them, and all of these are stored and
//! shown.
//!
//! Everything that leaves the connector passes here: [`RedactingFormDriver`] wraps every listing form driver, and
//! [`WebSession::redact_error`](crate::web::WebSession::redact_error) handles every read. A new method of the driver must
//! be forwarded here.

use std::sync::Arc;

use async_trait::async_trait;
use vintedbot_marketplace::{
    BrowserWindow, ChangeKind, Changed, Ending, Error, Filled, ListingFormDriver, ListingFormIdentity,
    Permit, Published, Saved, StepObserver, Stopped, TimelineStep, WriteError,
};

use crate::web::WebSession;

/// A listing form driver that redacts its session's values in everything that it returns.
pub(crate) struct RedactingFormDriver {
    inner: Box<dyn ListingFormDriver>,
    session: Arc<WebSession>,
}

impl RedactingFormDriver {
    pub(crate) fn new(inner: Box<dyn ListingFormDriver>, session: Arc<WebSession>) -> Self {
        Self { inner, session }
    }
}

async fn redact_filled(session: &WebSession, filled: Result<Filled, Error>) -> Result<Filled, Error> {
    let filled = session.redact_error(filled).await?;
    Ok(session.redactor().filled(filled))
}

/// Redacts the session's values in the error of a writing call.
pub(crate) async fn redact_write<T>(
    session: &WebSession,
    result: Result<T, WriteError>,
) -> Result<T, WriteError> {
    let (wrap, error): (fn(Error) -> WriteError, Error) = match result {
        Ok(value) => return Ok(value),
        Err(WriteError::NotSent(error)) => (WriteError::NotSent, error),
        Err(WriteError::Refused(error)) => (WriteError::Refused, error),
        Err(WriteError::Unknown(error)) => (WriteError::Unknown, error),
    };
    Err(wrap(session.outward(error).await))
}

/// Redacts the details of reported steps.
struct RedactingObserver<'a> {
    inner: &'a dyn StepObserver,
    session: Arc<WebSession>,
}

#[async_trait]
impl StepObserver for RedactingObserver<'_> {
    async fn reached(&self, timeline_step: TimelineStep) -> Result<(), Stopped> {
        let timeline_step = TimelineStep {
            detail: self.session.redactor().text(timeline_step.detail),
            ..timeline_step
        };
        self.inner.reached(timeline_step).await
    }
}

#[async_trait]
impl ListingFormDriver for RedactingFormDriver {
    fn identity(&self) -> ListingFormIdentity {
        self.inner.identity()
    }

    async fn fill(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error> {
        let steps = RedactingObserver {
            inner: steps,
            session: Arc::clone(&self.session),
        };
        let filled = self.inner.fill(&steps).await;
        redact_filled(&self.session, filled).await
    }

    async fn open_draft(&mut self, remote_id: &str, steps: &dyn StepObserver) -> Result<Filled, Error> {
        let steps = RedactingObserver {
            inner: steps,
            session: Arc::clone(&self.session),
        };
        let opened = self.inner.open_draft(remote_id, &steps).await;
        redact_filled(&self.session, opened).await
    }

    async fn look(&mut self) -> Result<(), Error> {
        let seen = self.inner.look().await;
        self.session.redact_error(seen).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "forwards the call of the only module that may make it"
    )]
    async fn save_draft(&mut self, permit: &dyn Permit) -> Result<Saved, WriteError> {
        let saved = self.inner.save_draft(permit).await;
        redact_write(&self.session, saved).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "forwards the call of the only module that may make it"
    )]
    async fn publish(&mut self, permit: &dyn Permit) -> Result<Published, WriteError> {
        let published = self.inner.publish(permit).await;
        let published = redact_write(&self.session, published).await?;
        Ok(Published {
            evidence: self.session.redactor().evidence(published.evidence),
            ..published
        })
    }

    async fn open_item(
        &mut self,
        remote_id: &str,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<Filled, Error> {
        let steps = RedactingObserver {
            inner: steps,
            session: Arc::clone(&self.session),
        };
        let opened = self.inner.open_item(remote_id, kind, &steps).await;
        redact_filled(&self.session, opened).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "forwards the call of the only module that may make it"
    )]
    async fn change(&mut self, permit: &dyn Permit) -> Result<Changed, WriteError> {
        let changed = self.inner.change(permit).await;
        let changed = redact_write(&self.session, changed).await?;
        Ok(Changed {
            evidence: self.session.redactor().evidence(changed.evidence),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "forwards the call of the only module that may make it"
    )]
    async fn manual_takeover(&mut self) -> Result<(), Error> {
        let result = self.inner.manual_takeover().await;
        self.session.redact_error(result).await
    }

    async fn window(&mut self) -> BrowserWindow {
        match self.inner.window().await {
            BrowserWindow::Open(url) => BrowserWindow::Open(self.session.redactor().text(url)),
            BrowserWindow::Closed => BrowserWindow::Closed,
        }
    }

    async fn quit(self: Box<Self>) -> Ending {
        self.inner.quit().await
    }
}
