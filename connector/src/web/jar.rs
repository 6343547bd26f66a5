//! Sends a session's cookies to the session's own site only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::cookie::CookieStore;
use reqwest::header::HeaderValue;
use url::{Origin, Url};
use vintedbot_marketplace::Cookies;
use vintedbot_marketplace::cookies::Rules;

/// The cookies of one origin, by name only. The site sets a cookie sometimes for its host and sometimes for its whole
/// domain, and a browser that held both would send both.
pub(crate) struct OwnJar {
    origin: Origin,
    cookies: Mutex<Cookies>,
}

impl OwnJar {
    pub(crate) fn new(base: &Url, cookies: Cookies) -> Self {
        Self {
            origin: base.origin(),
            cookies: Mutex::new(cookies),
        }
    }

    /// Returns the cookies to store: all except the cookies that a bot check gave to this client.
    pub(crate) fn lasting(&self) -> Cookies {
        let rules = Rules::embedded();
        let cookies = self.cookies();
        let lasting = cookies.iter().filter(|(name, _)| !rules.is_of_bot_check(name));
        Cookies(
            lasting
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.cookies().get(name).map(str::to_owned)
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        self.cookies().0.insert(name.to_owned(), value.to_owned());
    }

    fn cookies(&self) -> MutexGuard<'_, Cookies> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CookieStore for OwnJar {
    fn set_cookies(&self, lines: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        if url.origin() != self.origin {
            return;
        }
        for line in lines.filter_map(|line| line.to_str().ok()) {
            let mut parts = line.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            let ends_now = parts.any(|part| {
                let part = part.trim().to_ascii_lowercase();
                part == "max-age=0" || part.starts_with("max-age=-")
            });
            let is_needed = Rules::embedded().needed.iter().any(|needed| needed == name);
            if ends_now && !is_needed {
                self.cookies().0.remove(name);
            } else if !value.is_empty() {
                // The site sends an empty token before a real one (as seen 2026, confidence A), and with a 401. The
                // current token stays until the site refuses it.
                self.set(name, value);
            }
        }
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        if url.origin() != self.origin {
            return None;
        }
        let cookies = self.cookies();
        let pairs: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            return None;
        }
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar() -> OwnJar {
        let cookies = [("access_token_web", "one"), ("anon_id", "two")];
        let cookies = cookies.map(|(name, value)| (name.to_owned(), value.to_owned()));
        OwnJar::new(&address("https://www.vinted.fr"), Cookies(cookies.into()))
    }

    fn address(text: &str) -> Url {
        text.parse().expect("an address")
    }

    fn set(jar: &OwnJar, url: &str, line: &str) {
        let line = HeaderValue::from_str(line).expect("a header");
        jar.set_cookies(&mut std::iter::once(&line), &address(url));
    }

    #[test]
    fn cookies_are_sent_only_to_their_site() {
        let jar = jar();
        let sent = CookieStore::cookies(&jar, &address("https://www.vinted.fr/api/v2/users/current"));
        assert_eq!(
            sent,
            Some(HeaderValue::from_static("access_token_web=one; anon_id=two"))
        );
        assert!(sent.is_some_and(|header| header.is_sensitive()));
        for url in [
            "http://www.vinted.fr/",
            "https://www.vinted.de/",
            "https://vinted.fr/",
            "https://www.vinted.fr:8443/",
            "https://www.vinted.fr.example.org/",
        ] {
            assert_eq!(CookieStore::cookies(&jar, &address(url)), None, "{url}");
            set(&jar, url, "anon_id=stolen");
        }
        assert_eq!(jar.get("anon_id").as_deref(), Some("two"));
    }

    #[test]
    fn last_non_empty_token_wins() {
        let (jar, site) = (jar(), "https://www.vinted.fr/");
        set(&jar, site, "access_token_web=; Path=/; Max-Age=0");
        assert_eq!(jar.get("access_token_web").as_deref(), Some("one"));
        set(
            &jar,
            site,
            "access_token_web=new; Domain=.vinted.fr; Path=/; HttpOnly",
        );
        assert_eq!(jar.get("access_token_web").as_deref(), Some("new"));
        set(&jar, site, "anon_id=x; Max-Age=0");
        assert_eq!(jar.get("anon_id"), None);
    }

    #[test]
    fn bot_check_cookie_is_sent_but_not_stored() {
        let (jar, site) = (jar(), "https://www.vinted.fr/");
        set(&jar, site, "datadome=abc; Path=/");
        let sent = CookieStore::cookies(&jar, &address(site)).expect("cookies");
        assert!(sent.to_str().expect("ASCII").contains("datadome=abc"));
        assert_eq!(jar.lasting().get("datadome"), None);
        assert_eq!(jar.lasting().get("anon_id"), Some("two"));
    }
}
