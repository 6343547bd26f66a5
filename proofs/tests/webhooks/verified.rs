//! Independent libraries verify that deliveries are signed as Standard Webhooks requires.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use vintedbot_connector::EgressClient;
use vintedbot_domain::webhooks::{self, Rotate};
use vintedbot_proofs::receiver::{Arrived, Receiver};

use crate::stage::{Stage, local, until};

pub async fn by_other_languages(mut stage: Stage) -> Result<()> {
    let receiver = Receiver::open().await?;
    let (endpoint, first) = stage
        .endpoint(&local(receiver.address, "/fine"), &["template_created"])
        .await?;
    stage.send_through(EgressClient::new(vec!["127.0.0.0/8".parse()?]))?;
    stage.happens("é à 🧥 \"quoted\"").await?;
    let arrivals = async |count: usize| {
        until("it arrives", || async {
            let arrived = receiver.on("/fine");
            Ok((arrived.len() == count).then_some(arrived))
        })
        .await
    };
    let plain = arrivals(1).await?.remove(0);
    let rotate = Rotate {
        id: endpoint.id,
        secret: None,
        old_secret_expire_time: None,
        request_id: None,
    };
    let second = webhooks::rotate_secret(&stage.context, &stage.caller, rotate)
        .await?
        .secret;
    let second = second.context("a new secret")?;
    stage.happens("two").await?;
    let rotated = arrivals(2).await?.remove(1);

    let case = |arrived: &Arrived, secret: &str| {
        let headers: serde_json::Map<String, Value> = arrived
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        json!({"secret": secret, "headers": headers, "body": arrived.body})
    };
    let altered = |header: &str, change: fn(&str) -> String| {
        let mut case = case(&plain, first.expose());
        let value = case["headers"][header].as_str().unwrap_or_default();
        case["headers"][header] = json!(change(value));
        case
    };
    let mut other_body = case(&plain, first.expose());
    other_body["body"] = json!(plain.body.replace("template", "temp1ate"));
    let cases = [
        (case(&plain, first.expose()), "good"),
        (case(&rotated, first.expose()), "good"),
        (case(&rotated, second.expose()), "good"),
        (case(&plain, second.expose()), "bad"),
        (other_body, "bad"),
        (altered("webhook-id", |id| format!("{id}0")), "bad"),
        (
            altered("webhook-timestamp", |time| {
                (time.parse::<i64>().unwrap_or_default() + 1).to_string()
            }),
            "bad",
        ),
        (
            altered("webhook-signature", |signature| signature.replace("v1,", "v2,")),
            "bad",
        ),
    ];
    let lines: String = cases.iter().map(|(case, _)| format!("{case}\n")).collect();
    let expected: Vec<_> = cases.iter().map(|(_, verdict)| *verdict).collect();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (scripts, root) = (here.join("tests/webhooks"), here.join(".."));
    let python = root.join("target/venv/bin/python");
    assert_eq!(
        verdicts(&python, &[scripts.join("verify.py")], &lines).await?,
        expected,
        "Python"
    );
    let arguments = [
        scripts.join("verify.mjs"),
        root.join("sdk/typescript/package.json").canonicalize()?,
    ];
    assert_eq!(
        verdicts(Path::new("node"), &arguments, &lines).await?,
        expected,
        "JavaScript"
    );
    stage.close().await
}

async fn verdicts(program: &Path, arguments: &[PathBuf], lines: &str) -> Result<Vec<String>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{}; make test installs it", program.display()))?;
    let mut input = child.stdin.take().context("standard input")?;
    input.write_all(lines.as_bytes()).await?;
    drop(input);
    let output = child.wait_with_output().await?;
    ensure!(output.status.success(), "{} failed", program.display());
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .map(str::to_owned)
        .collect())
}
