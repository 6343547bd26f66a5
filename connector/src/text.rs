//! Texts, prices and times of pages and answers, in a form that can be compared with the approved content.

use jiff::Timestamp;
use serde_json::Value;
pub(crate) use vintedbot_marketplace::currencies::decimal;
pub(crate) use vintedbot_marketplace::text::{cleaned, cleaned_name, comparable};
use vintedbot_marketplace::{Money, currencies};

/// Parses a price as a person or the site writes it into the currency's minor units: `29,00 €`, `£1,250.00`, `10.0`,
/// `1 250`, `12,50 kr.`. A currency that is not known counts as one with two decimals.
///
/// Only what stands between the first and the last digit is the amount. There, a comma or a point is the decimal sign
/// or, like a space or an apostrophe, separates groups of three digits. Where both are possible, as in `1.250`, the
/// digits are a group, unless the currency has three decimals. Returns `None` for other texts, such as one with two
/// numbers, and for fractions of a minor unit.
pub(crate) fn minor_units(text: &str, currency: Option<&str>) -> Option<i64> {
    let decimals = currencies::decimals(currency.unwrap_or_default());
    let (before, number, _) = around_number(text)?;
    // In `.50` and `-,50`, the digits are decimals. In `kr.50`, the point ends an abbreviation.
    let abbreviation = before.trim_end_matches([',', '.']);
    if abbreviation.len() < before.len() && !abbreviation.ends_with(char::is_alphabetic) {
        return None;
    }
    let (whole, fraction) = whole_and_fraction(number, decimals)?;
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return None;
    }
    let minor_units: i64 = format!("{whole}{fraction:0<decimals$}").parse().ok()?;
    Some(if is_negative(before) {
        -minor_units
    } else {
        minor_units
    })
}

/// Splits a written price at its first and after its last digit.
fn around_number(price: &str) -> Option<(&str, &str, &str)> {
    let start = price.find(char::is_numeric)?;
    let last = price.rfind(char::is_numeric)?;
    let end = last + price[last..].chars().next()?.len_utf8();
    Some((&price[..start], &price[start..end], &price[end..]))
}

/// Whether a minus sign is before the number. A hyphen after a letter, as in `US-$`, is not a minus sign.
fn is_negative(before: &str) -> bool {
    let mut previous = ' ';
    before.chars().any(|char| {
        let is_minus = matches!(char, '-' | '\u{2212}') && !previous.is_alphabetic();
        previous = char;
        is_minus
    })
}

/// Returns the digits before and after the decimal sign of a number that begins and ends with a digit.
fn whole_and_fraction(number: &str, decimals: usize) -> Option<(String, &str)> {
    let digits: Vec<&str> = number.split(|char: char| !char.is_ascii_digit()).collect();
    let separators: Vec<char> = number
        .chars()
        .filter(|char| !char.is_ascii_digit())
        .map(separator)
        .collect::<Option<_>>()?;
    let (groups, fraction) = match separators.split_last() {
        Some((sign, others)) if matches!(sign, ',' | '.') => {
            let is_decimal = match others {
                [] => decimals == 3 || !are_groups(&digits, &separators),
                others => !others.contains(sign),
            };
            let (fraction, whole) = digits.split_last()?;
            if is_decimal {
                (whole, *fraction)
            } else {
                (&digits[..], "")
            }
        }
        _ => (&digits[..], ""),
    };
    are_groups(groups, &separators[..groups.len() - 1]).then(|| (groups.concat(), fraction))
}

/// Returns one character for all kinds of a separator.
fn separator(char: char) -> Option<char> {
    match char {
        ',' | '.' => Some(char),
        '\'' | '\u{2019}' | '\u{2bc}' => Some('\''),
        _ if char.is_whitespace() => Some(' '),
        _ => None,
    }
}

/// Whether these are digits without a separator, or groups of three with one kind of separator.
fn are_groups(digits: &[&str], separators: &[char]) -> bool {
    let [first, others @ ..] = digits else {
        return false;
    };
    others.is_empty()
        || (1..=3).contains(&first.len())
            && !first.starts_with('0')
            && others.iter().all(|group| group.len() == 3)
            && separators.iter().all(|separator| *separator == separators[0])
}

/// Reads the price of an answer: `{amount, currency_code}`, or a number or text beside a `currency`. A text may name
/// its currency.
pub(crate) fn money(price: &Value, currency_beside: Option<&str>) -> Option<Money> {
    let (amount, named) = match price {
        Value::Object(fields) => {
            let named = fields.get("currency_code").or_else(|| fields.get("currency"));
            (fields.get("amount")?, named.and_then(Value::as_str))
        }
        other => (other, None),
    };
    let written = || amount.as_str().and_then(currency_in);
    let currency = named.or_else(written).or(currency_beside)?;
    let minor_units = match amount {
        Value::String(text) => minor_units(text, Some(currency))?,
        Value::Number(number) => {
            let of_one = 10_f64.powi(currencies::decimals(currency) as i32);
            (number.as_f64()? * of_one).round() as i64
        }
        _ => return None,
    };
    Some(Money {
        minor_units,
        currency: currency.to_owned(),
    })
}

