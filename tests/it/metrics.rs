//! The metrics page after real traffic: complete, readable by Prometheus's own client library, and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::TryStreamExt as _;
use vintedbot_sdk::v1::{CreateAccountRequest, ListListingsRequest, WatchRequest};

use crate::postgres::Postgres;
use crate::rig::{Home, Instance, PATIENCE, get, root};

const PARSE: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families as families
samples = [[s.name, s.labels, s.value] for f in families(sys.stdin.read()) for s in f.samples]
json.dump(samples, sys.stdout)";

/// A sample: its name, its labels and its value.
type Sample = (String, BTreeMap<String, String>, f64);

/// Parses a page of metrics with an independent parser.
fn parsed(page: &str) -> Vec<Sample> {
    let python = root().join("target/venv/bin/python");
    let mut process = Command::new(python)
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`make test` makes target/venv");
    let mut input = process.stdin.take().expect("it is piped");
    input.write_all(page.as_bytes()).expect("it reads");
    drop(input);
    let output = process.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the parser refuses it");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Returns the metrics address that an instance logs.
fn address(home: &Home) -> String {
    let log = home.log();
    let line = log.lines().find_map(|line| line.strip_prefix("metrics: "));
    line.expect("it says where").to_owned()
}

async fn traffic(instance: &Instance, accounts: usize) {
    let client = instance.client().await;
    for number in 0..accounts {
        let request = CreateAccountRequest {
            display_name: format!("Seller {number}"),
            market: "fr".into(),
            ..Default::default()
        };
        client.accounts().create(request).await.expect("an account");
        let missing = format!("00000000-0000-7000-8000-{number:012}");
        client.listings().get(missing).await.expect_err("no such listing");
        get(&format!("{}/health", instance.url())).await;
        // All signed paths count as one route. An unknown method adds no label.
        let made_up = format!("{}/vintedbot.v1.Service{number}/Method", instance.url());
        #[expect(clippy::disallowed_methods, reason = "it reaches this machine only")]
        let call = reqwest::Client::new()
            .post(made_up)
            .header("content-type", "application/grpc-web+proto");
        call.send().await.expect("an answer");
    }
    let listings = client.listings().list(ListListingsRequest::default());
    let listings: Vec<_> = listings.try_collect().await.expect("listings");
    assert!(!listings.is_empty());
}

fn series(samples: &[Sample]) -> BTreeSet<(String, BTreeMap<String, String>)> {
    samples
        .iter()
        .map(|(name, labels, _)| (name.clone(), labels.clone()))
        .collect()
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let is_it = |sample: &&Sample| {
        sample.0 == name
            && labels
                .iter()
                .all(|(key, value)| sample.1.get(*key).is_some_and(|known| known == value))
    };
    samples.iter().filter(is_it).map(|sample| sample.2).sum()
}

/// Returns every metric that a text names, without the suffixes of histograms.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split("vintedbot_").skip(1) {
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect();
        found.insert(format!("vintedbot_{name}").trim_end_matches("_bucket").to_owned());
    }
    found
}

