//! `GetPublishJob`, `ListPublishJobs`, `ListPublishSteps`, `ListScreenshots`.

use tonic::{Request, Response};
use vintedbot_domain::identity::Scope;
use vintedbot_domain::paging::{self, PageQuery, PageRequest, Position, Sizes};
use vintedbot_domain::publishing::{self, Filter};
use vintedbot_proto::v1;

use crate::convert::{Fields, publish_job};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

const STEPS: Sizes = Sizes {
    default: 200,
    max: 1000,
};

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetPublishJobRequest>,
) -> Result<Response<v1::GetPublishJobResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let may_confirm = caller.scopes.contains(Scope::PublishConfirm);
    let (job, token) = publishing::get_with_token(&state.context, &caller, &id).await?;
    let confirmation = token
        .filter(|_| may_confirm)
        .map(|(token, expire_time)| publish_job::confirmation(token, expire_time, job.revision_hash.clone()));
    let steps = publishing::step_timeline(&state.context, &caller, &id).await?;
    let signer = Signer::new(&state.context, &call);
    let job = v1::PublishJob {
        confirmation,
        step_timeline: publish_job::steps(&signer, steps),
        ..publish_job::to_proto(&signer, job)
    };
    Ok(Response::new(v1::GetPublishJobResponse {
        publish_job: Some(job),
    }))
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListPublishJobsRequest>,
) -> Result<Response<v1::ListPublishJobsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let (filter, page) = read_list(request.into_inner())?;
    let method = (caller.workspace_id.as_str(), "ListPublishJobs");
    let keys = &state.context.keys;
    let query = PageQuery::<Position>::open(keys, paging::RESOURCES, method, &filter, &page)?;
    let jobs = publishing::list(
        &state.context,
        &caller,
        &filter,
        query.after.clone(),
        query.to_read(),
    )
    .await?;
    let page = query.close(keys, jobs, |job| (job.create_time, job.id.clone()))?;
    let signer = Signer::new(&state.context, &call);
    Ok(Response::new(v1::ListPublishJobsResponse {
        publish_jobs: page
            .items
            .into_iter()
            .map(|job| publish_job::to_proto(&signer, job))
            .collect(),
        next_page_token: page.next_page_token,
    }))
}

fn read_list(request: v1::ListPublishJobsRequest) -> Result<(Filter, PageRequest), Problem> {
    let mut fields = Fields::default();
    let filter = Filter {
        account_id: fields.optional_id("account_id", request.account_id),
        listing_id: fields.optional_id("listing_id", request.listing_id),
        states: fields.enumerations("states", request.states, publish_job::from_state),
        requires_action: request.requires_action,
    };
    fields.done((
        filter,
        PageRequest {
            size: request.page_size,
            token: request.page_token,
        },
    ))
}

pub async fn list_steps(
    state: &ServerState,
    request: Request<v1::ListPublishStepsRequest>,
) -> Result<Response<v1::ListPublishStepsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let request = request.into_inner();
    let mut fields = Fields::default();
    let job_id = fields.id("job_id", request.job_id);
    let job_id = fields.done(job_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let method = (caller.workspace_id.as_str(), "ListPublishSteps");
    let keys = &state.context.keys;
    let query = PageQuery::<i64>::open(keys, STEPS, method, &job_id, &page)?;
    let after = query.after.unwrap_or(0);
    let steps = publishing::list_steps(&state.context, &caller, &job_id, after, query.to_read()).await?;
    let page = query.close(keys, steps, |step| step.number)?;
    Ok(Response::new(v1::ListPublishStepsResponse {
        steps: publish_job::steps(&Signer::new(&state.context, &call), page.items),
        next_page_token: page.next_page_token,
    }))
}

pub async fn list_screenshots(
    state: &ServerState,
    request: Request<v1::ListScreenshotsRequest>,
) -> Result<Response<v1::ListScreenshotsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let request = request.into_inner();
    let mut fields = Fields::default();
    let job_id = fields.id("job_id", request.job_id);
    let job_id = fields.done(job_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let method = (caller.workspace_id.as_str(), "ListScreenshots");
    let keys = &state.context.keys;
    let query = PageQuery::<i64>::open(keys, paging::RESOURCES, method, &job_id, &page)?;
    let mut after = query.after.unwrap_or(0);
    let mut with_screenshot = Vec::new();
    while (with_screenshot.len() as u64) < query.to_read() {
        let steps = publishing::list_steps(&state.context, &caller, &job_id, after, STEPS.max as u64).await?;
        let Some(last) = steps.last() else { break };
        after = last.number;
        let has_evidence =
            |step: &publishing::Step| step.screenshot_key.is_some() || step.page_text_key.is_some();
        with_screenshot.extend(steps.into_iter().filter(has_evidence));
    }
    let page = query.close(keys, with_screenshot, |step| step.number)?;
    let signer = Signer::new(&state.context, &call);
    Ok(Response::new(v1::ListScreenshotsResponse {
        screenshots: page
            .items
            .into_iter()
            .filter_map(|step| publish_job::screenshot(&signer, step))
            .collect(),
        next_page_token: page.next_page_token,
    }))
}
