//! Reads the cookies of a command that a browser copied with "Copy as cURL", for bash or for Windows' cmd.

use std::iter::Peekable;
use std::str::Chars;

use zeroize::Zeroizing;

use super::formats::{cookie_header, pairs};
use super::{Cookie, Error, is_under, normal};
use crate::markets::Market;

/// Whether the text is a command for cURL.
pub(super) fn is_command(text: &str) -> bool {
    let program = text.split_whitespace().next().unwrap_or_default();
    ["curl", "curl.exe"]
        .iter()
        .any(|name| program.eq_ignore_ascii_case(name))
}

/// Reads the cookies of the options `-b`, `--cookie`, `-H` and `--header`. The market is that of the requested host. It
/// is not compared for the practice site, where commands of any market are rehearsed.
///
/// # Errors
/// A quotation of the command has no end.
pub(super) fn read(text: &str, market: &Market) -> Result<Vec<Cookie>, Error> {
    let text = Zeroizing::new(text.replace("\r\n", "\n"));
    let words = if is_for_cmd(&text) {
        words_of_cmd(&text)
    } else {
        words_of_bash(&text)
    };
    let words = words.map(Zeroizing::new).ok_or_else(|| {
        Error::Malformed("the cURL command ends inside a quotation; copy it whole".to_owned())
    })?;
    let mut words = words.iter().skip(1).map(|word| word.trim());
    let mut url = None;
    let mut cookies: Vec<Cookie> = Vec::new();
    while let Some(word) = words.next() {
        let is_cookie = word.starts_with("-b") || word == "--cookie";
        if is_cookie || word.starts_with("-H") || word == "--header" {
            // The argument of a short option may follow without a space.
            let attached = word
                .get(2..)
                .filter(|rest| !rest.is_empty() && !word.starts_with("--"));
            let argument = attached.or_else(|| words.next()).unwrap_or_default();
            let header = cookie_header(argument);
            if let Some(text) = header.or_else(|| is_cookie.then_some(argument)) {
                cookies.extend(pairs(text));
            }
        } else if url.is_none() && (word.starts_with("https://") || word.starts_with("http://")) {
            url = Some(word);
        }
    }
    set_domain(&mut cookies, url, market);
    Ok(cookies)
}

/// Sets the domain of a request's cookies to the site of the requested address. Does nothing for the practice site.
pub(super) fn set_domain(cookies: &mut [Cookie], url: Option<&str>, market: &Market) {
    if market.is_practice() {
        return;
    }
    let host = url.map(normal).unwrap_or_default();
    let requested = Market::all()
        .iter()
        .find(|one| !one.is_practice() && is_under(&host, &one.site));
    for cookie in cookies {
        cookie.domain = requested.map(|one| one.site.clone());
    }
}

/// Whether the command is for Windows' cmd, where carets escape characters and line ends. Browsers quote the address
/// first.
fn is_for_cmd(text: &str) -> bool {
    let Some(at) = text.find(['\'', '"']) else {
        return false;
    };
    let (before, rest) = text.split_at(at);
    rest.starts_with('"') && (before.ends_with('^') || text.contains("^\n") || text.contains("^%^"))
}

/// The words of a command, of which the last one may be open.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    open: Option<String>,
}

impl Words {
    /// Begins a word, which may stay empty because of its quotes.
    fn begin(&mut self) -> &mut String {
        self.open.get_or_insert_default()
    }

    fn push(&mut self, char: char) {
        self.begin().push(char);
    }

    fn end(&mut self) {
        self.done.extend(self.open.take());
    }
}

/// Splits a command as bash does. Returns `None` if a quotation has no end.
fn words_of_bash(text: &str) -> Option<Vec<String>> {
    let mut words = Words::default();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\'' => {
                words.begin();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        char => words.push(char),
                    }
                }
            }
            '"' => {
                words.begin();
                double_quoted(&mut chars, &mut words)?;
            }
            '$' if chars.next_if_eq(&'\'').is_some() => {
                words.begin();
                ansi_quoted(&mut chars, &mut words)?;
            }
            // A continued line.
            '\\' if chars.next_if_eq(&'\n').is_some() => {}
            '\\' => words.push(chars.next().unwrap_or('\\')),
            char if char.is_whitespace() => words.end(),
            char => words.push(char),
        }
    }
    words.end();
    Some(words.done)
}

/// Reads the rest of `"…"`.
fn double_quoted(chars: &mut Peekable<Chars<'_>>, words: &mut Words) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '\\' => match chars.next()? {
                '\n' => {}
                char @ ('"' | '\\' | '$' | '`') => words.push(char),
                char => {
                    words.push('\\');
                    words.push(char);
                }
            },
            char => words.push(char),
        }
    }
}

/// Reads the rest of `$'…'`, in which browsers write control characters and others by their codes.
fn ansi_quoted(chars: &mut Peekable<Chars<'_>>, words: &mut Words) -> Option<()> {
    loop {
        let char = match chars.next()? {
            '\'' => return Some(()),
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'x' => by_code(chars, 2),
                'u' => by_code(chars, 4),
                'U' => by_code(chars, 8),
                char => char,
            },
            char => char,
        };
        words.push(char);
    }
}

/// Reads up to `most` hexadecimal digits as a character.
fn by_code(chars: &mut Peekable<Chars<'_>>, most: usize) -> char {
    let mut code = 0;
    for _ in 0..most {
        let digit = chars.next_if(char::is_ascii_hexdigit);
        let Some(digit) = digit.and_then(|digit| digit.to_digit(16)) else {
            break;
        };
        code = code * 16 + digit;
    }
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Splits a command as cmd and the start of a program do together. Browsers escape each caret, so a caret escapes in
/// quotes as well, where cmd itself would keep it. Returns `None` if a quotation has no end.
fn words_of_cmd(text: &str) -> Option<Vec<String>> {
    let text = Zeroizing::new(without_carets(text));
    let mut words = Words::default();
    let mut is_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                let escaped = chars.next_if(|char| matches!(char, '"' | '\\'));
                words.push(escaped.unwrap_or('\\'));
            }
            '"' if is_quoted && chars.next_if_eq(&'"').is_some() => words.push('"'),
            '"' => {
                is_quoted = !is_quoted;
                words.begin();
            }
            char if char.is_whitespace() && !is_quoted => words.end(),
            char => words.push(char),
        }
    }
    words.end();
    (!is_quoted).then_some(words.done)
}

/// Removes the carets that escape a character or a line end. A line end inside a word is written twice.
fn without_carets(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '^' => plain.extend(chars.next().filter(|escaped| *escaped != '\n')),
            char => plain.push(char),
        }
    }
    plain
}
