//! J: equal calls at the same time.

use std::collections::HashSet;

use anyhow::Result;
use futures::future::{join_all, try_join_all};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::Error;
use vintedbot_sdk::v1::template_service_client::TemplateServiceClient;
use vintedbot_sdk::v1::{CreateTemplateRequest, ErrorReason};

use super::Verdict;
use super::stage::Stage;

/// The number of simultaneous calls for each of two parameter sets.
const CALLS: usize = 50;
const CONNECTIONS: usize = 4;
const ROUNDS: usize = 4;

/// Sends the same call and a different call with the same `request_id`, in several rounds.
pub async fn equal_calls(stage: &Stage) -> Result<Verdict> {
    let clients = try_join_all((0..CONNECTIONS).map(|_| stage.client())).await?;
    for _ in 0..ROUNDS {
        let request_id = SystemIds.id();
        let names = [SystemIds.id(), SystemIds.id()];
        let calls = (0..2 * CALLS).map(|number| {
            let mut client = TemplateServiceClient::new(clients[number % clients.len()].channel());
            let request = CreateTemplateRequest {
                name: names[number % 2].clone(),
                text: "Bonjour".to_owned(),
                request_id: request_id.clone(),
            };
            async move { (number % 2, client.create_template(request).await) }
        });
        let mut answers = [HashSet::new(), HashSet::new()];
        let mut counts = [0, 0];
        for (set, answer) in join_all(calls).await {
            match answer {
                Ok(answer) => {
                    counts[set] += 1;
                    answers[set].insert(answer.into_inner().template.map(|template| template.id));
                }
                Err(status) => {
                    let error = Error::from(status);
                    if error.reason() != ErrorReason::RequestIdReused {
                        return Ok(Verdict::Succeeded(format!("a losing call gets {error}")));
                    }
                }
            }
        }
        // One parameter set won: all of its calls got the same answer. The other set was refused.
        counts.sort_unstable();
        let made = answers[0].len() + answers[1].len();
        if counts != [0, CALLS] || made != 1 {
            return Ok(Verdict::Succeeded(format!(
                "{counts:?} answers name {made} templates"
            )));
        }
    }
    Ok(Verdict::Held)
}
