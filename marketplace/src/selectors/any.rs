//! Widens a selector for one id to any id, to check whether a page has such elements at all.

/// Returns the CSS with every comparison that contains a placeholder reduced to the text around it.
pub(super) fn widened(css: &str) -> String {
    let mut wide = String::new();
    let mut rest = css;
    while let Some(at) = rest.find(['#', '[']) {
        wide.push_str(&rest[..at]);
        rest = &rest[at..];
        let part = if rest.starts_with('[') {
            rest.find(']').map_or(rest.len(), |end| end + 1)
        } else {
            rest[1..]
                .find(|c: char| !(c.is_alphanumeric() || "-_{}".contains(c)))
                .map_or(rest.len(), |end| end + 1)
        };
        wide.push_str(&widened_part(&rest[..part]));
        rest = &rest[part..];
    }
    wide.push_str(rest);
    wide
}

/// Widens `#name` or `[name='value']`.
fn widened_part(part: &str) -> String {
    let Some((before, after)) = part.split_once("{id}").or_else(|| part.split_once("{n}")) else {
        return part.to_owned();
    };
    if let Some(before) = before.strip_prefix('#') {
        return around("id", "=", before, after);
    }
    let after = after.trim_end_matches(']').trim_end_matches(['\'', '"']);
    let Some((name, before)) = before.trim_start_matches('[').split_once('=') else {
        return part.to_owned();
    };
    let before = before.trim_start_matches(['\'', '"']);
    match name.strip_suffix(['^', '$', '*']) {
        Some(bare) => around(bare, &name[bare.len()..], before, after),
        None => around(name, "=", before, after),
    }
}

/// Returns the comparison for a value with fixed ends and anything between them.
fn around(name: &str, comparison: &str, before: &str, after: &str) -> String {
    let (begins, ends) = match comparison {
        "=" => ("^=", "$="),
        "^" => ("^=", "*="),
        "$" => ("*=", "$="),
        _ => ("*=", "*="),
    };
    let compare = |how: &str, text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!("[{name}{how}'{text}']")
        }
    };
    match (before, after) {
        ("", "") => format!("[{name}]"),
        _ => compare(begins, before) + &compare(ends, after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_around_the_placeholder_is_compared() {
        for (css, wide) in [
            ("#title", "#title"),
            ("#catalog-{id}", "[id^='catalog-']"),
            ("#catalog-{id}.chevron", "[id^='catalog-'].chevron"),
            (
                "[data-testid='image-wrapper-{n}']",
                "[data-testid^='image-wrapper-']",
            ),
            (
                "[data-testid='{id}-package-size']",
                "[data-testid$='-package-size']",
            ),
            (
                "[data-testid='item-{id}--status']",
                "[data-testid^='item-'][data-testid$='--status']",
            ),
            (
                "[id^='group-'][id$='-option-{id}']",
                "[id^='group-'][id*='-option-']",
            ),
            ("li[data-id='{id}'] span", "li[data-id] span"),
        ] {
            assert_eq!(widened(css), wide);
        }
    }
}
