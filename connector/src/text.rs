//! Texts, prices and times of pages and answers, in a form that can be compared with the approved content.

use jiff::Timestamp;
use serde_json::Value;
use vintedbot_marketplace::Money;

/// Returns the text with every kind of space as one space and every line end as a newline, without space at its ends.
/// The site shows no-break spaces in prices, and browsers turn line ends into `\r\n`.
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

/// Parses a price as a person or the site writes it into minor units: `29,00 €`, `£1,250.00`, `10.0`, `1 250`.
///
/// The last comma or point is the decimal sign if one or two digits follow it. All others separate thousands.
pub(crate) fn minor_units(text: &str) -> Option<i64> {
    let digits: String = text
        .chars()
        .filter(|char| char.is_ascii_digit() || matches!(char, ',' | '.' | '-'))
        .collect();
    let (whole, fraction) = match digits.rfind([',', '.']) {
        Some(at) if (1..=2).contains(&(digits.len() - at - 1)) => (&digits[..at], &digits[at + 1..]),
        _ => (digits.as_str(), ""),
    };
    let whole: String = whole.chars().filter(|char| !matches!(char, ',' | '.')).collect();
    if whole.is_empty() || !fraction.chars().all(|char| char.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let cents: i64 = format!("{fraction:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(cents)
}

/// Formats the amount with its decimals: `29.00` with a point, `29,00` with a comma.
pub(crate) fn decimal(minor_units: i64, sign: char) -> String {
    format!("{}{sign}{:02}", minor_units / 100, minor_units % 100)
}

/// Reads the price of an answer: `{amount, currency_code}`, or a number or text beside a `currency`. A text may name
/// its currency.
pub(crate) fn money(price: &Value, currency_beside: Option<&str>) -> Option<Money> {
    let (amount, currency) = match price {
        Value::Object(fields) => {
            let named = fields.get("currency_code").or_else(|| fields.get("currency"));
            (fields.get("amount")?, named.and_then(Value::as_str))
        }
        Value::String(text) => (price, currency_in(text)),
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

/// Returns the currency that a written price names, by its code or by a sign that stands for one currency only.
fn currency_in(price: &str) -> Option<&str> {
    let sign = price.trim_matches(|char: char| {
        char.is_ascii_digit() || char.is_whitespace() || matches!(char, ',' | '.' | '-')
    });
    match sign {
        "€" => Some("EUR"),
        "£" => Some("GBP"),
        "zł" => Some("PLN"),
        "Kč" => Some("CZK"),
        "Ft" => Some("HUF"),
        code if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => Some(code),
        _ => None,
    }
}

/// Returns the code of an answer's envelope, if it has one. An unreadable code becomes one that no rule knows.
pub(crate) fn code(answer: &Value) -> Option<i64> {
    match &answer["code"] {
        Value::Null => None,
        code => Some(number(code).unwrap_or(i64::MIN)),
    }
}

/// Reads a boolean in any of the forms in which answers give it.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Returns a text; empty if there is none.
pub(crate) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Returns the entries of a list; empty if there is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Reads a time in UTC milliseconds, from text with an offset, or from seconds or milliseconds since 1970.
pub(crate) fn time(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => since_1970(number.as_f64()?),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => since_1970(number),
            Err(_) => written_time(text.trim()),
        },
        _ => None,
    }
}

/// Numbers below this are seconds, others milliseconds. It is the year 5138 in seconds and 1973 in milliseconds, so no
/// time of the site is read in the wrong unit.
const FIRST_MILLIS: f64 = 1e11;
/// The end of the year 9999, in milliseconds.
const LAST_MILLIS: f64 = 253_402_300_799_999.0;

fn since_1970(number: f64) -> Option<i64> {
    let millis = if number < FIRST_MILLIS {
        number * 1_000.0
    } else {
        number
    };
    (millis > 0.0 && millis <= LAST_MILLIS).then_some(millis.round() as i64)
}

fn written_time(text: &str) -> Option<i64> {
    let time: Option<Timestamp> = text.parse().ok();
    let time = time.or_else(|| Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", text).ok());
    time.map(Timestamp::as_millisecond)
}

/// Reads an id that an answer gives as a number or as text.
pub(crate) fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// Reads an id that an answer gives as a number or as text, and returns it as a number.
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
    fn money_is_parsed_from_every_known_shape() {
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
        for text in ["10,50 €", "EUR 10.50", "10.50 EUR"] {
            assert_eq!(money(&json!(text), Some("GBP")), expected, "{text}");
        }
        assert_eq!(money(&json!("10.50"), None), None);
    }

    #[test]
    fn unreadable_code_is_never_a_success() {
        for (answer, expected) in [
            (json!({"code": 0}), Some(0)),
            (json!({"code": "0"}), Some(0)),
            (json!({"code": "105"}), Some(105)),
            (json!({"code": null}), None),
            (json!({}), None),
            (json!([]), None),
        ] {
            assert_eq!(code(&answer), expected, "{answer}");
        }
        for odd in [
            json!("ok"),
            json!(1.5),
            json!([]),
            json!({"code": 0}),
            json!(true),
            json!(""),
        ] {
            assert_ne!(code(&json!({"code": odd})).unwrap_or(0), 0, "{odd}");
        }
    }

    #[test]
    fn times_are_read_with_an_offset_and_as_numbers() {
        for (value, expected) in [
            (json!("2026-03-04T12:30:00+01:00"), Some(1_772_623_800_000)),
            (json!("2026-03-04T11:30:00.250Z"), Some(1_772_623_800_250)),
            (json!("2026-03-04 12:30:00 +0100"), Some(1_772_623_800_000)),
            (json!(1_772_623_800), Some(1_772_623_800_000)),
            (json!(1_772_623_800_250_i64), Some(1_772_623_800_250)),
            (json!("1772623800"), Some(1_772_623_800_000)),
            (json!(1_772_623_800.25), Some(1_772_623_800_250)),
            (json!("2026-03-04T12:30:00"), None),
            (json!("yesterday"), None),
            (json!("NaN"), None),
            (json!(-5), None),
            (json!(1e300), None),
            (json!(null), None),
            (json!({"at": 1}), None),
        ] {
            assert_eq!(time(&value), expected, "{value}");
        }
    }
}
