//! The simulation has no inbox.

use async_trait::async_trait;
use vintedbot_marketplace::{
    AccountContext, Conversation, Error, Inbox, InboxPage, OutgoingReply, Permit, WriteError,
};

use super::market::Market;

#[async_trait]
impl Inbox for Market {
    async fn inbox_page(&self, _: &AccountContext, _: u32) -> Result<InboxPage, Error> {
        Err(no_inbox())
    }

    async fn conversation(&self, _: &AccountContext, _: &str) -> Result<Option<Conversation>, Error> {
        Err(no_inbox())
    }

    async fn mark_read(&self, _: &AccountContext, _: &str) -> Result<(), Error> {
        Err(no_inbox())
    }

    async fn remove_conversation(
        &self,
        _: &AccountContext,
        _: &dyn Permit,
        _: &str,
    ) -> Result<(), WriteError> {
        Err(WriteError::NotSent(no_inbox()))
    }

    async fn send_reply(
        &self,
        _: &AccountContext,
        _: &dyn Permit,
        _: &OutgoingReply,
    ) -> Result<Option<String>, WriteError> {
        Err(WriteError::NotSent(no_inbox()))
    }
}

fn no_inbox() -> Error {
    Error::Unavailable("not part of the simulation".to_owned())
}
