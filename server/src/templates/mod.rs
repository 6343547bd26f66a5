//! `TemplateService`: reusable reply texts.

mod change;
mod preview;
mod read;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_proto::v1;
use vintedbot_proto::v1::template_service_server::{TemplateService, TemplateServiceServer};

use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(TemplateServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

struct Service(ServerState);

#[tonic::async_trait]
impl TemplateService for Service {
    async fn create_template(
        &self,
        request: Request<v1::CreateTemplateRequest>,
    ) -> Result<Response<v1::CreateTemplateResponse>, Status> {
        Ok(change::create(&self.0, request).await?)
    }

    async fn list_templates(
        &self,
        request: Request<v1::ListTemplatesRequest>,
    ) -> Result<Response<v1::ListTemplatesResponse>, Status> {
        Ok(read::list(&self.0, request).await?)
    }

    async fn get_template(
        &self,
        request: Request<v1::GetTemplateRequest>,
    ) -> Result<Response<v1::GetTemplateResponse>, Status> {
        Ok(read::get(&self.0, request).await?)
    }

    async fn update_template(
        &self,
        request: Request<v1::UpdateTemplateRequest>,
    ) -> Result<Response<v1::UpdateTemplateResponse>, Status> {
        Ok(change::update(&self.0, request).await?)
    }

    async fn delete_template(
        &self,
        request: Request<v1::DeleteTemplateRequest>,
    ) -> Result<Response<v1::DeleteTemplateResponse>, Status> {
        Ok(change::delete(&self.0, request).await?)
    }

    async fn preview_template(
        &self,
        request: Request<v1::PreviewTemplateRequest>,
    ) -> Result<Response<v1::PreviewTemplateResponse>, Status> {
        Ok(preview::preview(&self.0, request).await?)
    }
}
