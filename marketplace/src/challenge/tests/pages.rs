//! Signs on pages.

use super::*;

#[test]
fn addresses_are_challenge_signs() {
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
fn seller_text_in_an_address_is_no_sign() {
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
fn visible_frames_are_challenge_signs() {
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
fn only_whole_titles_are_challenge_signs() {
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
fn phrases_count_only_on_short_pages() {
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
        "a member's words on a page of the site"
    );
}

#[test]
fn member_text_is_no_sign_and_hides_none() {
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
fn broken_page_is_detected_by_a_whole_line() {
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
fn not_found_page_is_broken_in_every_language() {
    let answered = |status| Signs {
        status: Some(status),
        text: "Ups, nic tu nie ma".to_owned(),
        ..page("/items/1/edit")
    };
    for (status, expected) in [
        (200, None),
        (404, Some(Kind::BrokenPage)),
        (410, Some(Kind::BrokenPage)),
        (500, Some(Kind::BrokenPage)),
        (502, None),
        (503, None),
    ] {
        assert_eq!(kind(&answered(status)), expected, "{status}");
    }
    let checked = Signs {
        headers: headers(&[("cf-mitigated", "challenge")]),
        ..answered(404)
    };
    assert_eq!(kind(&checked), Some(Kind::Cloudflare), "the surer sign decides");
}

#[test]
fn broken_page_is_detected_in_its_markets_language() {
    for line in [
        "Désolé, une erreur est survenue.",
        "Désolés, une erreur s'est produite",
        "Désolés, une erreur s’est produite !",
        "Entschuldigung, etwas ist schiefgelaufen",
        "Leider ist etwas schiefgelaufen.",
        "Oeps! Er is iets misgegaan",
    ] {
        let page_with_line = Signs {
            text: format!("Vinted\n{line}\n"),
            ..page("/items/1/edit")
        };
        assert_eq!(kind(&page_with_line), Some(Kind::BrokenPage), "{line}");
        let in_a_sentence = Signs {
            text: format!("{line} mit dem Reißverschluss"),
            ..page("/items/1/edit")
        };
        assert_eq!(detect(&in_a_sentence), None, "{line}");
    }
}

#[test]
fn elements_are_challenge_signs() {
    let selectors: Vec<_> = Detector::embedded().element_selectors().collect();
    for (css, expected) in [
        ("#datadome-captcha", Kind::CaptchaInPage),
        (".geetest_panel", Kind::CaptchaInPage),
        ("#challenge-form", Kind::Cloudflare),
        ("#verification_code", Kind::SecondFactor),
        ("input[autocomplete='one-time-code']", Kind::SecondFactor),
        ("[data-testid='auth-modal--overlay']", Kind::LoginLost),
        ("[data-testid='page-not-found']", Kind::BrokenPage),
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
