mod export;
mod header;
mod tools;

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
