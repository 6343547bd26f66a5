use super::*;

const WHOLE: &str =
    "access_token_web=eyJhY2Nlc3M.e30.x; refresh_token_web=eyJyZWZyZXNo.e30.x; _vinted_fr_session=abc";

fn market(name: &str) -> &'static Market {
    Market::find(name).expect("a market")
}

fn take(text: &str) -> Result<Brought, Error> {
    take_export(text, "fr")
}

fn take_export(text: &str, site: &str) -> Result<Brought, Error> {
    Rules::embedded().take(text, market(site))
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
    take(&format!("{WHOLE}; {check}")).expect("dropped cookies may have two values");
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
fn malformed_needed_cookie_is_refused_by_name() {
    for text in [
        WHOLE.replace("refresh_token_web=eyJ", "refresh_token_web=sécret"),
        WHOLE.replace("refresh_token_web=eyJ", "refresh_token_web=\tsecret\u{1}"),
        WHOLE.replace("refresh_token_web=eyJyZWZyZXNo.e30.x", "refresh_token_web"),
        exported(".vinted.fr").replace("v-refresh_token_web", "secret\u{e9}"),
        exported(".vinted.fr").replace("\"v-refresh_token_web\"", "null"),
        netscape("\n").replace("v-refresh_token_web", "secret\u{1}"),
    ] {
        let error = take(&text).expect_err(&text).to_string();
        assert!(error.contains("\"refresh_token_web\""), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
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

/// A complete set of cookies as `cookies.txt`, with an odd line.
fn netscape(line_end: &str) -> String {
    let lines = [
        "# Netscape HTTP Cookie File",
        "# https://curl.se/docs/http-cookies.html",
        "",
        "#HttpOnly_.vinted.fr\tTRUE\t/\tTRUE\t1900000000\taccess_token_web\tv-access_token_web",
        "#HttpOnly_www.vinted.fr\tFALSE\t/\tTRUE\t1900000000\trefresh_token_web\tv-refresh_token_web",
        ".vinted.fr\tTRUE\t/\tFALSE\t0\t_vinted_fr_session\tv-_vinted_fr_session",
        ".vinted.fr\tTRUE\t/\tFALSE\t0\t\tnameless",
        ".vinted.fr\tTRUE\t/\tFALSE\t0\tempty",
        ".example.org\tTRUE\t/\tFALSE\t0\tSID\té",
        "",
    ];
    lines.join(line_end)
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

#[test]
fn table_of_the_developer_tools_is_read() {
    let row = |name: &str, value: &str, domain: &str| {
        format!("{name}\t{value}\t{domain}\t/\t2027-01-01T00:00:00.000Z\t1234\t✓\t✓\tLax\t\tMedium\t")
    };
    let rows = [
        "Name\tValue\tDomain\tPath\tExpires / Max-Age\tSize\tHttpOnly".to_owned(),
        row("access_token_web", "v-access==", ".vinted.fr"),
        row("refresh_token_web", "v-refresh", ".www.vinted.fr"),
        row("_vinted_fr_session", "v-session", "www.vinted.fr"),
        row("datadome", "secret", ".vinted.fr"),
        row("SID", "secret", ".example.org"),
        row("anon_id", "", ".vinted.fr"),
    ];
    for text in [rows.join("\n"), rows.join("\r\n"), rows[1..].join("\n")] {
        let brought = take(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(brought.cookies.get("access_token_web"), Some("v-access=="));
        assert_eq!(brought.cookies.get("refresh_token_web"), Some("v-refresh"));
        assert_eq!(brought.dropped, ["SID", "datadome"]);
        assert!(matches!(take_export(&text, "de"), Err(Error::OtherMarket { .. })));
    }
    let error = take(&rows[1]).expect_err("incomplete").to_string();
    assert!(!error.contains("v-access"), "{error}");
}

#[test]
fn fetch_call_for_node_is_read() {
    let call = |start: &str, url: &str| {
        let headers = format!(r#"{{"accept": "*/*", "cookie": "{WHOLE}; q=\"1\""}}"#);
        format!("{start}(\"{url}\", {{\n  \"headers\": {headers},\n  \"body\": null\n}});")
    };
    for start in ["fetch", "await fetch"] {
        let brought = take(&call(start, "https://www.vinted.fr/?a=1")).expect("taken");
        assert_eq!(brought.cookies.iter().count(), 4);
        assert_eq!(brought.cookies.get("q"), Some("\"1\""));
    }
    let expected = Error::OtherMarket {
        domains: vec!["vinted.de".to_owned()],
    };
    assert_eq!(take(&call("fetch", "https://www.vinted.de/")), Err(expected));
    let cut = call("fetch", "https://www.vinted.fr/").replace("});", "");
    let error = take(&cut).expect_err("cut off").to_string();
    assert!(!error.contains("eyJ"), "{error}");
}

/// The cookies of the commands below.
const CURL_COOKIES: [(&str, &str); 4] = [
    ("_vinted_fr_session", "abc%2Bd"),
    ("access_token_web", "eyJ.a-b_c.x"),
    ("anon_id", r#"it's!"100%25"^\x&$z"#),
    ("refresh_token_web", "eyJ.r.y=="),
];

#[test]
fn curl_commands_of_every_shell_are_read() {
    let bash = r#"curl 'https://www.vinted.fr/?a=1&b=2' \
  -H 'accept: */*' \
  -b $'access_token_web=eyJ.a-b_c.x; refresh_token_web=eyJ.r.y==; _vinted_fr_session=abc%2Bd; anon_id=it\'s\u0021"100%25"^\\x&$z' \
  --compressed"#;
    let cmd = r#"curl ^"https://www.vinted.fr/?a=1^&b=2^" ^
  -H ^"accept: */*^" ^
  -b ^"access_token_web=eyJ.a-b_c.x; refresh_token_web=eyJ.r.y==; _vinted_fr_session=abc^%^2Bd; anon_id=it's^!^\^"100^%^25^\^"^^^\^\x^&^$z^" ^
  --compressed"#;
    let older_cmd = r#"curl "https://www.vinted.fr/?a=1^&b=2" ^
  -H "accept: */*" ^
  -b "access_token_web=eyJ.a-b_c.x; refresh_token_web=eyJ.r.y==; _vinted_fr_session=abc^%^2Bd; anon_id=it's^!^\^"100^%^25^\^"^^^\^\x^&^$z" ^
  --compressed"#;
    let by_hand = r#"curl --cookie "access_token_web=eyJ.a-b_c.x; anon_id=it's!\"100%25\"^\\x&\$z" \
        -H'Cookie: refresh_token_web=eyJ.r.y==' --header "cookie:_vinted_fr_session=abc%2Bd" \
        -X GET https://www.vinted.fr/"#;
    for command in [bash, cmd, older_cmd, by_hand] {
        for text in [
            command.to_owned(),
            command.replace('\n', "\r\n"),
            format!("\u{feff}{command}\n"),
            command.replace("curl ", "curl.exe "),
            command.replace("-b ", "-H 'x: y' -b "),
        ] {
            let brought = take(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let cookies: Vec<_> = brought.cookies.iter().collect();
            assert_eq!(cookies, CURL_COOKIES, "{text}");
        }
    }
}

#[test]
fn curl_command_for_another_market_is_refused() {
    let command = |url: &str| format!("curl '{url}' -H 'accept: */*' -H 'cookie: {WHOLE}'");
    for url in ["https://www.vinted.de/", "https://api.vinted.de:443/svc?x=1"] {
        let expected = Error::OtherMarket {
            domains: vec!["vinted.de".to_owned()],
        };
        assert_eq!(take(&command(url)), Err(expected), "{url}");
    }
    for url in [
        "https://www.vinted.fr/",
        "https://api.vinted.fr/svc",
        "http://localhost:8080/",
    ] {
        take(&command(url)).unwrap_or_else(|error| panic!("{url}: {error}"));
    }
    take_export(&command("https://www.vinted.fr/"), "practice").expect("a rehearsal");
}

#[test]
fn unreadable_text_is_refused_with_the_formats() {
    for text in [
        "hello, world",
        "<html>secret</html>",
        "fetch(\"https://www.vinted.fr/\", {\n  \"headers\": {\"a\": \"secret=1\"}\n});",
        "access_token_web=secret\nrefresh_token_web=secret",
        r#"{"log": {"entries": "secret"}}"#,
        "[{\"name\": \"secret",
        "# Netscape HTTP Cookie File\n# secret",
        "curl 'https://www.vinted.fr/' -H 'accept: secret'",
        "curl https://www.vinted.fr/ -b secret.txt",
    ] {
        let error = take(text).expect_err(text).to_string();
        for format in ["Cookie header", "cURL", "cookies.txt", "JSON"] {
            assert!(error.contains(format), "{text}: {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }
    let open = take("curl 'https://www.vinted.fr/' -b 'access_token_web=secret").expect_err("open");
    assert!(!open.to_string().contains("secret"), "{open}");
}
