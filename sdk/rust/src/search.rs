//! Search among the items of all members of the marketplace.

use vintedbot_proto::v1::SearchItemsRequest;
use vintedbot_proto::v1::marketplace_search_service_client::MarketplaceSearchServiceClient;
use vintedbot_proto::v1::search_items_response::Item;

use crate::Paged;
use crate::call::{Calls, call};

/// `MarketplaceSearchService`; see [`Client::search`](crate::Client::search). A server without this search fails with
/// `SEARCH_UNAVAILABLE`.
#[derive(Clone)]
pub struct Search {
    pub(crate) calls: Calls,
}

impl Search {
    /// Finds items, best match first.
    pub fn items(&self, request: SearchItemsRequest) -> Paged<Item> {
        self.calls
            .pages(request, call!(MarketplaceSearchServiceClient::search_items))
    }
}
