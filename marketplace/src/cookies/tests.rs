use super::*;

const WHOLE: &str =
    "access_token_web=eyJhY2Nlc3M.e30.x; refresh_token_web=eyJyZWZyZXNo.e30.x; _vinted_fr_session=abc";

fn market(name: &str) -> &'static Market {
    Market::find(name).expect("a market")
}

fn take(header: &str) -> Result<Brought, Error> {
    Rules::embedded().take(&Source::Header(header), market("fr"))
}

fn take_export(json: &str, site: &str) -> Result<Brought, Error> {
    Rules::embedded().take(&Source::Export(json), market(site))
}

/// A complete set of cookies of a domain, as an extension exports them, with extra fields.
fn exported(domain: &str) -> String {
    let each = |name: &str| {
        format!(
            r#"{{"domain":"{domain}","expirationDate":1795000000.5,"hostOnly":false,"httpOnly":true,"name":"{name}",
                "path":"/","sameSite":"lax","secure":true,"session":false,"storeId":"0","value":"v-{name}","id":1}}"#
        )
    };
    let all: Vec<_> = ["access_token_web", "refresh_token_web", "_vinted_fr_session"]
        .map(each)
        .into();
    format!("[{}]", all.join(","))
}

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
        "=secret; access_token_web=1",
    ] {
        let error = take(text).expect_err(text);
        assert!(matches!(error, Error::Malformed(_)), "{text:?}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let large = format!("{WHOLE}; x={}", "y".repeat(1_000_000));
    assert_eq!(take(&large), Err(Error::TooLarge { bytes: large.len() }));
}

#[test]
fn cookie_with_two_values_is_refused_by_name() {
    let refused = |result: Result<Brought, Error>| match result {
        Err(Error::Malformed(text)) => text,
        other => panic!("{other:?}"),
    };
    let text = refused(take(&format!("{WHOLE}; access_token_web=secret")));
    assert!(
        text.contains("\"access_token_web\"") && !text.contains("secret"),
        "{text}"
    );
    let with = |rest: &str| exported(".vinted.fr").replacen('[', &format!("[{rest},"), 1);
    let other = r#"{"name": "refresh_token_web", "value": "other", "domain": ".vinted.fr"}"#;
    let text = refused(take_export(&with(other), "fr"));
    assert!(text.contains("\"refresh_token_web\""), "{text}");
    let elsewhere =
        r#"{"name": "refresh_token_web", "value": "other", "domain": ".vinted.fr", "path": "/web"}"#;
    take_export(&with(elsewhere), "fr").expect("that is another cookie");
    let check = "datadome=a; datadome=b";
    take(&format!("{WHOLE}; {check}")).expect("what is dropped does not matter");
}

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