/// Returns the currency that a written price names, by its code or by a sign that stands for one currency only.
fn currency_in(price: &str) -> Option<&str> {
    let is_beside = |char: char| {
        char.is_whitespace() || matches!(char, ',' | '.' | '-' | '\u{2212}' | '\u{2013}' | '\u{2014}')
    };
    let (before, _, after) = around_number(price)?;
    let sign = match (before.trim_matches(is_beside), after.trim_matches(is_beside)) {
        ("", sign) | (sign, "") => sign,
        _ => return None,
    };
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

/// Returns the code of an answer's envelope, if it has one. An unreadable code becomes a code without a rule.
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

/// Returns the text in the common form. Empty if the field is absent.
pub(crate) fn string(value: &Value) -> String {
    cleaned(value.as_str().unwrap_or_default())
}

/// Returns the title or the name in the common form. Empty if the field is absent.
pub(crate) fn name(value: &Value) -> String {
    cleaned_name(value.as_str().unwrap_or_default())
}

/// Returns the entries of the list. Empty if the list is absent.
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
    use vintedbot_marketplace::markets::Market;

    use super::*;

    #[test]
    fn texts_of_answers_get_the_common_form() {
        let value = json!("\u{feff}e\u{301}te\u{301}\r\nou\thiver\u{200f} ");
        assert_eq!(string(&value), "été\nou hiver\u{200f} ");
        assert_eq!(name(&value), "été ou hiver");
        assert_eq!(
            (string(&json!(null)), name(&json!(7))),
            (String::new(), String::new())
        );
    }

    #[test]
    fn prices_read_the_same_in_every_notation() {
        for (text, expected) in [
            ("29,00\u{a0}€", Some(2900)),
            ("£1,250.00", Some(125_000)),
            ("1\u{202f}250,5 €", Some(125_050)),
            ("10.0", Some(1000)),
            ("1.250", Some(125_000)),
            ("1.250,-", Some(125_000)),
            ("€ 1.250", Some(125_000)),
            ("£0.99", Some(99)),
            ("12,5", Some(1_250)),
            ("1,250", Some(125_000)),
            ("1250.000", Some(125_000)),
            ("0.050", Some(5)),
            ("1.250.000", Some(125_000_000)),
            ("1,250.5", Some(125_050)),
            ("1.250,5", Some(125_050)),
            ("CHF 1'250.00", Some(125_000)),
            ("CHF 1\u{2019}250.\u{2013}", Some(125_000)),
            ("30000", Some(3_000_000)),
            ("-0,05 €", Some(-5)),
            ("\u{2212}1\u{a0}250,00 kr", Some(-125_000)),
            ("US-$ 12.50", Some(1250)),
            ("29.0000000", Some(2900)),
        ] {
            assert_eq!(minor_units(text, Some("EUR")), expected, "{text:?}");
            assert_eq!(minor_units(text, None), expected, "{text:?}");
        }
    }

    #[test]
    fn punctuation_outside_the_digits_is_no_amount() {
        for text in [
            "12,50 kr.",
            "12,50\u{a0}kr.",
            "kr. 12,50",
            "kr.12,50",
            "12,50 kr..",
            "12,50 €.",
            "12,50, €",
            "(12,50 €)",
            "12.50 p.p.",
            "ca. 12,50 €",
        ] {
            assert_eq!(minor_units(text, Some("DKK")), Some(1250), "{text:?}");
        }
        for text in [
            "12,- kr.",
            "12.- CHF",
            "12.\u{2013}",
            "£12",
            "Rs 12",
            "Rs.12",
            "kr. 12",
            "12 kr.",
            "12. kr.",
        ] {
            assert_eq!(minor_units(text, Some("DKK")), Some(1200), "{text:?}");
        }
    }

    #[test]
    fn unclear_amounts_are_not_read() {
        for text in [
            "",
            "€",
            "kr.",
            "Rs",
            ".50",
            "\u{661}\u{662}\u{66b}\u{665}\u{660}",
            "-,50 €",
            "12,505,5",
            "1.25.000",
            "12 50",
            "1 2500",
            "1,,250",
            "1.250 000",
            "12,50 € - 20,00 €",
            "2 x 12,50 €",
            "12€50",
            "1e3",
            "½",
            "1,234.567",
            "0.0005",
            "99999999999999999999",
        ] {
            assert_eq!(minor_units(text, Some("EUR")), None, "{text:?}");
        }
    }

    #[test]
    fn decimals_of_an_amount_are_those_of_its_currency() {
        for (text, currency, expected) in [
            ("¥1,250", "JPY", Some(1_250)),
            ("1250.0", "JPY", Some(1_250)),
            ("12.50", "JPY", None),
            ("KWD 1.250", "KWD", Some(1_250)),
            ("KWD 1.5", "KWD", Some(1_500)),
            ("KWD 1,250.500", "KWD", Some(1_250_500)),
            ("1 250 Ft", "HUF", Some(125_000)),
            ("1 250,5 Kč", "CZK", Some(125_050)),
        ] {
            assert_eq!(minor_units(text, Some(currency)), expected, "{text:?}");
        }
        let yen = money(&json!({"amount": 1250, "currency_code": "JPY"}), None);
        assert_eq!(yen.map(|money| money.minor_units), Some(1_250));
    }

    /// `scripts/price-forms` makes the data.
    #[test]
    fn formatted_prices_of_every_market_are_read() {
        let data = include_str!("../tests/data/prices.tsv");
        let (notes, lines): (Vec<&str>, Vec<&str>) = data.lines().partition(|line| line.starts_with('#'));
        for market in Market::all() {
            let is_covered = |locale: &String| notes.iter().any(|note| note.contains(locale.as_str()));
            assert!(market.locales.iter().all(is_covered), "{}", market.site);
        }
        let mut count = 0;
        for line in lines {
            let mut fields = line.split('\t');
            let currency = fields.next().expect("a currency");
            let minor_units: i64 = fields.next().expect("an amount").parse().expect("a number");
            let expected = Some(Money {
                minor_units,
                currency: currency.to_owned(),
            });
            for text in fields {
                assert_eq!(money(&json!(text), Some(currency)), expected, "{text:?}");
                count += 1;
            }
        }
        assert!(count > 1_500, "{count}");
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
        for text in ["10,50 €", "EUR 10.50", "10.50 EUR", "10,50 €.", "EUR. 10.50"] {
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
