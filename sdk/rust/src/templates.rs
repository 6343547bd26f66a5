//! Templates: reusable reply texts.

use vintedbot_proto::v1::preview_template_request::Source;
use vintedbot_proto::v1::template_service_client::TemplateServiceClient;
use vintedbot_proto::v1::{
    CreateTemplateRequest, DeleteTemplateRequest, GetTemplateRequest, ListTemplatesRequest,
    PreviewTemplateRequest, PreviewTemplateResponse, Template, UpdateTemplateRequest,
};

use crate::call::{Calls, Present as _, call};
use crate::{Paged, Result};

/// `TemplateService`; see [`Client::templates`](crate::Client::templates). No method sends a message.
#[derive(Clone)]
pub struct Templates {
    pub(crate) calls: Calls,
}

impl Templates {
    /// Creates a template: `"Hello {{person}}, the {{item_title}} is {{item_price}}."`
    pub async fn create(&self, name: impl Into<String>, text: impl Into<String>) -> Result<Template> {
        let request = CreateTemplateRequest {
            name: name.into(),
            text: text.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(TemplateServiceClient::create_template))
            .await?;
        answer.template.present("template")
    }

    /// Lists all templates, by name.
    pub fn list(&self) -> Paged<Template> {
        self.calls.pages(
            ListTemplatesRequest::default(),
            call!(TemplateServiceClient::list_templates),
        )
    }

    /// Returns one template.
    pub async fn get(&self, id: impl Into<String>) -> Result<Template> {
        let request = GetTemplateRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(TemplateServiceClient::get_template))
            .await?;
        answer.template.present("template")
    }

    /// Changes a template; see [`mask`](crate::mask).
    pub async fn update(&self, request: UpdateTemplateRequest) -> Result<Template> {
        let answer = self
            .calls
            .change(request, call!(TemplateServiceClient::update_template))
            .await?;
        answer.template.present("template")
    }

    /// Removes a template.
    pub async fn delete(&self, id: impl Into<String>) -> Result<()> {
        let request = DeleteTemplateRequest {
            id: id.into(),
            ..Default::default()
        };
        self.calls
            .change(request, call!(TemplateServiceClient::delete_template))
            .await?;
        Ok(())
    }

    /// Fills a template from a thread. Returns the text and the variables without a value.
    pub async fn preview(
        &self,
        id: impl Into<String>,
        thread_id: impl Into<String>,
    ) -> Result<PreviewTemplateResponse> {
        self.filled(Source::TemplateId(id.into()), thread_id.into()).await
    }

    /// Fills an unsaved text from a thread, like [`preview`](Self::preview).
    pub async fn preview_text(
        &self,
        text: impl Into<String>,
        thread_id: impl Into<String>,
    ) -> Result<PreviewTemplateResponse> {
        self.filled(Source::Text(text.into()), thread_id.into()).await
    }

    async fn filled(&self, source: Source, thread_id: String) -> Result<PreviewTemplateResponse> {
        let request = PreviewTemplateRequest {
            source: Some(source),
            thread_id,
        };
        self.calls
            .read(request, call!(TemplateServiceClient::preview_template))
            .await
    }
}
