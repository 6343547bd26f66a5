//! Sessions in the formats that browsers and tools export, with cookies that a session does not need.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use vintedbot_sdk::v1::import_session_request::Source;
use vintedbot_sdk::v1::{ImportSessionRequest, ImportSessionResponse};

use super::{Case, Stage, case, refused_with, text};

/// The cookie of a session on the French market.
const SESSION: &str = "_vinted_fr_session";
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";

pub fn cases() -> Vec<Case> {
    vec![
        case!("export with a byte order mark", |stage| export(
            stage,
            "05-export-bom.json"
        )),
        case!("export", |stage| export(stage, "05-export-control.json")),
        case!("export as an object", |stage| object(stage)),
        case!("cookies.txt of Windows", |stage| windows(stage)),
        case!("header with its name", |stage| with_its_name(stage)),
        case!("cookies.txt", |stage| export(stage, "06-cookies-netscape.txt")),
        case!("header with a nameless cookie", |stage| header(
            stage,
            "07-header-nameless.txt",
            "wcsid-9f31"
        )),
        case!("header with accents", |stage| header(
            stage,
            "07-header-utf8-campaign.txt",
            "__utmz"
        )),
        case!("header", |stage| header(stage, "07-header-control.txt", "")),
        case!("cURL command", |stage| curl(stage)),
        case!("text without cookies", |stage| unreadable(stage)),
    ]
}

/// An input with the cookies of the account's member, who has just signed in. The inputs lack the session cookie.
async fn with_tokens(stage: &Stage, name: &str) -> Result<String> {
    let account = &stage.seller.account;
    let signed_in = stage.practice.site.sign_in(&account.member_login).await?;
    let cookie = |name: &str| signed_in.cookies.get(name).context(name.to_owned());
    let text = text(&format!("cookies/{name}"))?
        .replace("aaa.invented.bbb", cookie("access_token_web")?)
        .replace("ccc.invented.ddd", cookie("refresh_token_web")?);
    let session = cookie(SESSION)?;
    Ok(match name {
        json if json.ends_with(".json") => {
            let entry = json!({"domain": "127.0.0.1", "name": SESSION, "path": "/", "value": session});
            text.replacen('[', &format!("[{entry},"), 1)
        }
        netscape if netscape.contains("netscape") => {
            format!("{text}#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t1900000000\t{SESSION}\t{session}\n")
        }
        _ => format!("{}; {SESSION}={session}", text.trim()),
    })
}

/// Imports a session and returns the names of the dropped cookies. Fails unless all cookies that a session needs are
/// stored.
async fn imported(stage: &Stage, source: Source) -> Result<Vec<String>> {
    let imported = import(stage, source).await?;
    let session = imported.account.and_then(|account| account.session);
    let session = session.context("the account has no session")?;
    for needed in [SESSION, "access_token_web", "refresh_token_web"] {
        ensure!(
            session.cookie_names.iter().any(|name| name == needed),
            "{needed} is not among {:?}",
            session.cookie_names
        );
    }
    Ok(imported.dropped_cookies)
}

async fn import(stage: &Stage, source: Source) -> vintedbot_sdk::Result<ImportSessionResponse> {
    let request = ImportSessionRequest {
        account_id: stage.seller.account.id.clone(),
        user_agent: AGENT.to_owned(),
        source: Some(source),
        ..Default::default()
    };
    stage.client.accounts().import_session(request).await
}

async fn export(stage: &Stage, name: &str) -> Result<()> {
    let text = with_tokens(stage, name).await?;
    imported(stage, Source::BrowserExport(text)).await?;
    Ok(())
}

async fn object(stage: &Stage) -> Result<()> {
    let text = with_tokens(stage, "05-export-control.json").await?;
    let text = format!("{{\"cookies\": {text}}}");
    imported(stage, Source::BrowserExport(text)).await?;
    Ok(())
}

async fn windows(stage: &Stage) -> Result<()> {
    let text = with_tokens(stage, "06-cookies-netscape.txt").await?;
    let text = text.replace('\n', "\r\n");
    imported(stage, Source::BrowserExport(text)).await?;
    Ok(())
}

async fn with_its_name(stage: &Stage) -> Result<()> {
    let text = with_tokens(stage, "07-header-control.txt").await?;
    imported(stage, Source::CookieHeader(format!("Cookie: {text}"))).await?;
    Ok(())
}

/// `dropped`: the cookie that has to be named, or nothing.
async fn header(stage: &Stage, name: &str, dropped: &str) -> Result<()> {
    let text = with_tokens(stage, name).await?;
    let named = imported(stage, Source::CookieHeader(text.trim().to_owned())).await?;
    ensure!(
        dropped.is_empty() || named.iter().any(|name| name.contains(dropped)),
        "dropped: {named:?}"
    );
    Ok(())
}

async fn curl(stage: &Stage) -> Result<()> {
    let header = with_tokens(stage, "07-header-control.txt").await?;
    let command = format!(
        "curl 'https://www.vinted.fr/' \\\n  -H 'accept: text/html' \\\n  -b '{}' \\\n  --compressed",
        header.trim()
    );
    imported(stage, Source::CookieHeader(command)).await?;
    Ok(())
}

async fn unreadable(stage: &Stage) -> Result<()> {
    let result = import(stage, Source::BrowserExport("hello, world".to_owned())).await;
    refused_with(result, &["JSON", "cookies.txt"])
}
