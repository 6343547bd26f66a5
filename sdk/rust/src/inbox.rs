//! The conversations of all accounts, and what is answered in them.

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
    /// Threads, the one with the newest message first.
    pub fn list(&self, request: ListThreadsRequest) -> Paged<Thread> {
        self.calls.pages(request, call!(InboxServiceClient::list_threads))
    }

    /// One thread.
    pub async fn get(&self, id: impl Into<String>) -> Result<Thread> {
        let request = GetThreadRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(InboxServiceClient::get_thread))
            .await?;
        answer.thread.present("thread")
    }

    /// A thread's messages, newest first unless the request says otherwise.
    pub fn messages(&self, request: ListMessagesRequest) -> Paged<Message> {
        self.calls
            .pages(request, call!(InboxServiceClient::list_messages))
    }

    /// How many threads there are, and how many messages are unread, for each account and label.
    pub async fn counts(&self) -> Result<GetInboxCountsResponse> {
        self.calls
            .read(
                GetInboxCountsRequest {},
                call!(InboxServiceClient::get_inbox_counts),
            )
            .await
    }

    /// A person, with all threads and offers between them and all accounts.
    pub async fn person(&self, id: impl Into<String>) -> Result<GetPersonResponse> {
        let request = GetPersonRequest { id: id.into() };
        self.calls
            .read(request, call!(InboxServiceClient::get_person))
            .await
    }

    /// Messages, threads, notes and people that have all the words of a query, newest first. Whether the index is complete is
    /// only told by [`Inbox::search_page`].
    pub fn search(&self, request: SearchRequest) -> Paged<SearchResult> {
        self.calls.pages(request, call!(InboxServiceClient::search))
    }

    /// One page of what [`Inbox::search`] finds.
    pub async fn search_page(&self, request: SearchRequest) -> Result<SearchResponse> {
        self.calls.read(request, call!(InboxServiceClient::search)).await
    }

    /// Marks threads as read, soon on the site too.
    pub async fn mark_read<I: Into<String>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Vec<Thread>> {
        self.mark(ids, false).await
    }

    /// Marks threads as unread, here alone.
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

    /// Archives threads, until the other side writes again.
    pub async fn archive<I: Into<String>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Vec<Thread>> {
        self.shelve(ids, false).await
    }

    /// Takes threads out of the archive.
    pub async fn unarchive<I: Into<String>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Vec<Thread>> {
        self.shelve(ids, true).await
    }

    async fn shelve<I: Into<String>>(
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

    /// Puts labels on threads and takes others off.
    pub async fn label(&self, request: LabelThreadsRequest) -> Result<Vec<Thread>> {
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::label_threads))
            .await?;
        Ok(answer.threads)
    }

    /// Puts a thread away until a time.
    pub async fn snooze(&self, id: impl Into<String>, until: SystemTime) -> Result<Thread> {
        self.snoozed(id.into(), Some(until)).await
    }

    /// Brings a thread back that was put away.
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

    /// Writes a note to oneself about a thread.
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

    /// Hides a thread on the server; on the site it stays.
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

    /// First of two steps to remove a thread on the site: what would go, with the confirmation that approves it.
    pub async fn prepare_removal(&self, id: impl Into<String>) -> Result<PrepareThreadRemovalResponse> {
        let request = PrepareThreadRemovalRequest { id: id.into() };
        self.calls
            .read(request, call!(InboxServiceClient::prepare_thread_removal))
            .await
    }

    /// Second step: has the thread removed on the site, once. `thread.removal` says where that stands.
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

    /// Saves what is being written. `version` is that of the draft that was edited, `thread.draft.version`, or 0; where
    /// another device has saved since, the refusal's reason is [`DraftConflict`](crate::ErrorReason::DraftConflict).
    pub async fn save_draft(
        &self,
        thread_id: impl Into<String>,
        text: impl Into<String>,
        version: i64,
    ) -> Result<Draft> {
        // Repeated as it is: a text that is there already is no conflict.
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

    /// Reads an account's inbox on the site now, and answers when that is done.
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
    /// Sends a reply, once. Returns as soon as it is accepted; see [`settled`](Self::settled).
    pub async fn send(&self, thread_id: impl Into<String>, text: impl Into<String>) -> Result<Reply> {
        let request = SendReplyRequest {
            thread_id: thread_id.into(),
            text: text.into(),
            ..Default::default()
        };
        self.send_reply(request).await
    }

    /// Sends a reply, with all that can be said about it.
    pub async fn send_reply(&self, request: SendReplyRequest) -> Result<Reply> {
        let answer = self
            .calls
            .change(request, call!(InboxServiceClient::send_reply))
            .await?;
        answer.reply.present("reply")
    }

    /// Makes every check that a confirmation would have to pass, and changes nothing.
    pub async fn check(&self, reply_id: impl Into<String>, confirmation: &Confirmation) -> Result<Reply> {
        self.confirmed(reply_id.into(), confirmation, true).await
    }

    /// Says yes to a reply that awaits it, for real.
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

    /// Takes a reply back before it is being sent.
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

    /// Sends a reply again that is blocked or failed.
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

    /// Answers for an undecided reply that it was sent, as this message; empty: as none that is on the server.
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

    /// Answers for an undecided reply that it was not sent.
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

    /// One reply, with its confirmation if it awaits one and the token has the scope `inbox:confirm`.
    pub async fn reply(&self, id: impl Into<String>) -> Result<Reply> {
        let request = GetReplyRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(InboxServiceClient::get_reply))
            .await?;
        answer.reply.present("reply")
    }

    /// Replies, newest first, without confirmations.
    pub fn replies(&self, request: ListRepliesRequest) -> Paged<Reply> {
        self.calls.pages(request, call!(InboxServiceClient::list_replies))
    }

    /// Waits until a reply has ended or goes no further without a person, and gives it as it is then. Needs the scope
    /// `events:read`. Takes as long as it takes.
    pub async fn settled(&self, reply_id: impl Into<String>) -> Result<Reply> {
        let id = reply_id.into();
        let request = WatchRequest {
            topics: vec![Topic::Inbox.into()],
            ..Default::default()
        };
        let mut watch = Watch::begin(self.calls.clone(), request);
        // The first message says that from here on nothing is missed.
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
        Err(Error::Incomplete("end of the reply"))
    }
}

fn is_settled(reply: &Reply) -> bool {
    match reply.state() {
        State::Queued | State::Sending | State::Unconfirmed | State::Unspecified => reply.needs_manual,
        _ => true,
    }
}
