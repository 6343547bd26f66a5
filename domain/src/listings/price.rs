//! Formats prices for display.

use vintedbot_marketplace::{Language, Money};

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
    let (whole, cents) = (
        price.minor_units.unsigned_abs() / 100,
        price.minor_units.unsigned_abs() % 100,
    );
    match language {
        Language::De => format!("{sign}{},{cents:02}\u{a0}{symbol}", grouped(whole, '.')),
        Language::Fr => format!("{sign}{},{cents:02}\u{a0}{symbol}", grouped(whole, '\u{202f}')),
        Language::En if matches!(symbol, "€" | "£" | "$") => {
            format!("{sign}{symbol}{}.{cents:02}", grouped(whole, ','))
        }
        Language::En => format!("{sign}{}.{cents:02}\u{a0}{symbol}", grouped(whole, ',')),
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
        ] {
            let price = Money {
                minor_units,
                currency: currency.to_owned(),
            };
            assert_eq!(price_text(&price, language), expected);
        }
    }
}
