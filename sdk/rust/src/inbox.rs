//! The inbox of all accounts: threads, messages and replies.

use std::time::SystemTime;

use futures::TryStreamExt as _;
use vintedbot_proto::v1::inbox_service_client::InboxServiceClient;
use vintedbot_proto::v1::reply::State;
use vintedbot_proto::v1::resolve_reply_request::{NotSent, Outcome, Sent};
use vintedbot_proto::v1::thread::Draft;
use vintedbot_proto::v1::watch_response::Message as Watched;
use vintedbot_proto::v1::{
    ArchiveThreadsRequest, CancelReplyRequest, ConfirmReplyRequest, ConfirmThreadRemovalRequest,
    Confirmation, DeleteThreadRequest, GetInboxCountsRequest, GetInboxCountsResponse, GetPersonRequest,
    GetPersonResponse, GetReplyRequest, GetThreadRequest, LabelThreadsRequest, ListMessagesRequest,
    ListRepliesRequest, ListThreadsRequest, MarkThreadsRequest, Message, PrepareThreadRemovalRequest,
    PrepareThreadRemovalResponse, Reply, ResolveReplyRequest, RetryReplyRequest, SaveDraftRequest,
    SearchRequest, SearchResponse, SearchResult, SendReplyRequest, SetThreadNoteRequest, SnoozeThreadRequest,
    SyncNowRequest, SyncNowResponse, Thread, Topic, WatchRequest,
};

use crate::call::{Calls, Present as _, call};
use crate::{Error, Paged, Result, Watch};

/// `InboxService`; see [`Client::inbox`](crate::Client::inbox).
#[derive(Clone)]
pub struct Inbox {
    pub(crate) calls: Calls,
}

/// Threads.
impl Inbox {
    /// Lists threads, newest message first.
    pub fn list(&self, request: ListThreadsRequest) -> Paged<Thread> {
        self.calls.pages(request, call!(InboxServiceClient::list_threads))
    }

