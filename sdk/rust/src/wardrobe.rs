//! Imports of an account's items on the site.

use futures::TryStreamExt as _;
use vintedbot_proto::v1::wardrobe_import::State;
use vintedbot_proto::v1::wardrobe_service_client::WardrobeServiceClient;
use vintedbot_proto::v1::watch_response::Message;
use vintedbot_proto::v1::{
    AcceptRemoteChangesRequest, GetWardrobeImportRequest, ImportWardrobeRequest, Listing, WardrobeImport,
    WatchRequest,
};

use crate::call::{Calls, Present as _, call};
use crate::{Error, Result, Watch};

/// `WardrobeService`; see [`Client::wardrobe`](crate::Client::wardrobe).
#[derive(Clone)]
pub struct Wardrobe {
    pub(crate) calls: Calls,
}

impl Wardrobe {
    /// Imports an account's items and drafts from the site. New items become listings; known items are compared with
    /// their listings. If an import of the account is running, returns that one. See [`ended`](Self::ended).
    pub async fn import(&self, account_id: impl Into<String>) -> Result<WardrobeImport> {
        let request = ImportWardrobeRequest {
            account_id: account_id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(WardrobeServiceClient::import_wardrobe))
            .await?;
        answer.wardrobe_import.present("wardrobe import")
    }

    /// Returns one import, with its progress.
    pub async fn get(&self, id: impl Into<String>) -> Result<WardrobeImport> {
        let request = GetWardrobeImportRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(WardrobeServiceClient::get_wardrobe_import))
            .await?;
        answer.wardrobe_import.present("wardrobe import")
    }

    /// Waits until an import has ended. Has no timeout. Needs the scope `events:read`.
    pub async fn ended(&self, id: impl Into<String>) -> Result<WardrobeImport> {
        let id = id.into();
        let mut watch = Watch::begin(self.calls.clone(), WatchRequest::default());
        while let Some(message) = watch.try_next().await? {
            let is_news = match message {
                Message::Event(event) => event.resource_id == id,
                Message::Checkpoint(_) => true,
                _ => false,
            };
            if is_news {
                let import = self.get(&id).await?;
                if matches!(import.state(), State::Done | State::Failed) {
                    return Ok(import);
                }
            }
        }
        Err(Error::Incomplete("final state of the import"))
    }

    /// Copies the changes made on the site into the listing here, as they were last read.
    pub async fn accept(&self, listing_id: impl Into<String>) -> Result<Listing> {
        let request = AcceptRemoteChangesRequest {
            listing_id: listing_id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(WardrobeServiceClient::accept_remote_changes))
            .await?;
        answer.listing.present("listing")
    }
}