#[tokio::test]
async fn scrape_has_all_metrics_with_bounded_labels() {
    let home = Home::new();
    let instance = home
        .start(&["--seed"], &[("METRICS_LISTEN", "127.0.0.1:0")])
        .await;
    let address = address(&home);
    let client = instance.client().await;
    let mut watch = client.events().watch(WatchRequest::default());
    watch
        .try_next()
        .await
        .expect("it is open")
        .expect("a first message");
    traffic(&instance, 3).await;
    // One job connects each account, and another reads its inbox. Both take time.
    let connected = [("kind", "connect_account")];
    let counted = async {
        loop {
            let page = get(&address).await;
            let samples = parsed(&page);
            let jobs = value(&samples, "vintedbot_job_duration_seconds_count", &connected);
            if jobs >= 3.0 && value(&samples, "vintedbot_inboxes", &[]) >= 1.0 {
                return (page, samples);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let counted = tokio::time::timeout(PATIENCE, counted).await;
    let (page, samples) = counted.expect("the jobs are counted");

    let create = [
        ("method", "/vintedbot.v1.AccountService/CreateAccount"),
        ("code", "OK"),
    ];
    assert!(value(&samples, "vintedbot_rpcs_total", &create) >= 3.0);
    let get_listing = [
        ("method", "/vintedbot.v1.ListingService/GetListing"),
        ("code", "NOT_FOUND"),
    ];
    assert!(value(&samples, "vintedbot_rpcs_total", &get_listing) >= 3.0);
    assert!(value(&samples, "vintedbot_rpcs_total", &[("method", "other")]) >= 3.0);
    assert!(value(&samples, "vintedbot_rpc_duration_seconds_count", &create[..1]) >= 3.0);
    assert!(
        value(
            &samples,
            "vintedbot_http_requests_total",
            &[("route", "/health"), ("status", "200")]
        ) >= 3.0
    );
    assert!(value(&samples, "vintedbot_job_lateness_seconds_count", &connected) >= 3.0);
    assert!(
        value(
            &samples,
            "vintedbot_effects",
            &[("kind", "PUBLISH"), ("outcome", "DONE")]
        ) >= 4.0
    );
    assert_eq!(value(&samples, "vintedbot_watchers", &[]), 1.0);
    assert_eq!(value(&samples, "vintedbot_workers_open", &[]), 1.0);
    assert_eq!(value(&samples, "vintedbot_database_up", &[]), 1.0);
    assert!(value(&samples, "vintedbot_database_connections", &[]) >= 2.0);

    // Every metric in the rules and the dashboard exists.
    for file in ["deploy/rules.yml", "deploy/grafana/board.json"] {
        let asked = named(&fs::read_to_string(root().join(file)).expect(file));
        assert!(asked.len() > 5, "{file}: {asked:?}");
        for name in asked {
            assert!(
                page.contains(&format!("# TYPE {name} ")),
                "{file} asks for {name}"
            );
        }
    }

    // Ten times as many accounts, ids and unknown methods add no series to what calls count.
    let before = series(&samples);
    traffic(&instance, 30).await;
    drop(watch);
    let page = get(&address).await;
    let samples = parsed(&page);
    let new: Vec<_> = series(&samples).difference(&before).cloned().collect();
    // A job kind may run for the first time between the two readings.
    assert!(
        new.iter().all(|(name, _)| name.starts_with("vintedbot_job_")),
        "{new:?}"
    );
    assert!(samples.len() < 1_500, "{} series", samples.len());
    let token = fs::read_to_string(&instance.token_file).expect("the token");
    assert!(!page.contains(token.trim()), "a secret is shown");
    for (name, labels, _) in &samples {
        for (label, value) in labels {
            let is_id = value.len() >= 36 && value.matches('-').count() >= 4;
            assert!(!is_id, "{name} {label}={value}");
        }
    }
    let missing = format!("http://{}/metrics", instance.address);
    #[expect(clippy::disallowed_methods, reason = "it reaches this machine only")]
    let answer = reqwest::Client::new()
        .get(missing)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 404, "metrics are not on the clients' port");
    assert!(instance.stop().await.success());
}

#[tokio::test]
async fn unavailable_metrics_address_names_its_setting() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = home
        .command(&["serve"], &[("METRICS_LISTEN", &address)])
        .output()
        .await
        .expect("the program starts");
    let printed = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && printed.contains("METRICS_LISTEN"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unavailable_database_gives_no_database_metrics() {
    let server = Postgres::own().await.expect("a server");
    let url = server.url();
    let settings = [("METRICS_LISTEN", "127.0.0.1:0"), ("DATABASE_URL", url.as_str())];
    let home = Home::new();
    let instance = home.start(&[], &settings).await;
    let address = address(&home);
    let known = parsed(&get(&address).await);
    let figures: Vec<_> = known
        .iter()
        .filter(|(name, ..)| {
            [
                "vintedbot_jobs",
                "vintedbot_effects",
                "vintedbot_workers_open",
                "vintedbot_jobs_overdue_seconds",
            ]
            .contains(&name.as_str())
        })
        .collect();
    assert!(figures.len() > 10 && figures.iter().all(|(.., value)| !value.is_nan()));
    server.stop().await.expect("stops");
    let page = get(&address).await;
    // These figures are NaN now, which JSON cannot represent, so the page is read as text.
    assert!(page.contains("\nvintedbot_database_up 0\n"), "{page}");
    for (name, labels, _) in figures {
        let lines: Vec<_> = page
            .lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name))
            .filter(|line| {
                labels
                    .values()
                    .all(|value| line.contains(&format!("\"{value}\"")))
            })
            .collect();
        assert!(
            !lines.is_empty() && lines.iter().all(|line| line.ends_with(" NaN")),
            "{lines:?}"
        );
    }
    drop(instance);
}
