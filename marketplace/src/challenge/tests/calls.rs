//! Signs in the answers to calls.

use super::*;

#[test]
fn headers_count_only_on_refusals() {
    let datadome = headers(&[
        ("X-DataDome", "protected"),
        ("x-datadome-cid", "abc"),
        ("X-DD-B", "1"),
    ]);
    let refused = Signs {
        headers: datadome.clone(),
        ..call(403, "{}")
    };
    assert_eq!(kind(&refused), Some(Kind::CaptchaOnCall));
    assert_eq!(
        kind(&Signs {
            headers: datadome.clone(),
            ..call(200, "{\"code\":0}")
        }),
        None
    );
    let refused = Signs {
        headers: datadome,
        status: Some(403),
        ..page("/")
    };
    assert_eq!(kind(&refused), Some(Kind::CaptchaInPage));

    let cloudflare = headers(&[("CF-Mitigated", "challenge")]);
    assert_eq!(
        kind(&Signs {
            headers: cloudflare,
            status: Some(403),
            ..page("/")
        }),
        Some(Kind::Cloudflare)
    );
    let ordinary = headers(&[("server", "cloudflare"), ("cf-ray", "8a-CDG")]);
    assert_eq!(
        kind(&Signs {
            headers: ordinary,
            ..page("/")
        }),
        None
    );
}

#[test]
fn api_codes_are_challenge_signs() {
    for (code, expected) in [
        (0, None),
        (99, None),
        (104, None),
        (134, None),
        (136, None),
        (21, Some(Kind::LoginLost)),
        (100, Some(Kind::LoginLost)),
        (102, Some(Kind::UnknownBlock)),
        (106, Some(Kind::UnknownBlock)),
        (112, Some(Kind::AccountVerification)),
        (115, Some(Kind::AccountVerification)),
        (168, Some(Kind::AccountVerification)),
        (118, Some(Kind::SecondFactor)),
        (122, Some(Kind::SecondFactor)),
        (146, Some(Kind::SecondFactor)),
        (158, Some(Kind::SecondFactor)),
        (156, Some(Kind::Restricted)),
    ] {
        let body = format!("{{\"code\":{code}}}");
        for status in [200, 400] {
            let signs = Signs {
                json_code: Some(code),
                ..call(status, &body)
            };
            assert_eq!(kind(&signs), expected, "{code} with {status}");
        }
    }
    let signs = Signs {
        json_code: Some(146),
        ..call(403, "{}")
    };
    assert_eq!(
        kind(&signs),
        Some(Kind::SecondFactor),
        "the code says more than the status"
    );
}

#[test]
fn api_answers_are_classified() {
    let captcha = r#"{"url":"https://geo.captcha-delivery.com/captcha/?initialCid=abc"}"#;
    assert_eq!(kind(&call(403, captcha)), Some(Kind::CaptchaOnCall));
    let without_type = Signs {
        content_type: None,
        ..call(403, captcha)
    };
    assert_eq!(
        kind(&without_type),
        Some(Kind::CaptchaOnCall),
        "for any content type"
    );
    let page = |status, html| Signs {
        content_type: Some("text/html".to_owned()),
        ..call(status, html)
    };
    let html = "<html><iframe src=\"https://geo.captcha-delivery.com/captcha/\"></iframe></html>";
    for status in [200, 403] {
        assert_eq!(kind(&page(status, html)), Some(Kind::CaptchaOnCall), "{status}");
    }
    let html = "<html><p>Bonjour</p></html>";
    assert_eq!(
        kind(&page(200, html)),
        Some(Kind::UnknownBlock),
        "a page where JSON was asked for"
    );
    assert_eq!(
        kind(&page(404, html)),
        None,
        "some calls say so that there is nothing"
    );
    assert_eq!(kind(&page(500, html)), None, "an outage");
    for (status, expected) in [
        (200, None),
        (204, None),
        (400, None),
        (401, Some(Kind::LoginLost)),
        (403, Some(Kind::UnknownBlock)),
        (404, None),
        (429, Some(Kind::RateLimited)),
        (500, None),
        (503, None),
    ] {
        assert_eq!(kind(&call(status, "{}")), expected, "{status}");
    }
}

#[test]
fn json_messages_count_as_member_text() {
    let body = r#"{"code":0,"photo":"x","url":"https://geo.captcha-delivery.com/","body":"Please verify you are human
Sorry, something went wrong"}"#;
    assert_eq!(detect(&call(200, body)), None);
}

#[test]
fn rate_limit_says_how_long_to_wait() {
    let signs = Signs {
        headers: headers(&[("Retry-After", "90")]),
        ..call(429, "{}")
    };
    let verdict = detect(&signs).expect("a rate limit");
    assert_eq!(verdict.retry_after_seconds, Some(90));
    assert!(!verdict.requires_action);
    assert!(verdict.message.contains("90 seconds"), "{}", verdict.message);
    let dated = Signs {
        headers: headers(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]),
        ..signs
    };
    assert_eq!(detect(&dated).and_then(|v| v.retry_after_seconds), None);
}
