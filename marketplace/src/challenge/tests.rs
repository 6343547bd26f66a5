use super::*;

const SITE: &str = "https://www.vinted.fr";

fn page(path: &str) -> Signs {
    Signs {
        url: format!("{SITE}{path}"),
        status: Some(200),
        content_type: Some("text/html; charset=utf-8".to_owned()),
        title: "Vends tes vêtements | Vinted".to_owned(),
        ..Signs::default()
    }
}

fn call(status: u16, body: &str) -> Signs {
    Signs {
        url: format!("{SITE}/api/v2/users/current"),
        status: Some(status),
        content_type: Some("application/json".to_owned()),
        text: body.to_owned(),
        expected_json: true,
        ..Signs::default()
    }
}

fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn kind(signs: &Signs) -> Option<Kind> {
    detect(signs).map(|verdict| verdict.kind)
}

#[test]
fn names_are_those_of_the_data_file() {
    for kind in Kind::ALL {
        let json = serde_json::to_string(&kind).expect("a plain enum");
        assert_eq!(json, format!("\"{}\"", kind.name()));
    }
}

#[test]
fn every_kind_has_a_sign() {
    for kind in Kind::ALL {
        assert!(
            Detector::embedded().0.sign.iter().any(|rule| rule.kind == kind),
            "{}",
            kind.name()
        );
    }
}

#[test]
fn addresses_give_challenges_away() {
    for (url, expected) in [
        (
            "https://geo.captcha-delivery.com/captcha/?initialCid=x",
            Kind::CaptchaInPage,
        ),
        ("https://www.vinted.fr/captcha", Kind::CaptchaInPage),
        ("https://www.vinted.fr/captcha/check?x=1", Kind::CaptchaInPage),
        ("http://127.0.0.1:4711/challenge", Kind::CaptchaInPage),
        ("https://challenges.cloudflare.com/turnstile", Kind::Cloudflare),
        (
            "https://www.vinted.fr/cdn-cgi/challenge-platform/h/g",
            Kind::Cloudflare,
        ),
        (
            "https://www.vinted.fr/items/new?__cf_chl_rt_tk=abc",
            Kind::Cloudflare,
        ),
        (
            "https://www.vinted.fr/users/verification",
            Kind::AccountVerification,
        ),
        (
            "https://www.vinted.fr/users/verification/phone",
            Kind::AccountVerification,
        ),
        (
            "https://www.vinted.fr/users/verification/email_code?x",
            Kind::AccountVerification,
        ),
        (
            "https://www.vinted.fr/settings/security/phone_verification",
            Kind::AccountVerification,
        ),
        (
            "https://www.vinted.fr/session-refresh?ref_url=%2Fitems%2Fnew",
            Kind::SessionRefreshLoop,
        ),
        ("https://www.vinted.fr/member/login/email", Kind::LoginLost),
        (
            "https://www.vinted.fr/member/signup/select_type?ref_url=%2F",
            Kind::LoginLost,
        ),
    ] {
        assert_eq!(
            kind(&Signs {
                url: url.to_owned(),
                ..page("/")
            }),
            Some(expected),
            "{url}"
        );
    }
}

#[test]
fn a_sellers_words_in_an_address_are_no_sign() {
    for path in [
        "/items/123-challenge",
        "/items/123-captcha",
        "/items/123-t-shirt-challenge-cup/edit",
        "/member/77-captcha",
        "/member/77-login",
        "/brand/challenge",
        "/catalog?search_text=captcha+challenge",
        "/catalog?search_text=__cf_chl_rt_tk",
        "/items/new#challenge",
        "/users/verifications-explained",
        "/member/logins",
        "/captchas",
        "/items/new?ref=https%3A%2F%2Fgeo.captcha-delivery.com%2Fcaptcha",
        "/?next=/session-refresh",
    ] {
        assert_eq!(detect(&page(path)), None, "{path}");
    }
    let foreign = Signs {
        url: "https://notcaptcha-delivery.com/".to_owned(),
        ..page("/")
    };
    assert_eq!(detect(&foreign), None, "another host that ends alike");
}

