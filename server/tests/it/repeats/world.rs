//! An instance with the prerequisites of the raced calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use tokio::task::JoinHandle;
use vintedbot_proto::v1;
use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::inbox_service_client::InboxServiceClient;
use vintedbot_proto::v1::listing_service_client::ListingServiceClient;
use vintedbot_proto::v1::media_service_client::MediaServiceClient;
use vintedbot_proto::v1::publish_service_client::PublishServiceClient;
use vintedbot_proto::v1::template_service_client::TemplateServiceClient;
use vintedbot_proto::v1::webhook_service_client::WebhookServiceClient;
use vintedbot_server::Config;

use crate::catalog::{name, ready};
use crate::conversations::{conversation, store};
use crate::harness::{self, Instance, jpeg};

/// How often calls that wait for the site are answered.
const ANSWERS_EVERY: Duration = Duration::from_millis(20);

pub struct World {
    pub instance: Instance,
    numbers: AtomicU32,
    answering: JoinHandle<()>,
}

impl World {
    /// Opens an instance on its own database, or on the database at `url`.
    pub async fn new(url: Option<&str>) -> Self {
        let config = Config {
            webhook_targets: Some(Arc::new(harness::Anywhere)),
            ..Config::default()
        };
        let instance = match url {
            Some(url) => harness::start_on_where(url, config, |_| {}).await,
            None => harness::start_with(config).await,
        };
        let context = instance.context.clone();
        // Answers as the worker would if the site accepted every session.
        let answering = tokio::spawn(async move {
            let sql = "UPDATE jobs SET state = 'DONE', outcome = '\"Done\"' \
                       WHERE kind = 'IMPORT_SESSION' AND outcome IS NULL";
            loop {
                context
                    .store
                    .writer()
                    .execute_unprepared(sql)
                    .await
                    .expect("is written");
                tokio::time::sleep(ANSWERS_EVERY).await;
            }
        });
        Self {
            instance,
            numbers: AtomicU32::new(0),
            answering,
        }
    }

    pub async fn stop(self) {
        self.answering.abort();
        self.instance.stop().await;
    }

    pub async fn sql(&self, sql: &str) {
        let writer = self.instance.context.store.writer();
        let written = writer.execute_unprepared(sql).await.expect("is written");
        assert_eq!(written.rows_affected(), 1, "{sql}");
    }

    /// Returns a number that was not returned before.
    pub fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub async fn account(&self) -> String {
        self.instance.make_account("Shop").await.id
    }

    /// Returns the id of an account on the market's own site.
    pub async fn manual(&self) -> String {
        let id = self.account().await;
        self.sql(&format!(
            "UPDATE accounts SET mode = 'MANUAL', site = 'vinted.fr' WHERE id = '{id}'"
        ))
        .await;
        id
    }

    pub async fn token(&self) -> String {
        let new = v1::CreateApiTokenRequest {
            name: "test".to_owned(),
            scopes: vec!["media:read".to_owned()],
            ..Default::default()
        };
        let mut client = AuthServiceClient::new(self.instance.connect().await);
        let made = client.create_api_token(new).await.expect("is made").into_inner();
        made.api_token.expect("a token").id
    }

    pub async fn photo(&self) -> String {
        let photo = v1::UploadPhotoRequest {
            data: jpeg(u8::try_from(self.number() % 200).expect("small")).into(),
            ..Default::default()
        };
        let mut client = MediaServiceClient::new(self.instance.connect().await);
        let stored = client.upload_photo(photo).await.expect("is stored").into_inner();
        stored.photo.expect("a photo").id
    }

    pub async fn upload_url(&self, request_id: &str) -> String {
        let request = v1::CreateUploadUrlRequest {
            request_id: request_id.to_owned(),
            ..Default::default()
        };
        let mut client = MediaServiceClient::new(self.instance.connect().await);
        let made = client.create_upload_url(request).await.expect("is made");
        made.into_inner().url
    }

    pub async fn listing(&self) -> String {
        let account_id = self.account().await;
        self.instance.make_listing(&account_id, "A thing").await.id
    }

    /// Returns the id of a complete listing.
    pub async fn complete_listing(&self) -> String {
        let account = ready(&self.instance).await;
        let listing = v1::ListingInput {
            title: "Sweat".to_owned(),
            description: "Worn twice.".to_owned(),
            price: Some(v1::Money {
                minor_units: 2900,
                currency_code: "EUR".to_owned(),
            }),
            category: name("Homme > Sweats"),
            brand: name("Nike"),
            size: name("M"),
            condition: name("Bon état"),
            package_size: name("Petit"),
            photo_ids: vec![self.photo().await],
            ..Default::default()
        };
        let request = v1::CreateListingRequest {
            account_id: account.id,
            listing: Some(listing),
            ..Default::default()
        };
        let mut client = ListingServiceClient::new(self.instance.connect().await);
        let made = client
            .create_listing(request)
            .await
            .expect("is made")
            .into_inner();
        made.listing.expect("a listing").id
    }

    /// Returns the id of a listing that is on the site.
    pub async fn published(&self) -> String {
        let id = self.complete_listing().await;
        let item = 1_000 + self.number();
        self.sql(&format!(
            "UPDATE listings SET state = 'PUBLISHED', remote_item_id = '{item}', remote_site = 'practice', \
             remote_url = 'http://site.invalid/items/{item}' WHERE id = '{id}'"
        ))
        .await;
        id
    }

