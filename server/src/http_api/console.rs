//! The web console: the files of `web/dist`. A release build contains them; a debug build reads them from the folder.
//!
//! Every page of the console is the same file, `index.html`, and the console shows the page of the address. The policy
//! allows no inline script and no other origin.

use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use rust_embed::{Embed, EmbeddedFile};

#[derive(Embed)]
#[folder = "../web/dist"]
struct Files;

const INDEX: &str = "index.html";
/// Shown if the console was not built before the program.
const NOT_BUILT: &str = include_str!("console.html");
/// The files below this folder have hashed names, so their content never changes.
const HASHED: &str = "assets/";
/// The first segments of paths that are never pages: those of the API.
const API: [&str; 4] = ["health", "media", "preview", "ready"];
/// The encodings in which `npm run build` stores each text, the smallest first.
const ENCODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; \
                      connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

/// Returns the file of the request's path, or the console's page. `None` if the request is for neither.
pub fn respond<B>(request: &Request<B>) -> Option<Response> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let path = request.uri().path().trim_start_matches('/');
    let name = match path {
        "" => INDEX,
        path if is_file_path(path) && Files::get(path).is_some() => path,
        path if is_page(path) && accepts_html(request.headers()) => INDEX,
        _ => return None,
    };
    Some(match encoded(name, request.headers()) {
        Some((file, encoding)) => response(name, file, encoding),
        None => not_built(),
    })
}

/// Returns whether a path can be that of a file. The manifest of the build is in a hidden folder. A debug build opens
/// the path on disk, treats `\` as `/`, and follows a symbolic link out of the folder.
fn is_file_path(path: &str) -> bool {
    !path.contains('\\') && !path.split('/').any(|segment| segment.starts_with('.'))
}

/// Returns whether a path can be that of a page. A missing file of an older build is not answered with a page, and
/// neither is a path of the API.
fn is_page(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    !path.starts_with(HASHED) && !API.contains(&first) && !first.contains('.')
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT).iter();
    values.any(|value| value.to_str().is_ok_and(|value| value.contains("text/html")))
}

/// Returns a file in the smallest encoding that is stored and that the client accepts.
fn encoded(name: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let accepted: Vec<_> = accepted
        .unwrap_or_default()
        .split(',')
        .filter(|part| !is_refused(part))
        .map(|part| part.split(';').next().unwrap_or_default().trim())
        .collect();
    for (encoding, suffix) in ENCODINGS {
        if accepted.contains(&encoding)
            && let Some(file) = Files::get(&format!("{name}.{suffix}"))
        {
            return Some((file, Some(encoding)));
        }
    }
    Files::get(name).map(|file| (file, None))
}

/// Returns whether a coding of `accept-encoding` has the weight 0, which is also written `0.0` or `0.000`.
fn is_refused(coding: &str) -> bool {
    let weight = coding.split_once("q=").map(|(_, weight)| weight.trim());
    weight.is_some_and(|weight| weight.bytes().all(|byte| matches!(byte, b'0' | b'.')))
}

fn response(name: &str, file: EmbeddedFile, encoding: Option<&'static str>) -> Response {
    // The type of the file in its encoding would be that of a compressed file.
    let content_type = Files::get(name).map_or_else(String::new, |file| file.metadata.mimetype().to_owned());
    let caching = if name.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    let mut response = file.data.into_response();
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    secure(headers);
    response
}

fn not_built() -> Response {
    let page = axum::response::Html(NOT_BUILT);
    let mut response = (StatusCode::NOT_FOUND, page).into_response();
    secure(response.headers_mut());
    response
}

fn secure(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_out_of_the_folder_is_no_file() {
        for path in [
            "/\\proc\\self\\status",
            "/assets/..\\..\\Cargo.toml",
            "/assets/../../../Cargo.toml",
            "/.vite/manifest.json",
        ] {
            let request = Request::get(path)
                .header(ACCEPT, "*/*")
                .body(())
                .expect("a request");
            assert!(respond(&request).is_none(), "{path}");
        }
    }

    #[test]
    fn encoding_with_weight_zero_is_refused() {
        for coding in ["br;q=0", "br; q=0.0", "br ;q=0.000"] {
            assert!(is_refused(coding), "{coding}");
        }
        for coding in ["br", "br;q=0.1", "gzip;q=1"] {
            assert!(!is_refused(coding), "{coding}");
        }
    }
}
