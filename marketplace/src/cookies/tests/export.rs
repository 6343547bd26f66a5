//! Exports of cookie extensions and tools: JSON and `cookies.txt`.

use super::*;

#[test]
fn good_exports_are_taken() {
    for domain in [
        ".vinted.fr",
        "www.vinted.fr",
        "vinted.fr",
        "WWW.Vinted.FR",
        "https://www.vinted.fr/",
    ] {
        let brought =
            take_export(&exported(domain), "fr").unwrap_or_else(|error| panic!("{domain}: {error}"));
        assert_eq!(
            brought.cookies.get("refresh_token_web"),
            Some("v-refresh_token_web"),
            "{domain}"
        );
    }
    let wrapped = format!(
        r#"{{"url": "https://www.vinted.fr", "cookies": {}}}"#,
        exported(".vinted.fr")
    );
    take_export(&wrapped, "fr").expect("an object around it");
    take_export(&exported("127.0.0.1"), "practice").expect("the practice site's");
    take_export(&exported("localhost:8080"), "practice").expect("the practice site's");
    // Without domains, the market cannot be checked here; the site checks it.
    let bare = r#"[{"name":"access_token_web","value":"a"},{"name":"refresh_token_web","value":"b"},
        {"name":"_vinted_fr_session","value":"c","domain":null}]"#;
    take_export(bare, "de").expect("without domains");
}

#[test]
fn other_markets_are_refused_and_other_sites_ignored() {
    assert_eq!(
        take_export(&exported(".vinted.de"), "fr"),
        Err(Error::OtherMarket {
            domains: vec!["vinted.de".to_owned()]
        })
    );
    assert_eq!(
        take_export(&exported("www.vinted.co.uk"), "practice"),
        Err(Error::OtherMarket {
            domains: vec!["www.vinted.co.uk".to_owned()]
        })
    );
    // A person who is logged in on two markets imports both; each account takes its own.
    let both = format!(
        "[{},{}]",
        exported(".vinted.de").trim_matches(['[', ']']),
        exported(".vinted.fr")
            .replace("v-", "w-")
            .trim_matches(['[', ']'])
    );
    let brought = take_export(&both, "fr").expect("taken");
    assert_eq!(
        brought.cookies.get("access_token_web"),
        Some("w-access_token_web")
    );
    // A domain with a similar name is neither a market nor the site.
    for domain in ["evilvinted.fr", "vinted.fr.evil.example", "example.org"] {
        assert!(
            matches!(take_export(&exported(domain), "fr"), Err(Error::Missing { .. })),
            "{domain}"
        );
    }
    let with_others =
        exported(".vinted.fr").replacen('[', r#"[{"name":"SID","value":"é","domain":".example.org"},"#, 1);
    let brought = take_export(&with_others, "fr").expect("taken");
    assert_eq!(brought.dropped, ["SID"]);
}

#[test]
fn bad_export_error_shows_no_cookie_value() {
    for text in [
        "",
        "secret",
        "{\"a\": secret",
        "{}",
        "[]",
        "[1]",
        "null",
        r#"[{"name":"access_token_web"}]"#,
        r#"[{"value":"secret"}]"#,
        r#"{"cookies": "secret"}"#,
        r#"[{"name":"access_token_web","value":"secret; Domain=evil","domain":".vinted.fr"}]"#,
        r#"[{"name":"access_token_web","value":"secret\r\nX: 1","domain":".vinted.fr"}]"#,
    ] {
        let error = take_export(text, "fr").expect_err(text);
        assert!(matches!(error, Error::Malformed(_)), "{text}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn odd_cookie_of_an_export_is_dropped_by_name() {
    for (odd, expected) in [
        (r#"{"name": "_ga", "domain": ".vinted.fr"}"#, "_ga"),
        (r#"{"name": "_ga", "value": null}"#, "_ga"),
        (r#"{"name": "_ga", "value": 5}"#, "_ga"),
        (r#"{"name": "_ga", "value": "é"}"#, "_ga"),
        (r#"{"name": "a,b", "value": "1"}"#, "a,b"),
        (r#"{"name": "", "value": "secret"}"#, "(nameless)"),
        (r#"{"value": "secret"}"#, "(nameless)"),
        ("7", "(nameless)"),
    ] {
        let text = exported(".vinted.fr").replacen('[', &format!("[{odd},"), 1);
        let brought = take(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(brought.dropped, [expected], "{text}");
        assert_eq!(brought.cookies.iter().count(), 3, "{text}");
    }
}

#[test]
fn cookies_txt_is_read_with_any_line_end() {
    let untitled = netscape("\n").replace("# Netscape HTTP Cookie File\n", "");
    for text in [
        netscape("\n"),
        netscape("\r\n"),
        netscape("\r"),
        untitled,
        format!("\u{feff}{}", netscape("\r\n")),
    ] {
        let brought = take(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(
            brought.cookies.get("access_token_web"),
            Some("v-access_token_web")
        );
        assert_eq!(
            brought.cookies.get("refresh_token_web"),
            Some("v-refresh_token_web")
        );
        assert_eq!(brought.cookies.get("empty"), Some(""));
        assert_eq!(brought.dropped, ["(nameless)", "SID"]);
    }
    assert_eq!(
        take_export(&netscape("\n"), "de"),
        Err(Error::OtherMarket {
            domains: vec!["vinted.fr".to_owned(), "www.vinted.fr".to_owned()]
        })
    );
    let local = netscape("\n")
        .replace(".vinted.fr", "127.0.0.1")
        .replace("www", "");
    take_export(&local, "practice").expect("the practice site's");
}

#[test]
fn json_of_every_exporter_is_read() {
    let plain = exported(".vinted.fr");
    let raw = ["access_token_web", "refresh_token_web", "_vinted_fr_session"].map(|name| {
        format!(
            r#"{{"Host raw": "https://.vinted.fr/", "Name raw": "{name}", "Path raw": "/", "Content raw": "v-{name}",
                "Expires": "01-01-2027 00:00:00", "Expires raw": "1798758000", "HTTP only raw": "true"}}"#
        )
    });
    for text in [
        format!("\u{feff}{plain}"),
        format!("\r\n{plain}\r\n"),
        format!(
            r#"{{"cookies": {plain}, "origins": [{{"origin": "https://www.vinted.fr", "localStorage": []}}]}}"#
        ),
        format!("[{}]", raw.join(",")),
        plain
            .replace("\"name\"", "\"Name\"")
            .replace("\"value\"", "\"Value\"")
            .replace("\"domain\"", "\"Host\""),
    ] {
        let brought = take(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            brought.cookies.get("refresh_token_web"),
            Some("v-refresh_token_web")
        );
        let other = take_export(&text, "de");
        assert!(matches!(other, Err(Error::OtherMarket { .. })), "{other:?}");
    }
}
