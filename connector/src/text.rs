//! What a page or an answer says, in a form that can be compared with what was approved.

use serde_json::Value;
use vintedbot_marketplace::Money;

/// The same text with every kind of space as one space and every line end as a newline, without space at its ends.
/// The site shows no-break spaces in prices and browsers turn line ends into `\r\n` on the way.
pub(crate) fn normalised(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        let spaced: String = line
            .chars()
            .map(|char| if char.is_whitespace() { ' ' } else { char })
            .collect();
        lines.push(spaced.trim_end().to_owned());
    }
    lines.join("\n").trim().to_owned()
}

/// The minor units in a price as a person or the site writes it: `29,00 €`, `£1,250.00`, `10.0`, `1 250`.
///
/// The last comma or point is the decimal sign when one or two digits follow it; all others part thousands.
pub(crate) fn minor_units(text: &str) -> Option<i64> {
    let kept: String = text
        .chars()
        .filter(|char| char.is_ascii_digit() || matches!(char, ',' | '.' | '-'))
        .collect();
    let (whole, fraction) = match kept.rfind([',', '.']) {
        Some(at) if (1..=2).contains(&(kept.len() - at - 1)) => (&kept[..at], &kept[at + 1..]),
        _ => (kept.as_str(), ""),
    };
    let whole: String = whole.chars().filter(|char| !matches!(char, ',' | '.')).collect();
    if whole.is_empty() || !fraction.chars().all(|char| char.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let cents: i64 = format!("{fraction:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(cents)
}

/// The amount with its decimals, `29.00` with a point, `29,00` with a comma.
pub(crate) fn decimal(minor_units: i64, sign: char) -> String {
    format!("{}{sign}{:02}", minor_units / 100, minor_units % 100)
}

/// The price in an answer: `{amount, currency_code}`, or a number or text beside a `currency`.
pub(crate) fn money(price: &Value, currency_beside: Option<&str>) -> Option<Money> {
    let (amount, currency) = match price {
        Value::Object(fields) => (
            fields.get("amount")?,
            fields.get("currency_code").and_then(Value::as_str),
        ),
        other => (other, None),
    };
    let minor_units = match amount {
        Value::String(text) => minor_units(text)?,
        Value::Number(number) => (number.as_f64()? * 100.0).round() as i64,
        _ => return None,
    };
    Some(Money {
        minor_units,
        currency: currency.or(currency_beside)?.to_owned(),
    })
}

/// An id that an answer gives as a number or as text.
pub(crate) fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// An id that an answer gives as a number or as text, as a number.
pub(crate) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spaces_and_line_ends_compare_equal() {
        assert_eq!(normalised("29,00\u{a0}€"), normalised("29,00\u{202f}€ "));
        assert_eq!(normalised("one\r\ntwo\n"), "one\ntwo");
        assert_ne!(normalised("one\ntwo"), normalised("one two"));
    }

    #[test]
    fn prices_read_the_same_in_every_notation() {
        for (text, expected) in [
            ("29,00\u{a0}€", Some(2900)),
            ("£1,250.00", Some(125_000)),
            ("1\u{202f}250,5 €", Some(125_050)),
            ("10.0", Some(1000)),
            ("1.250", Some(125_000)),
            ("30000", Some(3_000_000)),
            ("", None),
            ("€", None),
        ] {
            assert_eq!(minor_units(text), expected, "{text:?}");
        }
        assert_eq!(decimal(2905, ','), "29,05");
    }

    #[test]
    fn money_is_read_from_every_shape_seen() {
        let expected = Some(Money {
            minor_units: 1050,
            currency: "EUR".to_owned(),
        });
        assert_eq!(
            money(&json!({"amount": "10.5", "currency_code": "EUR"}), None),
            expected
        );
        assert_eq!(money(&json!("10.50"), Some("EUR")), expected);
        assert_eq!(money(&json!(10.5), Some("EUR")), expected);
        assert_eq!(money(&json!("10.50"), None), None);
    }
}
