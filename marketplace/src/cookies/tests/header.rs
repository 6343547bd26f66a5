//! The header `Cookie`, alone and among other headers.

use super::*;

#[test]
fn good_headers_are_taken() {
    for text in [
        WHOLE.to_owned(),
        format!("Cookie: {WHOLE}"),
        format!("cookie:{WHOLE};"),
        format!("  {WHOLE} ; ; "),
        WHOLE.replace("; ", ";"),
        // An anonymous visit sets the token empty, before or after the real one.
        format!("access_token_web=; {WHOLE}"),
        format!("{WHOLE}; access_token_web="),
    ] {
        let brought = take(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            brought.cookies.get("access_token_web"),
            Some("eyJhY2Nlc3M.e30.x"),
            "{text}"
        );
        assert_eq!(
            brought.missing_usual,
            ["anon_id", "v_uid", "v_sid", "v_udt", "anonymous-locale"]
        );
    }
    // A value may contain the separator of names and values, and may be given twice.
    let brought = take(&format!("{WHOLE}; anon_id=; anon_id=a=b==; anon_id=a=b==")).expect("taken");
    assert_eq!(brought.cookies.get("anon_id"), Some("a=b=="));
}

#[test]
fn cookies_of_a_bot_check_are_never_taken() {
    let text = format!("datadome=abc; {WHOLE}; cf_clearance=x; __cf_bm=y; DataDome=z; _px3=q; anon_id=1");
    let brought = take(&text).expect("taken");
    let names: Vec<_> = brought.cookies.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "_vinted_fr_session",
            "access_token_web",
            "anon_id",
            "refresh_token_web"
        ]
    );
    assert_eq!(
        brought.dropped,
        ["DataDome", "__cf_bm", "_px3", "cf_clearance", "datadome"]
    );
}

#[test]
fn missing_and_dropped_cookies_are_named() {
    let error = take("access_token_web=; datadome=1; _vinted_fr_session=x").expect_err("refused");
    assert_eq!(
        error,
        Error::Missing {
            missing: vec!["access_token_web".to_owned(), "refresh_token_web".to_owned()],
            dropped: vec!["datadome".to_owned()],
        }
    );
}

#[test]
fn bad_header_error_shows_no_cookie_value() {
    for text in [
        "",
        "   ",
        ";;;",
        "Cookie:",
        "no-equals-sign-secret",
        "access_token_web=secret\r\nX-Injected: 1",
        "access_token_web=secret\u{0}",
        "access_token_web=sécret; refresh_token_web=secret; _vinted_fr_session=secret",
        "a b\u{7f}=secret",
        "=secret",
        "no-equals-sign-secret; =secret",
    ] {
        let error = take(text).expect_err(text);
        assert!(matches!(error, Error::Malformed(_)), "{text:?}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let large = format!("{WHOLE}; x={}", "y".repeat(1_000_000));
    assert_eq!(take(&large), Err(Error::TooLarge { bytes: large.len() }));
}

#[test]
fn odd_cookie_of_a_header_is_dropped_by_name() {
    let long = "y".repeat(40);
    for (odd, expected) in [
        ("wcsid-9f31", "wcsid-9f31"),
        ("=abc", "(nameless)"),
        (long.as_str(), "(nameless)"),
        ("__utmz=1.1|utmccn=Soldes-été-Orléans", "__utmz"),
        ("a,b=1", "a,b"),
        ("préférence=1", "préférence"),
        ("\"quoted\"=1", "\"quoted\""),
        ("two words=1", "two words"),
        ("tab=a\tb", "tab"),
        ("nul=a\u{0}b", "nul"),
        ("bell\u{7}=1", "bell"),
        ("_ga=1; _ga=2", "_ga"),
    ] {
        for text in [format!("{odd}; {WHOLE}"), format!("Cookie: {WHOLE}; {odd};")] {
            let brought = take(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(brought.dropped, [expected], "{text:?}");
            assert_eq!(brought.cookies.iter().count(), 3, "{text:?}");
        }
    }
    // These are not odd.
    let brought = take(&format!(
        "{WHOLE}; list=1,2, 3; quoted=\"a b\"; empty=; anon_id=="
    ))
    .expect("taken");
    assert_eq!(brought.dropped, [""; 0]);
    assert_eq!(brought.cookies.iter().count(), 7);
}

#[test]
fn error_for_missing_cookies_hides_bare_parts() {
    let error = take("secret; =secret; access_token_web=1; é=secret").expect_err("incomplete");
    let Error::Missing { missing, dropped } = error else {
        panic!("another error");
    };
    assert_eq!(missing, ["refresh_token_web", "_vinted_fr_session"]);
    assert_eq!(dropped, ["(nameless)", "é"]);
}

#[test]
fn header_is_found_among_other_headers() {
    let cookie = format!("Cookie: {WHOLE}");
    let lines = [
        "GET / HTTP/1.1",
        "Host: www.vinted.fr",
        cookie.as_str(),
        "Accept: a=b",
    ];
    for line_end in ["\n", "\r\n"] {
        let brought = take(&lines.join(line_end)).expect("taken");
        assert_eq!(brought.cookies.iter().count(), 3);
    }
}

#[test]
fn header_on_the_line_after_its_name_is_read() {
    let lines = [":authority:", "www.vinted.fr", "cookie:", WHOLE, "accept:", "a=b"];
    let brought = take(&lines.join("\n")).expect("taken");
    assert_eq!(brought.cookies.iter().count(), 3);
    assert_eq!(brought.dropped, [""; 0]);
}