    /// Returns one thread.
    pub async fn get(&self, id: impl Into<String>) -> Result<Thread> {
        let request = GetThreadRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(InboxServiceClient::get_thread))
            .await?;
        answer.thread.present("thread")
    }

    /// Lists a thread's messages, newest first unless the request sets the order.
    pub fn messages(&self, request: ListMessagesRequest) -> Paged<Message> {
        self.calls
            .pages(request, call!(InboxServiceClient::list_messages))
    }

    /// Returns the counts of threads and unread messages, by account and by label.
    pub async fn counts(&self) -> Result<GetInboxCountsResponse> {
        self.calls
            .read(
                GetInboxCountsRequest {},
                call!(InboxServiceClient::get_inbox_counts),
            )
            .await
    }

    /// Returns a person, with all threads and offers between the person and the accounts.
    pub async fn person(&self, id: impl Into<String>) -> Result<GetPersonResponse> {
        let request = GetPersonRequest { id: id.into() };
        self.calls
            .read(request, call!(InboxServiceClient::get_person))
            .await
    }

    /// Finds messages, threads, notes and people that contain all words of a query, newest first. Only
    /// [`Inbox::search_page`] reports whether the search index is complete.
    pub fn search(&self, request: SearchRequest) -> Paged<SearchResult> {
        self.calls.pages(request, call!(InboxServiceClient::search))
    }

    /// Returns one page of the results of [`Inbox::search`].
    pub async fn search_page(&self, request: SearchRequest) -> Result<SearchResponse> {
        self.calls.read(request, call!(InboxServiceClient::search)).await
    }

    /// Marks threads as read, here and soon afterwards on the site.
    pub async fn mark_read<I: Into<String>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Vec<Thread>> {
        self.mark(ids, false).await
    }

    /// Marks threads as unread, only here.
    pub async fn mark_unread<I: Into<String>>(
        &self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<Vec<Thread>> {
        self.mark(ids, true).await
    }

    async fn mark<I: Into<String>>(
        &self,
        ids: impl IntoIterator<Item = I>,
        unread: bool,
    ) -> Result<Vec<Thread>> {
        let request = MarkThreadsRequest {
            ids: ids.into_iter().map(Into::into).collect(),
            unread,
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::mark_threads))
            .await?;
        Ok(answer.threads)
    }

    /// Archives threads until the counterparty writes again.
    pub async fn archive<I: Into<String>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Vec<Thread>> {
        self.set_archived(ids, false).await
    }

    /// Unarchives threads.
    pub async fn unarchive<I: Into<String>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Vec<Thread>> {
        self.set_archived(ids, true).await
    }

    async fn set_archived<I: Into<String>>(
        &self,
        ids: impl IntoIterator<Item = I>,
        unarchive: bool,
    ) -> Result<Vec<Thread>> {
        let request = ArchiveThreadsRequest {
            ids: ids.into_iter().map(Into::into).collect(),
            unarchive,
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::archive_threads))
            .await?;
        Ok(answer.threads)
    }

    /// Adds labels to threads and removes others.
    pub async fn label(&self, request: LabelThreadsRequest) -> Result<Vec<Thread>> {
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::label_threads))
            .await?;
        Ok(answer.threads)
    }

    /// Snoozes a thread until a time.
    pub async fn snooze(&self, id: impl Into<String>, until: SystemTime) -> Result<Thread> {
        self.snoozed(id.into(), Some(until)).await
    }

    /// Ends the snooze of a thread.
    pub async fn unsnooze(&self, id: impl Into<String>) -> Result<Thread> {
        self.snoozed(id.into(), None).await
    }

    async fn snoozed(&self, id: String, until: Option<SystemTime>) -> Result<Thread> {
        let request = SnoozeThreadRequest {
            id,
            snooze_time: until.map(Into::into),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::snooze_thread))
            .await?;
        answer.thread.present("thread")
    }

    /// Sets the private note of a thread.
    pub async fn set_note(&self, id: impl Into<String>, note: impl Into<String>) -> Result<Thread> {
        let request = SetThreadNoteRequest {
            id: id.into(),
            note: note.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::set_thread_note))
            .await?;
        answer.thread.present("thread")
    }

    /// Hides a thread on the server. The thread on the site remains.
    pub async fn delete(&self, id: impl Into<String>) -> Result<()> {
        let request = DeleteThreadRequest {
            id: id.into(),
            ..Default::default()
        };
        self.calls
            .change(request, call!(InboxServiceClient::delete_thread))
            .await?;
        Ok(())
    }

    /// Prepares the removal of a thread on the site. Returns the thread and the confirmation of its content. First of
    /// two steps.
    pub async fn prepare_removal(&self, id: impl Into<String>) -> Result<PrepareThreadRemovalResponse> {
        let request = PrepareThreadRemovalRequest { id: id.into() };
        self.calls
            .read(request, call!(InboxServiceClient::prepare_thread_removal))
            .await
    }

    /// Confirms the removal of a thread on the site, which is done once. `thread.removal` shows its state. Second step.
    pub async fn confirm_removal(
        &self,
        id: impl Into<String>,
        confirmation: &Confirmation,
    ) -> Result<Thread> {
        let request = ConfirmThreadRemovalRequest {
            id: id.into(),
            confirmation: Some(confirmation.clone()),
            dry_run: Some(false),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::confirm_thread_removal))
            .await?;
        answer.thread.present("thread")
    }

    /// Saves a draft. `version` is the version of the edited draft, `thread.draft.version`, or 0. If another device has
    /// saved a draft since, the error's reason is [`DraftConflict`](crate::ErrorReason::DraftConflict).
    pub async fn save_draft(
        &self,
        thread_id: impl Into<String>,
        text: impl Into<String>,
        version: i64,
    ) -> Result<Draft> {
        // Safe to repeat without a `request_id`: saving the stored text again is not a conflict.
        let request = SaveDraftRequest {
            thread_id: thread_id.into(),
            text: text.into(),
            expected_version: Some(version),
        };
        let answer = self
            .calls
            .read(request, call!(InboxServiceClient::save_draft))
            .await?;
        answer.draft.present("draft")
    }

    /// Reads an account's inbox on the site now, and returns when the reading has ended.
    pub async fn sync_now(&self, account_id: impl Into<String>) -> Result<SyncNowResponse> {
        let request = SyncNowRequest {
            account_id: account_id.into(),
        };
        self.calls
            .read(request, call!(InboxServiceClient::sync_now))
            .await
    }
}

