//! The inbox, through the account's web session.

use async_trait::async_trait;
use vintedbot_marketplace::{Conversation, Error, Inbox, InboxPage, OutgoingReply, Permit, Seat, WriteError};

use crate::{Connector, discreet};

#[async_trait]
impl Inbox for Connector {
    async fn inbox_page(&self, seat: &Seat, page: u32) -> Result<InboxPage, Error> {
        if page > 1 {
            self.pace().pause().await;
        }
        let session = self.session(seat)?;
        session.told(session.inbox_page(page).await).await
    }

    async fn conversation(&self, seat: &Seat, conversation_id: &str) -> Result<Option<Conversation>, Error> {
        self.pace().pause().await;
        let session = self.session(seat)?;
        session.told(session.conversation(conversation_id).await).await
    }

    async fn mark_read(&self, seat: &Seat, conversation_id: &str) -> Result<(), Error> {
        let session = self.session(seat)?;
        session.told(session.mark_read(conversation_id).await).await
    }

    async fn remove_conversation(
        &self,
        seat: &Seat,
        permit: &dyn Permit,
        conversation_id: &str,
    ) -> Result<(), WriteError> {
        let session = self.session(seat).map_err(WriteError::NotSent)?;
        let lasting = session
            .lasting(self.config.request_timeout.saturating_mul(2))
            .await;
        session.told(lasting).await.map_err(WriteError::NotSent)?;
        discreet::written(
            &session,
            session.remove_conversation(permit, conversation_id).await,
        )
        .await
    }

    async fn send_reply(
        &self,
        seat: &Seat,
        permit: &dyn Permit,
        reply: &OutgoingReply,
    ) -> Result<Option<String>, WriteError> {
        let session = self.session(seat).map_err(WriteError::NotSent)?;
        // A token that ends on the way would end the attempt.
        let requests = u32::try_from(reply.photos.len())
            .unwrap_or(u32::MAX)
            .saturating_add(2);
        let lasting = session
            .lasting(self.config.request_timeout.saturating_mul(requests))
            .await;
        session.told(lasting).await.map_err(WriteError::NotSent)?;
        discreet::written(&session, session.send_reply(permit, reply).await).await
    }
}
