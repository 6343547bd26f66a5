//! `SchedulePublish`.

use tonic::{Request, Response};
use vintedbot_domain::publishing::{self, LocalTime, Repeated, Schedule, When};
use vintedbot_proto::v1;
use vintedbot_proto::v1::local_time::Repeated as RepeatedTime;
use vintedbot_proto::v1::schedule_publish_request::When as Asked;

use crate::convert::{Fields, publish_job};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn schedule(
    state: &ServerState,
    request: Request<v1::SchedulePublishRequest>,
) -> Result<Response<v1::SchedulePublishResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let schedule = read(request.into_inner())?;
    let job = publishing::schedule(&state.context, &caller, schedule).await?;
    let job = publish_job::to_proto(&Signer::new(&state.context, &call), job);
    Ok(Response::new(v1::SchedulePublishResponse {
        publish_job: Some(job),
    }))
}

fn read(request: v1::SchedulePublishRequest) -> Result<Schedule, Problem> {
    let mut fields = Fields::default();
    let job_id = fields.id("job_id", request.job_id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let when = fields
        .required("when", request.when)
        .and_then(|asked| when(&mut fields, asked));
    let when = fields.done_with(when)?;
    Ok(Schedule {
        job_id,
        token: request
            .confirmation
            .map(|confirmation| confirmation.confirm_token)
            .unwrap_or_default(),
        when,
        request_id,
    })
}

fn when(fields: &mut Fields, asked: Asked) -> Option<When> {
    match asked {
        Asked::Time(time) => fields.time("time", Some(time)).map(When::At),
        Asked::LocalTime(local) => {
            let repeated = fields.enumeration("local_time.repeated_time", local.repeated_time, repeated);
            Some(When::Local(LocalTime {
                date_time: local.date_time,
                time_zone: local.time_zone,
                repeated: repeated.flatten(),
            }))
        }
    }
}

fn repeated(repeated: RepeatedTime) -> Option<Option<Repeated>> {
    Some(match repeated {
        RepeatedTime::Unspecified => None,
        RepeatedTime::Earlier => Some(Repeated::Earlier),
        RepeatedTime::Later => Some(Repeated::Later),
    })
}