/// Replies.
impl Inbox {
    /// Sends a reply, once. Returns when the server has accepted it; see [`settled`](Self::settled).
    pub async fn send(&self, thread_id: impl Into<String>, text: impl Into<String>) -> Result<Reply> {
        let request = SendReplyRequest {
            thread_id: thread_id.into(),
            text: text.into(),
            ..Default::default()
        };
        self.send_reply(request).await
    }

    /// Sends a reply with all options of the request.
    pub async fn send_reply(&self, request: SendReplyRequest) -> Result<Reply> {
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::send_reply))
            .await?;
        answer.reply.present("reply")
    }

    /// Runs all checks of a confirmation and changes nothing.
    pub async fn check(&self, reply_id: impl Into<String>, confirmation: &Confirmation) -> Result<Reply> {
        self.confirmed(reply_id.into(), confirmation, true).await
    }

    /// Confirms a reply that awaits its confirmation.
    pub async fn confirm(&self, reply_id: impl Into<String>, confirmation: &Confirmation) -> Result<Reply> {
        self.confirmed(reply_id.into(), confirmation, false).await
    }

    async fn confirmed(&self, id: String, confirmation: &Confirmation, dry_run: bool) -> Result<Reply> {
        let request = ConfirmReplyRequest {
            id,
            confirmation: Some(confirmation.clone()),
            dry_run: Some(dry_run),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::confirm_reply))
            .await?;
        answer.reply.present("reply")
    }

    /// Cancels a reply before it is sent.
    pub async fn cancel(&self, reply_id: impl Into<String>) -> Result<Reply> {
        let request = CancelReplyRequest {
            id: reply_id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::cancel_reply))
            .await?;
        answer.reply.present("reply")
    }

    /// Retries a reply that is blocked or failed.
    pub async fn retry(&self, reply_id: impl Into<String>) -> Result<Reply> {
        let request = RetryReplyRequest {
            id: reply_id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::retry_reply))
            .await?;
        answer.reply.present("reply")
    }

    /// Resolves a reply in doubt as sent. `message_id` names the message; empty if the server does not have the
    /// message.
    pub async fn resolve_sent(
        &self,
        reply_id: impl Into<String>,
        message_id: impl Into<String>,
    ) -> Result<Reply> {
        let sent = Sent {
            message_id: message_id.into(),
        };
        self.resolve(reply_id.into(), Outcome::Sent(sent)).await
    }

    /// Resolves a reply in doubt as not sent.
    pub async fn resolve_not_sent(&self, reply_id: impl Into<String>) -> Result<Reply> {
        self.resolve(reply_id.into(), Outcome::NotSent(NotSent {})).await
    }

    async fn resolve(&self, id: String, outcome: Outcome) -> Result<Reply> {
        let request = ResolveReplyRequest {
            id,
            outcome: Some(outcome),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::resolve_reply))
            .await?;
        answer.reply.present("reply")
    }

    /// Returns one reply. It has its confirmation if it awaits one and the API token has the scope `inbox:confirm`.
    pub async fn reply(&self, id: impl Into<String>) -> Result<Reply> {
        let request = GetReplyRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(InboxServiceClient::get_reply))
            .await?;
        answer.reply.present("reply")
    }

    /// Lists replies, newest first, without confirmations.
    pub fn replies(&self, request: ListRepliesRequest) -> Paged<Reply> {
        self.calls.pages(request, call!(InboxServiceClient::list_replies))
    }

    /// Waits until a reply has ended or requires a person, and returns it. Has no timeout. Needs the scope
    /// `events:read`.
    pub async fn settled(&self, reply_id: impl Into<String>) -> Result<Reply> {
        let id = reply_id.into();
        let request = WatchRequest {
            topics: vec![Topic::Inbox.into()],
            ..Default::default()
        };
        let mut watch = Watch::begin(self.calls.clone(), request);
        // After the first message, the watch misses no event.
        while let Some(message) = watch.try_next().await? {
            let is_news = match message {
                Watched::Event(event) => event.resource_id == id,
                Watched::Checkpoint(_) => true,
                _ => false,
            };
            if is_news {
                let reply = self.reply(&id).await?;
                if is_settled(&reply) {
                    return Ok(reply);
                }
            }
        }
        Err(Error::Incomplete("final state of the reply"))
    }
}

fn is_settled(reply: &Reply) -> bool {
    match reply.state() {
        State::Queued | State::Sending | State::Unconfirmed | State::Unspecified => reply.requires_action,
        _ => true,
    }
}
