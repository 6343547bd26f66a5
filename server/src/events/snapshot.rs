//! The optional snapshot at the start of a watch: every existing resource, page by page, without a transaction. The
//! watch follows from the head that was read before the first page, so changes during the snapshot arrive as events.

use std::collections::VecDeque;

use vintedbot_domain::events::{Resource as DomainResource, ResourceType};
use vintedbot_domain::identity::Caller;
use vintedbot_domain::inbox::sync;
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::{
    Context, Error, accounts, identity, inbox, listings, media, publishing, wardrobe, webhooks,
};
use vintedbot_proto::v1;
use vintedbot_proto::v1::resource::Resource;
use vintedbot_proto::v1::watch_response::{self, Message};

use super::watch::Filter;
use crate::convert::{
    account, api_token, event, inbox as convert_inbox, listing, photo, publish_job, template, user,
    wardrobe as convert_import, webhook,
};
use crate::errors::Problem;
use crate::signed::Signer;

/// Resources per page.
const PAGE: i32 = 200;

/// The part of the snapshot that is not yet read.
pub struct Snapshot {
    types: VecDeque<ResourceType>,
    /// The position within the first of `types`.
    position: Position,
}

#[derive(Clone, Default)]
struct Position {
    page_token: String,
    /// Publish jobs: creation time and id of the last one read.
    job: Option<(i64, String)>,
    /// Messages: the number of requested threads that have been read.
    threads_read: usize,
}

/// One page of one type, and the position of the next page if there is one.
type Page = (Vec<v1::WatchResponse>, Option<Position>);

impl Snapshot {
    pub fn new(filter: &Filter) -> Self {
        let all = [
            ResourceType::Account,
            ResourceType::ApiToken,
            ResourceType::Photo,
            ResourceType::Listing,
            ResourceType::PublishJob,
            ResourceType::WardrobeImport,
            ResourceType::Thread,
            ResourceType::Message,
            ResourceType::Reply,
            ResourceType::Template,
            ResourceType::WebhookEndpoint,
            ResourceType::User,
        ];
        Self {
            types: all.into_iter().filter(|one| filter.takes_type(*one)).collect(),
            position: Position::default(),
        }
    }

    /// Returns the next page, which may be empty for the caller, or `None` at the end.
    pub async fn next_page(
        &mut self,
        context: &Context,
        caller: &Caller,
        filter: &Filter,
        signer: &Signer<'_>,
    ) -> Result<Option<Vec<v1::WatchResponse>>, Problem> {
        let Some(resource_type) = self.types.front() else {
            return Ok(None);
        };
        let reading = Reading {
            context,
            caller,
            filter,
            signer,
            position: &self.position,
        };
        let (messages, next) = match resource_type {
            ResourceType::Account => reading.accounts().await?,
            ResourceType::ApiToken => reading.api_tokens().await?,
            ResourceType::Photo => reading.photos().await?,
            ResourceType::Listing => reading.listings().await?,
            ResourceType::PublishJob => reading.publish_jobs().await?,
            ResourceType::WardrobeImport => reading.wardrobe_imports().await?,
            ResourceType::Thread => reading.threads().await?,
            ResourceType::Message => reading.thread_messages().await?,
            ResourceType::Reply => reading.replies().await?,
            ResourceType::Template => reading.templates().await?,
            ResourceType::WebhookEndpoint => reading.webhook_endpoints().await?,
            ResourceType::User => reading.users().await?,
            // Sessions are not part of the snapshot.
            ResourceType::UserSession => (Vec::new(), None),
        };
        if next.is_none() {
            self.types.pop_front();
        }
        self.position = next.unwrap_or_default();
        Ok(Some(messages))
    }
}

struct Reading<'a> {
    context: &'a Context,
    caller: &'a Caller,
    filter: &'a Filter,
    signer: &'a Signer<'a>,
    position: &'a Position,
}

