//! The site's markets as data: which host, currency and languages belong together. To add a market, add a `[[market]]`
//! to `data/markets.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// The site of accounts that reach only this machine.
pub const PRACTICE: &str = "practice";

/// One market of the site.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// The host without `www.`, such as `vinted.fr`, or `practice`.
    pub site: String,
    /// The ISO 4217 code.
    pub currency: String,
    /// ISO 639-1 codes, the most common first.
    pub languages: Vec<String>,
    /// The market's own locales, such as `fr-FR`.
    pub locales: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    market: Vec<Market>,
}

static MARKETS: LazyLock<Vec<Market>> = LazyLock::new(|| {
    toml::from_str::<File>(include_str!("../data/markets.toml"))
        .expect("the embedded file is read by a test")
        .market
});

impl Market {
    /// Returns every market, the practice site first.
    pub fn all() -> &'static [Market] {
        &MARKETS
    }

    /// Finds the market of a site (`vinted.fr`, `practice`), of a web host (`www.vinted.fr`) or of a host's ending
    /// (`fr`).
    pub fn find(name: &str) -> Option<&'static Market> {
        let name = name.trim().to_ascii_lowercase();
        let site = name.strip_prefix("www.").unwrap_or(&name);
        MARKETS
            .iter()
            .find(|m| m.site == site || m.site.strip_prefix("vinted.") == Some(site))
    }

    /// Whether this is the practice site.
    pub fn is_practice(&self) -> bool {
        self.site == PRACTICE
    }

    /// Returns the host of its web pages; `None` for the practice site, whose address is a setting.
    pub fn web_host(&self) -> Option<String> {
        (!self.is_practice()).then(|| format!("www.{}", self.site))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_market_is_found_by_ending_site_and_host() {
        for name in ["fr", "vinted.fr", "www.vinted.fr", " FR "] {
            let market = Market::find(name).expect("the French market is known");
            assert_eq!(
                (
                    market.site.as_str(),
                    market.currency.as_str(),
                    market.languages[..].join(" ").as_str()
                ),
                ("vinted.fr", "EUR", "fr en"),
                "{name}"
            );
        }
        assert_eq!(Market::find("co.uk").map(|m| m.currency.as_str()), Some("GBP"));
        assert_eq!(Market::find("com").map(|m| m.currency.as_str()), Some("USD"));
        for name in [
            "",
            "vinted",
            "vinted.",
            "evil-vinted.fr",
            "vinted.fr.evil.com",
            "xx",
        ] {
            assert!(Market::find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_practice_site_has_no_host() {
        let practice = Market::find(PRACTICE).expect("it is in the file");
        assert_eq!(practice.web_host(), None);
        assert_eq!(practice.currency, "EUR");
        assert_eq!(
            Market::find("lt").and_then(Market::web_host).as_deref(),
            Some("www.vinted.lt")
        );
    }

    #[test]
    fn every_market_is_complete_and_unique() {
        let mut sites = HashSet::new();
        for market in Market::all() {
            assert!(sites.insert(&market.site), "{} twice", market.site);
            assert_eq!(market.currency.len(), 3, "{}", market.site);
            assert!(market.languages.iter().any(|l| l == "en"), "{}", market.site);
            assert!(!market.locales.is_empty(), "{}", market.site);
        }
        assert_eq!(sites.len(), 27);
    }
}
