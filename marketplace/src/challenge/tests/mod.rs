mod calls;
mod pages;

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
fn challenge_names_match_the_data_file() {
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
fn verdict_has_finding_advice_and_sign() {
    let signs = Signs {
        frames: strings(&["https://geo.captcha-delivery.com/captcha/"]),
        ..page("/items/new")
    };
    let verdict = detect(&signs).expect("a captcha");
    assert!(verdict.requires_action);
    assert!(verdict.message.contains("captcha") && verdict.message.contains("resume the account"));
    assert_eq!(verdict.sign, "frame \"captcha-delivery.com\" (confidence A)");
    assert_eq!(verdict.retry_after_seconds, None);
}

#[test]
fn ordinary_form_and_answer_are_no_challenge() {
    let form = Signs {
        headers: headers(&[
            ("x-datadome", "protected"),
            ("server", "cloudflare"),
            ("set-cookie", "datadome=x"),
        ]),
        title: "Vendre un article | Vinted".to_owned(),
        text: "Vends ton article\nAjoute jusqu'à 20 photos.\nTitre\nPrix\nAjouter".to_owned(),
        frames: strings(&["https://www.google.com/recaptcha/api2/anchor?size=invisible"]),
        ..page("/items/new")
    };
    assert_eq!(detect(&form), None);
    assert_eq!(
        detect(&Signs {
            json_code: Some(0),
            ..call(200, r#"{"code":0,"items":[]}"#)
        }),
        None
    );
    assert_eq!(detect(&Signs::default()), None, "no signs, no verdict");
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

#[test]
fn every_kind_stops_the_job_or_leaves_the_site_alone() {
    for kind in Kind::ALL {
        let ChallengePolicy {
            job, account, ask, ..
        } = kind.policy();
        let is_quiet = matches!(account, AccountAction::Cooldown(_));
        assert_eq!(job == JobAction::Wait, is_quiet, "{}", kind.name());
        assert!(ask.len() > 20, "{} asks nothing of anybody", kind.name());
    }
}

#[test]
fn only_an_answer_emptied_for_robots_is_a_block() {
    let emptied = Signs {
        emptied: vec!["category 30: no attributes".to_owned()],
        ..call(200, "{\"attributes\": null, \"code\": 0}")
    };
    assert_eq!(kind(&emptied), Some(Kind::UnknownBlock));
    assert_eq!(kind(&call(200, "{\"attributes\": [], \"code\": 0}")), None);
}