    /// Returns the id of a prepared job whose row has these changes.
    pub async fn job(&self, changes: &str) -> String {
        let request = v1::PreparePublishRequest {
            listing_id: self.complete_listing().await,
            ..Default::default()
        };
        let mut client = PublishServiceClient::new(self.instance.connect().await);
        let made = client
            .prepare_publish(request)
            .await
            .expect("is made")
            .into_inner();
        let id = made.publish_job.expect("a job").id;
        if !changes.is_empty() {
            self.sql(&format!("UPDATE publish_jobs SET {changes} WHERE id = '{id}'"))
                .await;
        }
        id
    }

    /// Returns a job that awaits its confirmation, and the confirmation.
    pub async fn awaiting(&self) -> (String, Option<v1::Confirmation>) {
        let until = self.instance.context.clock.now() + 600_000;
        let id = self
            .job(&format!(
                "state = 'AWAITING_CONFIRMATION', read_back = '[]', read_back_hash = 'hash', \
                 confirm_expire_time = {until}"
            ))
            .await;
        let mut client = PublishServiceClient::new(self.instance.connect().await);
        let request = v1::GetPublishJobRequest { id: id.clone() };
        let job = client
            .get_publish_job(request)
            .await
            .expect("is there")
            .into_inner();
        (id, job.publish_job.expect("a job").confirmation)
    }

    /// Writes an effect in doubt for a job or a reply.
    pub async fn effect_in_doubt(&self, subject_id: &str, kind: &str, table: &str) {
        self.sql(&format!(
            "UPDATE {table} SET state = 'UNCONFIRMED', requires_action = TRUE WHERE id = '{subject_id}'"
        ))
        .await;
        self.sql(&format!(
            "INSERT INTO effects (id, workspace_id, account_id, site, subject_id, kind, state, claim_epoch, form_session_id, \
             intent_time, not_after, reconcile_after, settle_until, known_remote_ids, target_photo_ids) \
             SELECT id, workspace_id, account_id, site, id, '{kind}', 'UNCONFIRMED', 1, '', 1, 1, 1, 1, '[]', '[]' \
             FROM {table} WHERE id = '{subject_id}'"
        ))
        .await;
    }

    pub async fn thread(&self) -> String {
        let account_id = self.account().await;
        let number = self.number();
        let conversation = conversation(&number.to_string(), &format!("9{number}"), 1, 10);
        store(&self.instance, &account_id, &conversation).await
    }

    /// Returns a reply whose row has these changes, with its confirmation if it awaits one.
    pub async fn reply(&self, manual: bool, changes: &str) -> v1::Reply {
        let request = v1::SendReplyRequest {
            thread_id: self.thread().await,
            text: "Yes".to_owned(),
            manual,
            ..Default::default()
        };
        let mut client = InboxServiceClient::new(self.instance.connect().await);
        let sent = client.send_reply(request).await.expect("is taken").into_inner();
        let reply = sent.reply.expect("a reply");
        if !changes.is_empty() {
            let sql = format!("UPDATE replies SET {changes} WHERE id = '{}'", reply.id);
            self.sql(&sql).await;
        }
        let request = v1::GetReplyRequest { id: reply.id };
        let reply = client.get_reply(request).await.expect("is there").into_inner();
        reply.reply.expect("a reply")
    }

    /// Returns a thread, and the confirmation of its removal.
    pub async fn removal(&self) -> (String, Option<v1::Confirmation>) {
        let id = self.thread().await;
        let mut client = InboxServiceClient::new(self.instance.connect().await);
        let request = v1::PrepareThreadRemovalRequest { id: id.clone() };
        let prepared = client.prepare_thread_removal(request).await.expect("is prepared");
        (id, prepared.into_inner().confirmation)
    }

    pub async fn template(&self) -> String {
        let request = v1::CreateTemplateRequest {
            name: format!("Template {}", self.number()),
            text: "Hello".to_owned(),
            ..Default::default()
        };
        let mut client = TemplateServiceClient::new(self.instance.connect().await);
        let made = client
            .create_template(request)
            .await
            .expect("is made")
            .into_inner();
        made.template.expect("a template").id
    }

    pub async fn endpoint(&self) -> String {
        let request = v1::CreateEndpointRequest {
            endpoint: endpoint(self.number()),
            ..Default::default()
        };
        let mut client = WebhookServiceClient::new(self.instance.connect().await);
        let made = client
            .create_endpoint(request)
            .await
            .expect("is made")
            .into_inner();
        made.endpoint.expect("an endpoint").id
    }

    pub async fn delivery(&self) -> String {
        let request = v1::SendTestRequest {
            endpoint_id: self.endpoint().await,
            ..Default::default()
        };
        let mut client = WebhookServiceClient::new(self.instance.connect().await);
        let sent = client.send_test(request).await.expect("is sent").into_inner();
        sent.delivery.expect("a delivery").id
    }
}

pub fn endpoint(number: u32) -> Option<v1::WebhookEndpoint> {
    Some(v1::WebhookEndpoint {
        url: format!("https://example.org/{number}"),
        ..Default::default()
    })
}
