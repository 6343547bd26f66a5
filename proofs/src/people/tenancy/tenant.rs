//! A workspace with one resource of every type, an API token and a person.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::auth_service_client::AuthServiceClient;
use vintedbot_sdk::v1::{
    Confirmation, CreateApiTokenRequest, CreateInvitationRequest, GetMeRequest, ListMessagesRequest, Role,
    SendReplyRequest, SignInRequest,
};
use vintedbot_sdk::{Client, RetryPolicy};

use crate::cluster::Seller;
use crate::people::context::PASSWORD;
use crate::people::stage::connect;
use crate::records::Site;

/// The ids of one resource of every type.
pub type Ids = BTreeMap<&'static str, String>;

/// A workspace of an instance.
pub struct Tenant {
    pub workspace_id: String,
    /// An API token with every scope.
    token: String,
    /// The address of the owner.
    pub email: String,
    pub ids: Ids,
    /// Confirms the removal of the thread on the site.
    pub removal: Confirmation,
}

/// The connections of a workspace.
pub struct Connections {
    /// With the API token.
    pub token: Client,
    /// With the access token of the owner.
    pub person: Client,
}

impl Tenant {
    /// Describes the workspace of an API token.
    pub async fn of(url: &str, token: String, name: &str) -> Result<Self> {
        let client = connect(url, Some(&token)).await?;
        let me = AuthServiceClient::new(client.channel())
            .get_me(GetMeRequest {})
            .await?;
        Ok(Self {
            workspace_id: me.into_inner().workspace_id,
            token,
            email: format!("{name}@example.org"),
            ids: Ids::new(),
            removal: Confirmation::default(),
        })
    }

    /// Creates the resources that belong to the workspace.
    pub async fn fill(&mut self, url: &str, site: &Site, receiver: SocketAddr) -> Result<()> {
        let client = Client::builder(url).token(&self.token).build().await?;
        let seller = Seller::start(&client, &self.email).await?;
        let job = seller.publish("Published sweat").await?;
        let listing = client.listings().create(seller.listing("Sweat")).await?;
        let thread_id = seller.asked(site).await?;
        let inbox = client.inbox();
        let thread = inbox.get(&thread_id).await?;
        let prepared = inbox.prepare_removal(&thread_id).await?;
        self.removal = prepared.confirmation.context("the answer contains no token")?;
        let messages = ListMessagesRequest {
            thread_id: thread_id.clone(),
            ..Default::default()
        };
        let messages: Vec<_> = inbox.messages(messages).try_collect().await?;
        // A reply that waits for its confirmation, so that the worker does not change it.
        let reply = SendReplyRequest {
            thread_id: thread_id.clone(),
            text: "Oui".to_owned(),
            manual: true,
            request_id: SystemIds.id(),
            ..Default::default()
        };
        let reply = inbox.send_reply(reply).await?;
        let import = client.wardrobe().import(&seller.account.id).await?;
        client.wardrobe().ended(&import.id).await?;
        let template = client.templates().create("Merci", "Bonjour").await?;
        let endpoint = client
            .webhooks()
            .create(format!("http://{receiver}/"), ["template_deleted"])
            .await?;
        let endpoint = endpoint.endpoint.context("the answer contains no endpoint")?;
        let delivery = client.webhooks().send_test(&endpoint.id).await?;
        let spare = CreateApiTokenRequest {
            name: "spare".to_owned(),
            scopes: vec!["media:read".to_owned()],
            ..Default::default()
        };
        let spare = client.auth().create_api_token(spare).await?;
        let photo_id = listing.photo_ids.first().context("the listing has no photo")?;
        let message = messages.first().context("the thread has no message")?;
        self.ids.extend([
            ("account", seller.account.id.clone()),
            (
                "API token",
                spare.api_token.context("the answer contains no token")?.id,
            ),
            ("delivery", delivery.id),
            ("endpoint", endpoint.id),
            ("listing", listing.id.clone()),
            ("message", message.id.clone()),
            ("person", thread.person.context("the thread has no person")?.id),
            ("photo", photo_id.clone()),
            ("publish job", job.id),
            ("published listing", job.listing_id),
            ("reply", reply.id),
            ("template", template.id),
            ("thread", thread_id),
            ("wardrobe import", import.id),
        ]);
        Ok(())
    }

    /// Signs the owner in, and creates the resources that belong to people.
    pub async fn sign_in(&mut self, url: &str) -> Result<Connections> {
        let request = SignInRequest {
            email: self.email.clone(),
            password: PASSWORD.to_owned(),
            ..Default::default()
        };
        let mut public = AuthServiceClient::new(connect(url, None).await?.channel());
        let answer = public.sign_in(request).await?.into_inner();
        let user = answer.user.context("the answer contains no user")?;
        let tokens = answer.tokens.context("the answer contains no tokens")?;
        let person = connect(url, Some(&tokens.access_token)).await?;
        let mut auth = AuthServiceClient::new(person.channel());
        let me = auth.get_me(GetMeRequest {}).await?.into_inner();
        let invitation = CreateInvitationRequest {
            email: format!("invited.{}", self.email),
            role: Role::Viewer.into(),
            ..Default::default()
        };
        let invited = auth.create_invitation(invitation).await?.into_inner();
        self.ids.extend([
            (
                "invitation",
                invited
                    .invitation
                    .context("the answer contains no invitation")?
                    .id,
            ),
            ("user", user.id),
            (
                "user session",
                me.session.context("the caller has no session")?.id,
            ),
        ]);
        let token = Client::builder(url)
            .token(&self.token)
            .retry(RetryPolicy::never());
        Ok(Connections {
            token: token.build().await?,
            person,
        })
    }

    /// Returns the id of the workspace's resource of a type.
    pub fn id(&self, of: &str) -> String {
        self.ids.get(of).cloned().unwrap_or_default()
    }
}
