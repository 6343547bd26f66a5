//! Wrong sign-ins must not tell whether an address has a person, neither by their answer nor by their duration.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;
use vintedbot_sdk::v1::SignInRequest;
use vintedbot_sdk::v1::auth_service_client::AuthServiceClient;
use vintedbot_sdk::{Error, ErrorReason};

use super::Measured;
use super::context::EMAIL;
use super::stage::{Stage, connect};
use crate::bench::table::median;

/// An address without a person, as long as that of the person.
const UNKNOWN: &str = "nora@example.org";
/// The largest difference of the medians, as a part of the larger median.
const DIFFERENCE_BAR: f64 = 0.02;

/// Tries to sign in `tries` times with an unknown address and as often with a wrong password.
pub async fn measure(stage: &Stage, tries: u32, judges_time: bool) -> Result<Measured> {
    let client = connect(&stage.url(), None).await?;
    let mut client = AuthServiceClient::new(client.channel());
    let mut random = StdRng::seed_from_u64(1);
    let (mut answers, mut times) = (BTreeSet::new(), [Vec::new(), Vec::new()]);
    for _ in 0..tries {
        // The order is random, so that a regular disturbance does not always hit the same of the two.
        let first: usize = random.random_range(0..=1);
        for which in [first, 1 - first] {
            let request = SignInRequest {
                email: [UNKNOWN, EMAIL][which].to_owned(),
                password: "zephyr-27-tangent-qK4".to_owned(),
                ..Default::default()
            };
            let began = Instant::now();
            let answer = client.sign_in(request).await;
            times[which].push(began.elapsed());
            let status = answer.err().context("a wrong sign-in succeeds")?;
            answers.insert(format!("{:?}: {}", status.code(), status.message()));
            let error = Error::from(status);
            ensure!(error.reason() == ErrorReason::CredentialsInvalid, "{error}");
        }
    }
    let [unknown, wrong] = times.each_mut().map(|times| median(times).as_secs_f64());
    let difference = (unknown - wrong).abs() / unknown.max(wrong);
    Ok(Measured {
        line: format!(
            "sign-ins that fail, {tries} each: unknown address {:.2} ms, wrong password {:.2} ms, {:.1} % apart \
             (bar {:.0} %), {} different answers",
            unknown * 1e3,
            wrong * 1e3,
            difference * 1e2,
            DIFFERENCE_BAR * 1e2,
            answers.len() - 1,
        ),
        is_good: answers.len() == 1 && (!judges_time || difference <= DIFFERENCE_BAR),
    })
}