impl Reading<'_> {
    fn page(&self) -> PageRequest {
        PageRequest {
            size: PAGE,
            token: self.position.page_token.clone(),
        }
    }

    fn page_of<R: DomainResource>(
        &self,
        page: vintedbot_domain::paging::Page<R>,
        convert: impl Fn(R) -> Resource,
    ) -> Page {
        let next = (!page.next_page_token.is_empty()).then(|| Position {
            page_token: page.next_page_token,
            ..Position::default()
        });
        (self.messages(page.items, convert), next)
    }

    fn messages<R: DomainResource>(
        &self,
        items: Vec<R>,
        convert: impl Fn(R) -> Resource,
    ) -> Vec<v1::WatchResponse> {
        let readable = event::is_readable(self.caller, R::TYPE);
        let wanted = items
            .into_iter()
            .filter(|item| self.filter.takes_account(item.account_id()))
            .filter(|item| self.filter.takes_thread(item.thread_id()));
        wanted
            .map(|item| {
                let resource_id = item.id().to_owned();
                let resource = readable.then(|| convert(item));
                let snapshot = watch_response::Snapshot {
                    resource_type: event::resource_type(R::TYPE).into(),
                    resource_id,
                    resource: Some(v1::Resource { resource }),
                };
                // No cursor: an interrupted snapshot has to start again.
                v1::WatchResponse {
                    cursor: String::new(),
                    message: Some(Message::Snapshot(snapshot)),
                }
            })
            .collect()
    }

    async fn accounts(&self) -> Result<Page, Problem> {
        let page = accounts::list(self.context, self.caller, &self.page()).await?;
        let fresh = sync::freshness(self.context, &page.items).await?;
        Ok(self.page_of(page, |one| {
            let fresh = fresh.get(&one.id).cloned().unwrap_or_default();
            Resource::Account(account::with_freshness(one, fresh))
        }))
    }

    async fn api_tokens(&self) -> Result<Page, Problem> {
        let page = identity::list_tokens(self.context, self.caller, false, &self.page()).await?;
        Ok(self.page_of(page, |one| Resource::ApiToken(api_token::to_proto(one))))
    }

    async fn photos(&self) -> Result<Page, Problem> {
        let page = media::list(self.context, self.caller, None, &self.page()).await?;
        Ok(self.page_of(page, |one| Resource::Photo(photo::to_proto(self.signer, one))))
    }

    async fn listings(&self) -> Result<Page, Problem> {
        let page = listings::list(
            self.context,
            self.caller,
            &listings::Filter::default(),
            &self.page(),
        )
        .await?;
        Ok(self.page_of(page, |one| Resource::Listing(listing::to_proto(one))))
    }

    async fn wardrobe_imports(&self) -> Result<Page, Problem> {
        let page = wardrobe::list(self.context, self.caller, &self.page()).await?;
        Ok(self.page_of(page, |one| {
            Resource::WardrobeImport(convert_import::to_proto(one))
        }))
    }

    async fn threads(&self) -> Result<Page, Problem> {
        let convert = |one| Resource::Thread(convert_inbox::thread(one));
        if self.filter.threads().is_empty() {
            let page = inbox::list_all(self.context, self.caller, &self.page()).await?;
            return Ok(self.page_of(page, convert));
        }
        let mut threads = Vec::new();
        for id in self.filter.threads() {
            match inbox::get(self.context, self.caller, id).await {
                Ok(thread) => threads.push(thread),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok((self.messages(threads, convert), None))
    }

    /// Reads the messages of the requested threads, thread by thread. Reads none if the filter names no thread.
    async fn thread_messages(&self) -> Result<Page, Problem> {
        let mut threads: Vec<_> = self.filter.threads().iter().collect();
        threads.sort();
        let Some(thread_id) = threads.get(self.position.threads_read) else {
            return Ok((Vec::new(), None));
        };
        let next_thread = Position {
            threads_read: self.position.threads_read + 1,
            ..Position::default()
        };
        let page = match inbox::list_messages(self.context, self.caller, thread_id, true, &self.page()).await
        {
            Ok(page) => page,
            // A thread that does not exist has no messages.
            Err(Error::NotFound { .. }) => return Ok((Vec::new(), Some(next_thread))),
            Err(error) => return Err(error.into()),
        };
        let (messages, more) = self.page_of(page, |one| Resource::Message(convert_inbox::message(one)));
        let next = more.map_or(next_thread, |position| Position {
            threads_read: self.position.threads_read,
            ..position
        });
        Ok((messages, Some(next)))
    }

    async fn replies(&self) -> Result<Page, Problem> {
        let page = inbox::open_replies(self.context, self.caller, &self.page()).await?;
        Ok(self.page_of(page, |one| Resource::Reply(convert_inbox::reply(one))))
    }

    async fn templates(&self) -> Result<Page, Problem> {
        let page = inbox::list_templates(self.context, self.caller, &self.page()).await?;
        Ok(self.page_of(page, |one| Resource::Template(template::to_proto(one))))
    }

    async fn webhook_endpoints(&self) -> Result<Page, Problem> {
        let page = webhooks::list(self.context, self.caller, &self.page()).await?;
        Ok(self.page_of(page, |one| Resource::WebhookEndpoint(webhook::endpoint(one))))
    }

    async fn users(&self) -> Result<Page, Problem> {
        if !event::is_readable(self.caller, ResourceType::User) {
            return Ok((Vec::new(), None));
        }
        let page = identity::list_users(self.context, self.caller, &self.page()).await?;
        Ok(self.page_of(page, |one| Resource::User(user::to_proto(one))))
    }

    async fn publish_jobs(&self) -> Result<Page, Problem> {
        let (filter, after) = (publishing::Filter::default(), self.position.job.clone());
        let jobs = publishing::list(
            self.context,
            self.caller,
            &filter,
            after,
            PAGE.unsigned_abs().into(),
        )
        .await?;
        let next = jobs.last().map(|job| Position {
            job: Some((job.create_time, job.id.clone())),
            ..Position::default()
        });
        Ok((
            self.messages(jobs, |one| {
                Resource::PublishJob(publish_job::to_proto(self.signer, one))
            }),
            next,
        ))
    }
}
