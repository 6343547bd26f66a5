//! The output of the demo while it runs.

use futures::TryStreamExt as _;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{PublishJob, WatchRequest, ephemeral};
use vintedbot_sdk::{Client, Result};

/// Prints every event as it arrives, until the handle is dropped.
pub async fn events(client: &Client) -> Result<AbortOnDropHandle<()>> {
    let mut watch = client.events().watch(WatchRequest::default());
    // From the first message on, no event is missed.
    watch.try_next().await?;
    let task: JoinHandle<()> = tokio::spawn(async move {
        loop {
            match watch.try_next().await {
                Ok(Some(message)) => line(&message),
                Ok(None) => break,
                Err(error) => {
                    println!("  | no more events: {error}");
                    break;
                }
            }
        }
    });
    Ok(AbortOnDropHandle::new(task))
}

fn line(message: &Message) {
    match message {
        Message::Event(event) => {
            let (kind, resource) = (event.kind().as_str_name(), event.resource_type().as_str_name());
            let kind = kind.trim_start_matches("EVENT_KIND_").to_lowercase();
            let resource = resource.trim_start_matches("RESOURCE_TYPE_").to_lowercase();
            println!(
                "  | event {:>3}  {kind:<30} {resource} {}",
                event.sequence,
                short(&event.resource_id)
            );
        }
        Message::Ephemeral(ephemeral) => {
            if let Some(ephemeral::Progress::PublishStep(progress)) = &ephemeral.progress {
                let step = progress.step.as_ref();
                let (name, outcome) =
                    step.map_or(("", ""), |step| (&step.step, step.outcome().as_str_name()));
                println!(
                    "  |   step {name} {}",
                    outcome.trim_start_matches("OUTCOME_").to_lowercase()
                );
            }
        }
        _ => {}
    }
}

/// Returns the end of an id; enough to distinguish it from others.
fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(12)..).unwrap_or(id)
}

/// Prints the values that the form showed, field by field.
pub fn read_back(job: &PublishJob) {
    for field in &job.read_back {
        let sign = if field.matches { "=" } else { "differs:" };
        let seen: String = field.seen.chars().take(60).collect();
        println!("    {:<13} {sign} {}", field.field, seen.replace('\n', " "));
    }
}
