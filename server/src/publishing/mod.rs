//! `PublishService`: prepare, confirm or schedule a publication or change, and act on jobs that stopped.

mod act;
mod change;
mod confirm;
mod prepare;
mod read;
mod schedule;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_proto::v1;
use vintedbot_proto::v1::publish_service_server::{PublishService, PublishServiceServer};

use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(PublishServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

struct Service(ServerState);

#[tonic::async_trait]
impl PublishService for Service {
    async fn prepare_publish(
        &self,
        request: Request<v1::PreparePublishRequest>,
    ) -> Result<Response<v1::PreparePublishResponse>, Status> {
        Ok(prepare::prepare(&self.0, request).await?)
    }

    async fn confirm_publish(
        &self,
        request: Request<v1::ConfirmPublishRequest>,
    ) -> Result<Response<v1::ConfirmPublishResponse>, Status> {
        Ok(confirm::confirm(&self.0, request).await?)
    }

    async fn get_publish_job(
        &self,
        request: Request<v1::GetPublishJobRequest>,
    ) -> Result<Response<v1::GetPublishJobResponse>, Status> {
        Ok(read::get(&self.0, request).await?)
    }

    async fn list_publish_jobs(
        &self,
        request: Request<v1::ListPublishJobsRequest>,
    ) -> Result<Response<v1::ListPublishJobsResponse>, Status> {
        Ok(read::list(&self.0, request).await?)
    }

    async fn cancel_publish_job(
        &self,
        request: Request<v1::CancelPublishJobRequest>,
    ) -> Result<Response<v1::CancelPublishJobResponse>, Status> {
        Ok(act::cancel(&self.0, request).await?)
    }

    async fn retry_publish_job(
        &self,
        request: Request<v1::RetryPublishJobRequest>,
    ) -> Result<Response<v1::RetryPublishJobResponse>, Status> {
        Ok(act::retry(&self.0, request).await?)
    }

    async fn resolve_publish_job(
        &self,
        request: Request<v1::ResolvePublishJobRequest>,
    ) -> Result<Response<v1::ResolvePublishJobResponse>, Status> {
        Ok(act::resolve(&self.0, request).await?)
    }

    async fn list_publish_steps(
        &self,
        request: Request<v1::ListPublishStepsRequest>,
    ) -> Result<Response<v1::ListPublishStepsResponse>, Status> {
        Ok(read::list_steps(&self.0, request).await?)
    }

    async fn list_screenshots(
        &self,
        request: Request<v1::ListScreenshotsRequest>,
    ) -> Result<Response<v1::ListScreenshotsResponse>, Status> {
        Ok(read::list_screenshots(&self.0, request).await?)
    }

    async fn schedule_publish(
        &self,
        request: Request<v1::SchedulePublishRequest>,
    ) -> Result<Response<v1::SchedulePublishResponse>, Status> {
        Ok(schedule::schedule(&self.0, request).await?)
    }

    async fn prepare_change(
        &self,
        request: Request<v1::PrepareChangeRequest>,
    ) -> Result<Response<v1::PrepareChangeResponse>, Status> {
        Ok(change::prepare(&self.0, request).await?)
    }
}
