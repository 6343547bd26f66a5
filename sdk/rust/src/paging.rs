//! Lists as streams, which fetch each page when the reader reaches it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status};
use vintedbot_proto::v1;

use crate::Result;
use crate::call::{Calls, Line};

/// The entries of a list, in order. Read it with `futures::TryStreamExt`: `try_next`, `try_collect`. It ends after an
/// error.
#[must_use = "nothing is fetched until the stream is polled"]
pub struct Paged<T>(BoxStream<'static, Result<T>>);

impl<T> Stream for Paged<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl<T> fmt::Debug for Paged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paged").finish_non_exhaustive()
    }
}

/// A list request, with the type and the entries of its response.
pub trait ListRequest: Clone + Send + Sync + 'static {
    type Answer: Send;
    type Entry: Send;

    fn set_page_token(&mut self, token: String);
    fn entries(answer: Self::Answer) -> (Vec<Self::Entry>, String);
}

macro_rules! lists {
    ($($request:ident => $answer:ident . $entries:ident : $entry:ty;)*) => {$(
        impl ListRequest for v1::$request {
            type Answer = v1::$answer;
            type Entry = $entry;

            fn set_page_token(&mut self, token: String) {
                self.page_token = token;
            }

            fn entries(answer: Self::Answer) -> (Vec<Self::Entry>, String) {
                (answer.$entries, answer.next_page_token)
            }
        }
    )*};
}

lists! {
    ListAccountsRequest => ListAccountsResponse.accounts: v1::Account;
    ListUserSessionsRequest => ListUserSessionsResponse.sessions: v1::UserSession;
    ListUsersRequest => ListUsersResponse.users: v1::User;
    ListInvitationsRequest => ListInvitationsResponse.invitations: v1::Invitation;
    ListApiTokensRequest => ListApiTokensResponse.api_tokens: v1::ApiToken;
    ListCategoriesRequest => ListCategoriesResponse.categories: v1::Category;
    SearchBrandsRequest => SearchBrandsResponse.brands: v1::Brand;
    ListSizesRequest => ListSizesResponse.sizes: v1::Size;
    ListColorsRequest => ListColorsResponse.colors: v1::Color;
    ListConditionsRequest => ListConditionsResponse.conditions: v1::Condition;
    ListPackageSizesRequest => ListPackageSizesResponse.package_sizes: v1::PackageSize;
    ListPhotosRequest => ListPhotosResponse.photos: v1::Photo;
    ListListingsRequest => ListListingsResponse.listings: v1::Listing;
    ListPublishJobsRequest => ListPublishJobsResponse.publish_jobs: v1::PublishJob;
    ListPublishStepsRequest => ListPublishStepsResponse.steps: v1::PublishStep;
    ListScreenshotsRequest => ListScreenshotsResponse.screenshots: v1::Screenshot;
    ListThreadsRequest => ListThreadsResponse.threads: v1::Thread;
    ListMessagesRequest => ListMessagesResponse.messages: v1::Message;
    ListRepliesRequest => ListRepliesResponse.replies: v1::Reply;
    SearchRequest => SearchResponse.results: v1::SearchResult;
    SearchListingsRequest => SearchListingsResponse.results: v1::search_listings_response::Result;
    ListTemplatesRequest => ListTemplatesResponse.templates: v1::Template;
    ListEndpointsRequest => ListEndpointsResponse.endpoints: v1::WebhookEndpoint;
    ListDeliveriesRequest => ListDeliveriesResponse.deliveries: v1::WebhookDelivery;
    SearchItemsRequest => SearchItemsResponse.items: v1::search_items_response::Item;
}

impl Calls {
    /// Returns all entries of a list, starting at the page that `request` names.
    pub fn pages<R, F>(
        &self,
        mut request: R,
        call: impl Fn(Line, Request<R>) -> F + Send + Sync + 'static,
    ) -> Paged<R::Entry>
    where
        R: ListRequest,
        F: Future<Output = Result<Response<R::Answer>, Status>> + Send,
    {
        let calls = self.clone();
        Paged(Box::pin(async_stream::try_stream! {
            loop {
                let answer = calls.read(request.clone(), &call).await?;
                let (entries, next) = R::entries(answer);
                for entry in entries {
                    yield entry;
                }
                if next.is_empty() {
                    break;
                }
                request.set_page_token(next);
            }
        }))
    }
}
