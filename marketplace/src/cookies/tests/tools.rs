//! Texts that the developer tools of a browser copy.

use super::*;

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
