//! The inbox, through the account's web session.

use async_trait::async_trait;
use vintedbot_marketplace::{Conversation, Error, Inbox, InboxPage, OutgoingReply, Permit, Seat, WriteError};

use crate::Connector;

#[async_trait]
impl Inbox for Connector {
    async fn inbox_page(&self, _: &Seat, _: u32) -> Result<InboxPage, Error> {
        Err(to_come())
    }

    async fn conversation(&self, _: &Seat, _: &str) -> Result<Option<Conversation>, Error> {
        Err(to_come())
    }

    async fn mark_read(&self, _: &Seat, _: &str) -> Result<(), Error> {
        Err(to_come())
    }

    async fn send_reply(
        &self,
        _: &Seat,
        _: &dyn Permit,
        _: &OutgoingReply,
    ) -> Result<Option<String>, WriteError> {
        Err(WriteError::NotSent(to_come()))
    }
}

fn to_come() -> Error {
    Error::Unavailable("to come".to_owned())
}
