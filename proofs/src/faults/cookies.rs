//! Sessions in the formats that browsers and tools export, with cookies that nobody needs.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use vintedbot_sdk::v1::ImportSessionRequest;
use vintedbot_sdk::v1::import_session_request::Source;

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

async fn import(stage: &Stage, source: Source) -> vintedbot_sdk::Result<Vec<String>> {
    let request = ImportSessionRequest {
        account_id: stage.seller.account.id.clone(),
        user_agent: AGENT.to_owned(),
        source: Some(source),
        ..Default::default()
    };
    let imported = stage.client.accounts().import_session(request).await?;
    Ok(imported.dropped_cookies)
}

async fn export(stage: &Stage, name: &str) -> Result<()> {
    let text = with_tokens(stage, name).await?;
    import(stage, Source::BrowserExport(text)).await?;
    Ok(())
}

/// `dropped`: the cookie that has to be named, or nothing.
async fn header(stage: &Stage, name: &str, dropped: &str) -> Result<()> {
    let text = with_tokens(stage, name).await?;
    let named = import(stage, Source::CookieHeader(text.trim().to_owned())).await?;
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
    import(stage, Source::CookieHeader(command)).await?;
    Ok(())
}

async fn unreadable(stage: &Stage) -> Result<()> {
    let result = import(stage, Source::BrowserExport("hello, world".to_owned())).await;
    refused_with(result, &["JSON", "cookies.txt"])
}
