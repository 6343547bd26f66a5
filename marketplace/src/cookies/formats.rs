//! The formats of an import: what the developer tools of a browser copy, `cookies.txt`, and the JSON exports of
//! browsers, extensions and tools. Commands for cURL are read in [`curl`](super::curl).

use serde_json::Value;
use zeroize::Zeroizing;

use super::{Cookie, Error, curl, normal};
use crate::markets::Market;

/// The formats that can be read, as errors name them.
const FORMATS: &str = "a Cookie header (name=value; name=value), a cURL command or a fetch call for Node.js with \
                       cookies, rows of the table of cookies in the developer tools, cookies.txt in Netscape format, \
                       or a JSON export: an array of cookies, or an object with such an array as \"cookies\"";
/// The maximum length of a header's part without "=" that is shown as a name. Tokens of a session are longer.
const BARE_NAME_MAX: usize = 32;

/// Returns the error for a text in another format.
pub(super) fn unreadable(flaw: &str) -> Error {
    Error::Malformed(format!("{flaw}; it must be {FORMATS}"))
}

/// Reads the cookies of a text in any of the formats. The text itself shows which one it is.
pub(super) fn read(text: &str, market: &Market) -> Result<Vec<Cookie>, Error> {
    // Editors may save a byte order mark.
    let text = text.trim_matches(|char: char| char.is_whitespace() || char == '\u{feff}');
    if text.starts_with(['[', '{']) {
        json(text)
    } else if curl::is_command(text) {
        curl::read(text, market)
    } else if text.starts_with("fetch(") || text.starts_with("await fetch(") {
        fetch(text, market)
    } else if is_cookies_txt(text) {
        Ok(lines(text).filter_map(line_of_cookies_txt).collect())
    } else if lines(text).any(|line| row_of_table(line).is_some()) {
        Ok(lines(text).filter_map(row_of_table).collect())
    } else {
        header(text)
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r']).filter(|line| !line.trim().is_empty())
}

/// Reads a header, also among the other headers of a copied request.
fn header(text: &str) -> Result<Vec<Cookie>, Error> {
    let mut named: Option<Vec<Cookie>> = None;
    let mut rest = lines(text);
    while let Some(line) = rest.next() {
        if let Some(value) = cookie_header(line) {
            // The developer tools may copy the value as a line of its own.
            let value = match value.trim() {
                "" => rest.next().unwrap_or_default(),
                value => value,
            };
            named.get_or_insert_default().extend(pairs(value));
        }
    }
    match named {
        Some(cookies) => Ok(cookies),
        None if text.contains(['\n', '\r']) => Err(unreadable("the import has several lines")),
        None => Ok(pairs(text).collect()),
    }
}

/// Reads the call that a browser copied with "Copy as fetch (Node.js)": an address and a JSON object with the headers.
/// A call for browsers contains no cookies.
fn fetch(text: &str, market: &Market) -> Result<Vec<Cookie>, Error> {
    let braces = text.find('{').zip(text.rfind('}'));
    let options = braces.and_then(|(start, end)| text.get(start..=end));
    let options: Option<Value> = options.and_then(|options| serde_json::from_str(options).ok());
    let headers = options.as_ref().and_then(|options| field(options, "headers"));
    let header = headers
        .and_then(|headers| string(headers, &["cookie"]))
        .ok_or_else(|| unreadable("the fetch call has no Cookie header"))?;
    let mut cookies: Vec<Cookie> = pairs(header).collect();
    curl::set_domain(&mut cookies, text.split('"').nth(1), market);
    Ok(cookies)
}

/// Returns the value of a line with a `Cookie` header.
pub(super) fn cookie_header(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.trim().eq_ignore_ascii_case("cookie").then_some(value)
}

/// Reads `name=value; name=value`. Browsers send a nameless cookie as its value alone.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = Cookie> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None if part.len() <= BARE_NAME_MAX => (part, None),
            None => ("", None),
        };
        Cookie {
            name: name.to_owned(),
            value: value.map(|value| Zeroizing::new(value.to_owned())),
            domain: None,
            path: "/".to_owned(),
        }
    })
}

/// Whether the text is a file in Netscape's format: by its title, or by a line with the fields of a cookie.
fn is_cookies_txt(text: &str) -> bool {
    let is_title = |line: &str| line.starts_with('#') && line.contains("Cookie File");
    let is_flag = |field: &str| {
        ["TRUE", "FALSE"]
            .iter()
            .any(|flag| field.eq_ignore_ascii_case(flag))
    };
    let is_cookie = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        fields.len() >= 6 && is_flag(fields[1]) && is_flag(fields[3])
    };
    lines(text).next().is_some_and(is_title) || lines(text).any(is_cookie)
}

/// Reads a line of `cookies.txt`: domain, subdomains, path, secure, expiry, name and value. Returns `None` for a
/// comment.
fn line_of_cookies_txt(line: &str) -> Option<Cookie> {
    let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
    if line.starts_with('#') {
        return None;
    }
    let fields: Vec<&str> = line.splitn(7, '\t').map(str::trim).collect();
    Some(match fields[..] {
        [domain, _, path, _, _, name, ref value @ ..] => Cookie {
            name: name.to_owned(),
            value: Some(Zeroizing::new(value.concat())),
            domain: Some(normal(domain)),
            path: path.to_owned(),
        },
        _ => Cookie {
            name: String::new(),
            value: None,
            domain: None,
            path: "/".to_owned(),
        },
    })
}

/// Reads a row of the table of cookies in a browser's developer tools: name, value, domain, path and more. Returns
/// `None` for another line, such as the table's head.
fn row_of_table(line: &str) -> Option<Cookie> {
    let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
    match fields[..] {
        [name, value, domain, path, ..] if path.starts_with('/') && !domain.is_empty() => Some(Cookie {
            name: name.to_owned(),
            value: Some(Zeroizing::new(value.to_owned())),
            domain: Some(normal(domain)),
            path: path.to_owned(),
        }),
        _ => None,
    }
}

fn json(text: &str) -> Result<Vec<Cookie>, Error> {
    // serde_json's own message would repeat the input.
    let json: Value = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        unreadable(&format!(
            "the import begins like JSON but is not JSON (line {line}, column {column})"
        ))
    })?;
    let list = json
        .as_array()
        .or_else(|| field(&json, "cookies")?.as_array())
        .ok_or_else(|| unreadable("the import is JSON without cookies"))?;
    Ok(list.iter().map(cookie_of_json).collect())
}

/// Reads a cookie of a JSON export. Names of fields differ between exporters: most write `name`, `value` and `domain`,
/// Cookie Quick Manager writes `Name raw`, `Content raw` and `Host raw`.
fn cookie_of_json(json: &Value) -> Cookie {
    Cookie {
        name: string(json, &["name", "name raw"]).unwrap_or_default().to_owned(),
        value: string(json, &["value", "content raw", "content"])
            .map(|value| Zeroizing::new(value.to_owned())),
        domain: string(json, &["domain", "host", "host raw"]).map(normal),
        path: string(json, &["path", "path raw"]).unwrap_or("/").to_owned(),
    }
}

fn string<'a>(json: &'a Value, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| field(json, name)?.as_str())
}

fn field<'a>(json: &'a Value, name: &str) -> Option<&'a Value> {
    let mut fields = json.as_object()?.iter();
    fields
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
