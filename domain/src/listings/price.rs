//! Formats prices for display.

use vintedbot_marketplace::{Language, Money, currencies};

/// Formats a price in a language: `29,00 €` with a no-break space, `€29.00`.
pub fn price_text(price: &Money, language: Language) -> String {
    let symbol = match price.currency.as_str() {
        "EUR" => "€",
        "GBP" => "£",
        "USD" => "$",
        "PLN" => "zł",
        "CZK" => "Kč",
        "HUF" => "Ft",
        "RON" => "lei",
        "SEK" | "DKK" => "kr",
        other => other,
    };
    let sign = if price.minor_units < 0 { "-" } else { "" };
    let decimals = currencies::decimals(&price.currency);
    let of_one = 10_u64.pow(decimals as u32);
    let amount = price.minor_units.unsigned_abs();
    let number = |group: char, point: char| {
        let whole = grouped(amount / of_one, group);
        match decimals {
            0 => whole,
            _ => format!("{whole}{point}{:0decimals$}", amount % of_one),
        }
    };
    match language {
        Language::De => format!("{sign}{}\u{a0}{symbol}", number('.', ',')),
        Language::Fr => format!("{sign}{}\u{a0}{symbol}", number('\u{202f}', ',')),
        Language::En if matches!(symbol, "€" | "£" | "$") => format!("{sign}{symbol}{}", number(',', '.')),
        Language::En => format!("{sign}{}\u{a0}{symbol}", number(',', '.')),
    }
}

fn grouped(number: u64, separator: char) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * separator.len_utf8());
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_use_the_notation_of_the_language() {
        for (minor_units, currency, language, expected) in [
            (2900, "EUR", Language::Fr, "29,00\u{a0}€"),
            (
                123_456_705,
                "EUR",
                Language::Fr,
                "1\u{202f}234\u{202f}567,05\u{a0}€",
            ),
            (2900, "EUR", Language::En, "€29.00"),
            (100_000, "GBP", Language::En, "£1,000.00"),
            (99, "PLN", Language::En, "0.99\u{a0}zł"),
            (-5, "EUR", Language::De, "-0,05\u{a0}€"),
            (1250, "JPY", Language::De, "1.250\u{a0}JPY"),
            (1250, "KWD", Language::En, "1.250\u{a0}KWD"),
        ] {
            let price = Money {
                minor_units,
                currency: currency.to_owned(),
            };
            assert_eq!(price_text(&price, language), expected);
        }
    }
}
