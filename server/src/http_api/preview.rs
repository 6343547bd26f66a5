//! `GET /preview/{signed}`: the page on which a person reviews what a publish job will publish or change.
//!
//! Everything on the page is escaped, and the page contains no scripts. It does not contain the confirm token, because
//! the right to view does not include the right to confirm.

use std::fmt::Write as _;

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use vintedbot_domain::identity::{Caller, Scopes};
use vintedbot_domain::media::files::photo_key;
use vintedbot_domain::publishing::{self, JobKind, PublishJob, Revision, Step};
use vintedbot_domain::store;
use vintedbot_marketplace::currencies;

use super::problem;
use crate::calls::Call;
use crate::convert::{publish_job, timestamp};
use crate::errors::Problem;
use crate::signed::{self, Signer};
use crate::state::ServerState;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#222}\
    h1{margin:.2em 0}.price{font-size:1.4em;font-weight:600}.text{white-space:pre-wrap}\
    .photos img{height:14rem;margin:0 .5rem .5rem 0;border-radius:.4rem}.shot{max-width:100%;border:1px solid #ccc}\
    table{border-collapse:collapse;width:100%}td,th{border:1px solid #ddd;padding:.3rem .6rem;text-align:left;\
    vertical-align:top;overflow-wrap:anywhere}.differs td{background:#fde8e8}.note{color:#666}\
    .steps{display:flex;flex-wrap:wrap;gap:.6rem}.steps figure{width:10rem;margin:0;font-size:.75em;\
    overflow-wrap:anywhere}.steps img{width:100%;border:1px solid #ccc}";

pub async fn get(State(state): State<ServerState>, Path(signed): Path<String>) -> Response {
    match page(&state, &signed).await {
        Ok(page) => page,
        Err(problem) => problem::refuse(&problem),
    }
}

async fn page(state: &ServerState, signed: &str) -> Result<Response, Problem> {
    let preview = signed::open_preview(&state.context, signed).await?;
    let holder = preview.holder();
    // The URL grants its holder the right to view this one job.
    let caller = Caller {
        workspace_id: preview.workspace_id,
        credential_id: String::new(),
        person: None,
        scopes: Scopes::default(),
        expire_time: None,
    };
    let (context, id) = (&state.context, preview.job_id.as_str());
    let (job, revision, steps) = store::within(&caller.workspace_id, async {
        Ok::<_, Problem>((
            publishing::get(context, &caller, id).await?,
            publishing::get_revision(context, &caller, id).await?,
            publishing::step_timeline(context, &caller, id).await?,
        ))
    })
    .await?;
    // Picture URLs are relative, so they work at any address by which the reader reaches this server.
    let here = Call {
        request_id: "".into(),
        base_url: "".into(),
        holder,
    };
    let signer = Signer::new(&state.context, &here);
    let nonce = URL_SAFE_NO_PAD.encode(&state.context.ids.secret()[..16]);
    let html = render(&signer, &job, &revision, &steps, &nonce)?;
    let policy = format!(
        "default-src 'none'; img-src 'self'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers = [
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_str(&policy).expect("ASCII"),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    Ok((headers, Html(html)).into_response())
}

fn render(
    signer: &Signer<'_>,
    job: &PublishJob,
    revision: &Revision,
    steps: &[Step],
    nonce: &str,
) -> Result<String, Problem> {
    let content = &revision.content;
    let title = escape(&content.title);
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style nonce=\"{nonce}\">{STYLE}</style></head><body>\
         <p class=\"note\">Publish job {} on {}, {}</p><h1>{title}</h1><p class=\"price\">{}</p>",
        escape(&job.id),
        escape(&job.site),
        publish_job::state(job.state)
            .as_str_name()
            .trim_start_matches("STATE_"),
        escape(&price(content.price.minor_units, &content.price.currency)),
    );
    if !job.message.is_empty() {
        write(
            &mut html,
            format_args!("<p class=\"note\">{}</p>", escape(&job.message)),
        );
    }
    changes(&mut html, job, revision);
    html.push_str("<p class=\"photos\">");
    for (number, sha256) in content.photo_sha256s.iter().enumerate() {
        let key = photo_key(sha256).map_err(vintedbot_domain::Error::from)?;
        if let Some(photo) = signer.file(&key, "image/jpeg") {
            write(
                &mut html,
                format_args!(
                    "<img src=\"{}\" alt=\"Photo {}\">",
                    escape(&photo.url),
                    number + 1
                ),
            );
        }
    }
    write(
        &mut html,
        format_args!("</p><p class=\"text\">{}</p>", escape(&content.description)),
    );
    html.push_str(
        "<h2>Read back from the form</h2><table><tr><th>Field</th><th>Approved</th><th>Seen</th></tr>",
    );
    for reading in &job.read_back {
        let class = if reading.matches { "same" } else { "differs" };
        write(
            &mut html,
            format_args!(
                "<tr class=\"{class}\"><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&reading.field),
                escape(&reading.approved),
                escape(&reading.seen)
            ),
        );
    }
    html.push_str("</table>");
    if let Some(form) = job
        .screenshot_key
        .as_ref()
        .and_then(|key| signer.file(key, "image/png"))
    {
        let url = escape(&form.url);
        write(
            &mut html,
            format_args!("<h2>The form</h2><img class=\"shot\" src=\"{url}\" alt=\"The filled form\">"),
        );
    }
    step_timeline(&mut html, signer, steps);
    write(
        &mut html,
        format_args!(
            "<p class=\"note\">Prepared {} time(s), last changed {}. Content {}.</p></body></html>",
            job.prepare_number,
            timestamp(job.update_time),
            escape(&job.revision_hash)
        ),
    );
    Ok(html)
}

/// Writes the changes of an existing item. Writes nothing for a publication.
fn changes(html: &mut String, job: &PublishJob, revision: &Revision) {
    let does = match job.kind {
        JobKind::Publish => return,
        JobKind::Edit => "Changes",
        JobKind::Hide => "Hides",
        JobKind::Unhide => "Shows again",
        JobKind::Delete => "Deletes, for good,",
    };
    let item = revision
        .change
        .as_ref()
        .map_or("", |change| change.remote_id.as_str());
    write(
        html,
        format_args!(
            "<h2>What changes on the site</h2><p>{does} item {}.</p>\
             <table><tr><th>Field</th><th>Before</th><th>After</th></tr>",
            escape(item)
        ),
    );
    for change in &job.changes {
        write(
            html,
            format_args!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&change.field),
                escape(&change.before),
                escape(&change.after)
            ),
        );
    }
    html.push_str("</table>");
}

/// Writes the step timeline: the steps with a screenshot, and the steps that did not succeed.
fn step_timeline(html: &mut String, signer: &Signer<'_>, steps: &[Step]) {
    let shown: Vec<_> = steps
        .iter()
        .filter(|step| step.thumbnail_key.is_some() || step.outcome != "DONE")
        .collect();
    if shown.is_empty() {
        return;
    }
    html.push_str("<h2>Step by step</h2><div class=\"steps\">");
    for step in shown {
        html.push_str("<figure>");
        let picture = step.thumbnail_key.as_deref();
        if let Some(picture) = picture.and_then(|key| signer.file(key, "image/jpeg")) {
            write(
                html,
                format_args!("<img src=\"{}\" alt=\"\" loading=\"lazy\">", escape(&picture.url)),
            );
        }
        write(
            html,
            format_args!(
                "<figcaption>{}. {} {}<br>{}</figcaption></figure>",
                step.attempt,
                escape(&step.step),
                escape(&step.outcome),
                escape(&step.message)
            ),
        );
    }
    html.push_str("</div>");
}

fn write(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).expect("writing to a String cannot fail");
}

fn price(minor_units: i64, currency: &str) -> String {
    format!("{} {currency}", currencies::decimal(minor_units, currency, '.'))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_text_never_becomes_markup() {
        assert_eq!(
            escape("<a href='x'>&\"</a>"),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;"
        );
    }
}
