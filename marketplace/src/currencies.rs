//! The minor units of currencies, as data in `data/currencies.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The decimals of a currency that the file does not list.
const USUAL: usize = 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    decimals: BTreeMap<String, usize>,
}

static DECIMALS: LazyLock<BTreeMap<String, usize>> = LazyLock::new(|| {
    toml::from_str::<File>(include_str!("../data/currencies.toml"))
        .expect("the embedded file is read by a test")
        .decimals
});

/// Returns the number of decimals of a currency by its ISO 4217 code: 2 for EUR, 0 for JPY. Unknown codes have 2.
pub fn decimals(currency: &str) -> usize {
    DECIMALS.get(currency).copied().unwrap_or(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markets::Market;

    #[test]
    fn decimals_follow_iso_4217() {
        for (currency, expected) in [
            ("EUR", 2),
            ("HUF", 2),
            ("CZK", 2),
            ("JPY", 0),
            ("KWD", 3),
            ("XYZ", 2),
        ] {
            assert_eq!(decimals(currency), expected, "{currency}");
        }
        for market in Market::all() {
            assert_eq!(decimals(&market.currency), 2, "{}", market.site);
        }
    }
}