#[test]
fn visible_frames_give_challenges_away() {
    for (frame, expected) in [
        (
            "https://geo.captcha-delivery.com/captcha/?initialCid=x",
            Some(Kind::CaptchaInPage),
        ),
        (
            "http://127.0.0.1:4711/stand-in/captcha-delivery.com/captcha/",
            Some(Kind::CaptchaInPage),
        ),
        ("https://ct.datadome.co/x", Some(Kind::CaptchaInPage)),
        (
            "https://www.google.com/recaptcha/api2/bframe?k=x",
            Some(Kind::CaptchaInPage),
        ),
        (
            "https://www.google.com/recaptcha/api2/anchor?k=x&size=invisible",
            None,
        ),
        (
            "https://challenges.cloudflare.com/cdn-cgi/challenge-platform/x",
            Some(Kind::Cloudflare),
        ),
        ("https://www.youtube.com/embed/captcha", None),
        ("about:blank", None),
    ] {
        assert_eq!(
            kind(&Signs {
                frames: strings(&[frame]),
                ..page("/items/new")
            }),
            expected,
            "{frame}"
        );
    }
}

#[test]
fn headers_count_only_where_they_mean_a_refusal() {
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
fn whole_titles_give_challenges_away_and_words_in_titles_do_not() {
    for (title, expected) in [
        ("Just a moment...", Some(Kind::Cloudflare)),
        ("Just a moment…", Some(Kind::Cloudflare)),
        ("Attention Required! | Cloudflare", Some(Kind::Cloudflare)),
        ("Sorry, you have been blocked", Some(Kind::Cloudflare)),
        ("Even geduld...", Some(Kind::Cloudflare)),
        ("Too Many Requests", Some(Kind::RateLimited)),
        ("captcha", Some(Kind::CaptchaInPage)),
        ("Just a moment, Zara | Vinted", None),
        ("T-shirt captcha | Vinted", None),
        ("Blocked heels 38 | Vinted", None),
        ("Verify tee - blocked | Vinted", None),
        ("", None),
    ] {
        assert_eq!(
            kind(&Signs {
                title: title.to_owned(),
                ..page("/items/new")
            }),
            expected,
            "{title}"
        );
    }
    let own = Signs {
        title: "Just a moment".to_owned(),
        member_texts: strings(&["Just a moment"]),
        ..page("/items/1-just-a-moment")
    };
    assert_eq!(detect(&own), None, "the item is called that");
}

#[test]
fn phrases_count_on_short_pages_alone() {
    let notice = |text: &str| Signs {
        text: text.to_owned(),
        ..page("/items/new")
    };
    for (text, expected) in [
        ("Please verify you are human", Some(Kind::CaptchaInPage)),
        (
            "vinted.fr\n\nPlease   verify you\nare human.\nRay ID 1",
            Some(Kind::CaptchaInPage),
        ),
        (
            "Veuillez vérifier que vous êtes humain",
            Some(Kind::CaptchaInPage),
        ),
        (
            "Checking your browser before accessing vinted.fr.",
            Some(Kind::Cloudflare),
        ),
        ("You are rate limited", Some(Kind::RateLimited)),
        ("Te veel verzoeken", Some(Kind::RateLimited)),
        ("captcha blocked challenge verify human", None),
        ("unchecking your browsers", None),
        ("", None),
    ] {
        assert_eq!(kind(&notice(text)), expected, "{text}");
    }
    let long = format!(
        "{}\nPlease verify you are human\n",
        "Une robe, une jupe.\n".repeat(200)
    );
    assert_eq!(
        detect(&notice(&long)),
        None,
        "somebody's words on a page of the site"
    );
}

#[test]
fn a_members_text_is_no_sign_but_does_not_hide_one() {
    let title = "Please verify you are human T-shirt";
    let signs = |text: String| Signs {
        text,
        member_texts: strings(&[title, "verify"]),
        ..page("/items/1-x")
    };
    assert_eq!(detect(&signs(format!("Vinted\n{title}\n12,00 €"))), None);
    let both = signs(format!("{title}\nPlease verify you are human"));
    assert_eq!(kind(&both), Some(Kind::CaptchaInPage), "the site says it too");
    assert_eq!(
        kind(&signs("Please verify you are human".to_owned())),
        Some(Kind::CaptchaInPage)
    );
}

#[test]
fn a_broken_page_says_so_in_a_line_of_its_own() {
    let around = "Catalogue Femmes Hommes\n".repeat(200);
    let text = |line: &str| Signs {
        text: format!("{around}{line}\n{around}"),
        ..page("/items/1/edit")
    };
    assert_eq!(kind(&text("Sorry, something went wrong")), Some(Kind::BrokenPage));
    assert_eq!(
        kind(&text("Sorry, er is iets fout gegaan.")),
        Some(Kind::BrokenPage)
    );
    assert_eq!(
        kind(&text("Sorry, something went wrong with the zip, see photo 3")),
        None
    );
    let own = Signs {
        member_texts: strings(&["Sorry, something went wrong!"]),
        ..text("Sorry, something went wrong!")
    };
    assert_eq!(detect(&own), None);
}

#[test]
fn elements_give_challenges_away() {
    let selectors: Vec<_> = Detector::embedded().element_selectors().collect();
    for (css, expected) in [
        ("#datadome-captcha", Kind::CaptchaInPage),
        (".geetest_panel", Kind::CaptchaInPage),
        ("#challenge-form", Kind::Cloudflare),
        ("#verification_code", Kind::SecondFactor),
        ("input[autocomplete='one-time-code']", Kind::SecondFactor),
        ("[data-testid='auth-modal--overlay']", Kind::LoginLost),
    ] {
        assert!(selectors.contains(&css), "{css} has to be asked for");
        assert_eq!(
            kind(&Signs {
                elements: strings(&[css]),
                ..page("/")
            }),
            Some(expected),
            "{css}"
        );
    }
    assert_eq!(
        kind(&Signs {
            elements: strings(&["#title"]),
            ..page("/")
        }),
        None
    );
}

#[test]
fn codes_of_calls_give_challenges_away() {
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
fn answers_to_calls_are_told_apart() {
    let captcha = r#"{"url":"https://geo.captcha-delivery.com/captcha/?initialCid=abc"}"#;
    assert_eq!(kind(&call(403, captcha)), Some(Kind::CaptchaOnCall));
    let told = Signs {
        content_type: None,
        ..call(403, captcha)
    };
    assert_eq!(
        kind(&told),
        Some(Kind::CaptchaOnCall),
        "whatever the content type"
    );
    let html = "<html><script src=\"https://ct.captcha-delivery.com/c.js\"></script></html>";
    let page = |status| Signs {
        content_type: Some("text/html".to_owned()),
        ..call(status, html)
    };
    assert_eq!(kind(&page(403)), Some(Kind::CaptchaOnCall));
    assert_eq!(
        kind(&page(200)),
        Some(Kind::UnknownBlock),
        "a page where JSON was asked for"
    );
    assert_eq!(kind(&page(404)), None, "some calls say so that there is nothing");
    assert_eq!(kind(&page(500)), None, "an outage");
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
fn messages_in_json_are_members_words() {
    let body = r#"{"code":0,"url":"https://geo.captcha-delivery.com/","body":"Please verify you are human
Sorry, something went wrong"}"#;
    assert_eq!(detect(&call(200, body)), None);
}

#[test]
fn the_verdict_says_what_happened_what_to_do_and_what_gave_it_away() {
    let signs = Signs {
        frames: strings(&["https://geo.captcha-delivery.com/captcha/"]),
        ..page("/items/new")
    };
    let verdict = detect(&signs).expect("a captcha");
    assert!(verdict.needs_manual);
    assert!(verdict.message.contains("captcha") && verdict.message.contains("resume the account"));
    assert_eq!(verdict.sign, "frame \"captcha-delivery.com\" (confidence A)");
    assert_eq!(verdict.retry_after_seconds, None);
}

#[test]
fn a_rate_limit_says_how_long_to_wait() {
    let signs = Signs {
        headers: headers(&[("Retry-After", "90")]),
        ..call(429, "{}")
    };
    let verdict = detect(&signs).expect("a rate limit");
    assert_eq!(verdict.retry_after_seconds, Some(90));
    assert!(!verdict.needs_manual);
    assert!(verdict.message.contains("90 seconds"), "{}", verdict.message);
    let dated = Signs {
        headers: headers(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]),
        ..signs
    };
    assert_eq!(detect(&dated).and_then(|v| v.retry_after_seconds), None);
}

#[test]
fn a_file_that_cannot_work_is_refused() {
    let rule = |body: &str| {
        format!("short_page_chars = 10\n[[sign]]\nkind = \"CLOUDFLARE\"\nconfidence = \"C\"\n{body}")
    };
    assert!(Detector::parse(&rule("place = \"path\"\nany = [\"/x\"]")).is_ok());
    for body in [
        "place = \"path\"",
        "place = \"path\"\nany = [1]",
        "place = \"code\"\nany = [\"1\"]",
        "place = \"html\"\nany = [\"x\"]",
        "place = \"text\"\nany = [\"...\"]",
        "place = \"body\"\nany = [\"x\"]",
        "place = \"title\"\nany = [\"x\"]\nunless = [\"y\"]",
        "place = \"nowhere\"\nany = [\"x\"]",
        "place = \"path\"\nany = [\"/x\"]\nwhen = 1",
    ] {
        assert!(Detector::parse(&rule(body)).is_err(), "{body}");
    }
}
