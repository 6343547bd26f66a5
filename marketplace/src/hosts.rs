//! The hosts beside the market's own that vintedbot reaches, as data: `data/hosts.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    photos: Vec<String>,
}

static HOSTS: LazyLock<File> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/hosts.toml")).expect("the embedded file is read by a test")
});

/// Whether the site serves photos from this host.
pub fn has_photos(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    HOSTS.photos.iter().any(|known| {
        host.strip_suffix(known.as_str())
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_hosts_and_their_subdomains_serve_photos() {
        assert!(
            has_photos("images1.vinted.net") && has_photos("IMAGES2.vinted.net") && has_photos("vinted.net")
        );
        for host in [
            "evilvinted.net",
            "vinted.net.example.org",
            "vinted.fr",
            "localhost",
            "",
        ] {
            assert!(!has_photos(host), "{host}");
        }
    }
}
