//! The inbox, through the account's web session.

use async_trait::async_trait;
use vintedbot_marketplace::{
    AccountContext, Conversation, Error, Inbox, InboxPage, OutgoingReply, Permit, WriteError,
};

use crate::{Connector, redact};

#[async_trait]
impl Inbox for Connector {
    async fn inbox_page(&self, account_context: &AccountContext, page: u32) -> Result<InboxPage, Error> {
        if page > 1 {
            self.pace().pause().await;
        }
        let session = self.session(account_context)?;
        session.redact_error(session.inbox_page(page).await).await
    }

    async fn conversation(
        &self,
        account_context: &AccountContext,
        conversation_id: &str,
    ) -> Result<Option<Conversation>, Error> {
        self.pace().pause().await;
        let session = self.session(account_context)?;
        session
            .redact_error(session.conversation(conversation_id).await)
            .await
    }

    async fn mark_read(&self, account_context: &AccountContext, conversation_id: &str) -> Result<(), Error> {
        let session = self.session(account_context)?;
        session
            .redact_error(session.mark_read(conversation_id).await)
            .await
    }

    async fn remove_conversation(
        &self,
        account_context: &AccountContext,
        permit: &dyn Permit,
        conversation_id: &str,
    ) -> Result<(), WriteError> {
        let session = self.session(account_context).map_err(WriteError::NotSent)?;
        let lasting = session
            .lasting(self.config.request_timeout.saturating_mul(2))
            .await;
        session.redact_error(lasting).await.map_err(WriteError::NotSent)?;
        redact::redact_write(
            &session,
            session.remove_conversation(permit, conversation_id).await,
        )
        .await
    }

    async fn send_reply(
        &self,
        account_context: &AccountContext,
        permit: &dyn Permit,
        reply: &OutgoingReply,
    ) -> Result<Option<String>, WriteError> {
        let session = self.session(account_context).map_err(WriteError::NotSent)?;
        // The access token must outlast the whole attempt.
        let requests = u32::try_from(reply.photos.len())
            .unwrap_or(u32::MAX)
            .saturating_add(2);
        let lasting = session
            .lasting(self.config.request_timeout.saturating_mul(requests))
            .await;
        session.redact_error(lasting).await.map_err(WriteError::NotSent)?;
        redact::redact_write(&session, session.send_reply(permit, reply).await).await
    }
}
