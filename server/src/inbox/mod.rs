//! `InboxService`: the threads, messages and replies of all accounts.

mod bulk;
mod change;
mod overview;
mod read;
mod removal;
mod replies;
mod search;
mod sync;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_proto::v1;
use vintedbot_proto::v1::inbox_service_server::{InboxService, InboxServiceServer};

use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(InboxServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

struct Service(ServerState);

#[tonic::async_trait]
impl InboxService for Service {
    async fn list_threads(
        &self,
        request: Request<v1::ListThreadsRequest>,
    ) -> Result<Response<v1::ListThreadsResponse>, Status> {
        Ok(read::list(&self.0, request).await?)
    }

    async fn get_thread(
        &self,
        request: Request<v1::GetThreadRequest>,
    ) -> Result<Response<v1::GetThreadResponse>, Status> {
        Ok(read::get(&self.0, request).await?)
    }

    async fn list_messages(
        &self,
        request: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesResponse>, Status> {
        Ok(read::list_messages(&self.0, request).await?)
    }

    async fn get_inbox_counts(
        &self,
        request: Request<v1::GetInboxCountsRequest>,
    ) -> Result<Response<v1::GetInboxCountsResponse>, Status> {
        Ok(overview::counts(&self.0, request).await?)
    }

    async fn get_person(
        &self,
        request: Request<v1::GetPersonRequest>,
    ) -> Result<Response<v1::GetPersonResponse>, Status> {
        Ok(overview::person(&self.0, request).await?)
    }

    async fn search(
        &self,
        request: Request<v1::SearchRequest>,
    ) -> Result<Response<v1::SearchResponse>, Status> {
        Ok(search::search(&self.0, request).await?)
    }

    async fn mark_threads(
        &self,
        request: Request<v1::MarkThreadsRequest>,
    ) -> Result<Response<v1::MarkThreadsResponse>, Status> {
        Ok(bulk::mark(&self.0, request).await?)
    }

    async fn archive_threads(
        &self,
        request: Request<v1::ArchiveThreadsRequest>,
    ) -> Result<Response<v1::ArchiveThreadsResponse>, Status> {
        Ok(bulk::archive(&self.0, request).await?)
    }

    async fn label_threads(
        &self,
        request: Request<v1::LabelThreadsRequest>,
    ) -> Result<Response<v1::LabelThreadsResponse>, Status> {
        Ok(bulk::label(&self.0, request).await?)
    }

    async fn snooze_thread(
        &self,
        request: Request<v1::SnoozeThreadRequest>,
    ) -> Result<Response<v1::SnoozeThreadResponse>, Status> {
        Ok(change::snooze(&self.0, request).await?)
    }

    async fn set_thread_note(
        &self,
        request: Request<v1::SetThreadNoteRequest>,
    ) -> Result<Response<v1::SetThreadNoteResponse>, Status> {
        Ok(change::set_note(&self.0, request).await?)
    }

    async fn delete_thread(
        &self,
        request: Request<v1::DeleteThreadRequest>,
    ) -> Result<Response<v1::DeleteThreadResponse>, Status> {
        Ok(change::delete(&self.0, request).await?)
    }

    async fn prepare_thread_removal(
        &self,
        request: Request<v1::PrepareThreadRemovalRequest>,
    ) -> Result<Response<v1::PrepareThreadRemovalResponse>, Status> {
        Ok(removal::prepare(&self.0, request).await?)
    }

    async fn confirm_thread_removal(
        &self,
        request: Request<v1::ConfirmThreadRemovalRequest>,
    ) -> Result<Response<v1::ConfirmThreadRemovalResponse>, Status> {
        Ok(removal::confirm(&self.0, request).await?)
    }

    async fn save_draft(
        &self,
        request: Request<v1::SaveDraftRequest>,
    ) -> Result<Response<v1::SaveDraftResponse>, Status> {
        Ok(change::save_draft(&self.0, request).await?)
    }

    async fn send_reply(
        &self,
        request: Request<v1::SendReplyRequest>,
    ) -> Result<Response<v1::SendReplyResponse>, Status> {
        Ok(replies::send(&self.0, request).await?)
    }

    async fn confirm_reply(
        &self,
        request: Request<v1::ConfirmReplyRequest>,
    ) -> Result<Response<v1::ConfirmReplyResponse>, Status> {
        Ok(replies::confirm(&self.0, request).await?)
    }

    async fn cancel_reply(
        &self,
        request: Request<v1::CancelReplyRequest>,
    ) -> Result<Response<v1::CancelReplyResponse>, Status> {
        Ok(replies::cancel(&self.0, request).await?)
    }

    async fn retry_reply(
        &self,
        request: Request<v1::RetryReplyRequest>,
    ) -> Result<Response<v1::RetryReplyResponse>, Status> {
        Ok(replies::retry(&self.0, request).await?)
    }

    async fn resolve_reply(
        &self,
        request: Request<v1::ResolveReplyRequest>,
    ) -> Result<Response<v1::ResolveReplyResponse>, Status> {
        Ok(replies::resolve(&self.0, request).await?)
    }

    async fn get_reply(
        &self,
        request: Request<v1::GetReplyRequest>,
    ) -> Result<Response<v1::GetReplyResponse>, Status> {
        Ok(replies::get(&self.0, request).await?)
    }

    async fn list_replies(
        &self,
        request: Request<v1::ListRepliesRequest>,
    ) -> Result<Response<v1::ListRepliesResponse>, Status> {
        Ok(replies::list(&self.0, request).await?)
    }

    async fn sync_now(
        &self,
        request: Request<v1::SyncNowRequest>,
    ) -> Result<Response<v1::SyncNowResponse>, Status> {
        Ok(sync::sync_now(&self.0, request).await?)
    }
}
