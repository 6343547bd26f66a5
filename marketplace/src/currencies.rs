//! The minor units of currencies, as data in `data/currencies.toml`, and the notation of amounts.

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

/// Formats an amount with its currency's decimals: `29.00` with a point, `29,00` with a comma.
pub fn decimal(minor_units: i64, currency: &str, sign: char) -> String {
    let decimals = decimals(currency);
    let minus = if minor_units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", minor_units.unsigned_abs(), width = decimals + 1);
    match digits.split_at(digits.len() - decimals) {
        (whole, "") => format!("{minus}{whole}"),
        (whole, fraction) => format!("{minus}{whole}{sign}{fraction}"),
    }
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

    #[test]
    fn amount_has_the_decimals_of_its_currency() {
        for (minor_units, currency, expected) in [
            (2905, "EUR", "29,05"),
            (5, "EUR", "0,05"),
            (-5, "EUR", "-0,05"),
            (0, "EUR", "0,00"),
            (1_250, "JPY", "1250"),
            (50, "KWD", "0,050"),
        ] {
            assert_eq!(decimal(minor_units, currency, ','), expected);
        }
        assert_eq!(decimal(2905, "EUR", '.'), "29.05");
    }
}
