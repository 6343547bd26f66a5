//! Input for endpoints: secrets, addresses and names.

use anyhow::Result;
use vintedbot_domain::Reason;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::webhooks::{self, EndpointInput, NewEndpoint, Rotate, UpdateEndpoint};

use crate::bare::reason;
use crate::stage::{Anywhere, Stage, violated};

pub async fn old_secret_signs_until_it_expires(stage: Stage) -> Result<()> {
    let (endpoint, first) = stage
        .endpoint("https://example.org/", &["template_created"])
        .await?;
    let rotate = |secret: Option<&str>, until| Rotate {
        id: endpoint.id.clone(),
        secret: secret.map(str::to_owned),
        old_secret_expire_time: until,
        request_id: Some("0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b17".to_owned()),
    };
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let until = stage.now() + 60_000;
    let rotated =
        webhooks::rotate_secret(&stage.context, &stage.caller, rotate(Some(own), Some(until))).await?;
    assert_eq!(rotated.endpoint.old_secret_expire_time, Some(until));
    assert_eq!(rotated.secret.as_ref().map(|secret| secret.expose()), Some(own));
    let again =
        webhooks::rotate_secret(&stage.context, &stage.caller, rotate(Some(own), Some(until))).await?;
    assert!(again.secret.is_none(), "the same call again");
    let signing = async || {
        webhooks::send_test(&stage.context, &stage.caller, &endpoint.id, None).await?;
        let claims = stage.claim(&endpoint).await?;
        stage.answered(&claims[0], 200, None).await?;
        let secrets = claims[0].secrets.iter();
        Ok::<_, anyhow::Error>(
            secrets
                .map(|secret| secret.expose().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(signing().await?, [own, first.expose()]);
    stage.pass(60_001);
    assert_eq!(signing().await?, [own]);
    let too_long = Rotate {
        request_id: None,
        ..rotate(Some("whsec_AAA="), Some(stage.now() + 8 * 24 * 3_600_000))
    };
    let refused = webhooks::rotate_secret(&stage.context, &stage.caller, too_long).await;
    assert_eq!(violated(refused), ["secret", "old_secret_expire_time"]);

    // A secret is not dropped before its expiry to make room for another.
    let more = |until| Rotate {
        request_id: None,
        ..rotate(None, Some(until))
    };
    let until = stage.now() + 60_000;
    for _ in 0..3 {
        webhooks::rotate_secret(&stage.context, &stage.caller, more(until)).await?;
    }
    let four = signing().await?;
    assert_eq!((four.len(), four[3].as_str()), (4, own));
    let refused = webhooks::rotate_secret(&stage.context, &stage.caller, more(until)).await;
    assert_eq!(violated(refused), ["old_secret_expire_time"]);
    assert_eq!(signing().await?, four);
    webhooks::rotate_secret(&stage.context, &stage.caller, more(stage.now())).await?;
    let ended = signing().await?;
    assert_eq!(ended[1..], four[1..], "the present one gave way");
    stage.close().await
}

pub async fn invalid_endpoint_is_refused(stage: Stage) -> Result<()> {
    let make =
        async |url: &str, types: &[&str], description: &str, secret: Option<&str>, id: Option<&str>| {
            let new = NewEndpoint {
                endpoint: EndpointInput {
                    url: url.to_owned(),
                    description: description.to_owned(),
                    event_types: types.iter().map(|one| (*one).to_owned()).collect(),
                    ordered: false,
                },
                secret: secret.map(str::to_owned),
                request_id: id.map(str::to_owned),
            };
            webhooks::create(&stage.context, &stage.caller, &Anywhere, new).await
        };
    let fine = "https://example.org/";
    assert_eq!(
        violated(make("", &["nonsense"], &"x".repeat(501), Some("whsec_AAA="), None).await),
        [
            "endpoint.url",
            "endpoint.description",
            "endpoint.event_types",
            "secret"
        ]
    );
    assert_eq!(
        violated(
            make(
                &format!("https://example.org/{}", "x".repeat(2_000)),
                &[],
                "",
                None,
                None
            )
            .await
        ),
        ["endpoint.url"]
    );
    for url in [
        "https://example.org/\0",
        "https://example.org/a\tb",
        " https://example.org/",
        "https:\\\\127.0.0.1/",
        "https://1.1.1.1\\@127.0.0.1/",
        "https://example.org/\u{202e}",
    ] {
        assert_eq!(
            violated(make(url, &[], "", None, None).await),
            ["endpoint.url"],
            "{url:?}"
        );
    }
    assert_eq!(
        reason(make("https://inside.example/", &[], "", None, None).await),
        Some(Reason::WebhookAddressRefused)
    );
    let id = SystemIds.id();
    let made = make(fine, &[], "mine", None, Some(&id)).await?;
    let again = make(fine, &[], "mine", None, Some(&id)).await?;
    assert_eq!(made.endpoint, again.endpoint);
    assert!(
        made.secret
            .is_some_and(|secret| secret.expose().starts_with("whsec_"))
            && again.secret.is_none()
    );
    assert_eq!(
        reason(make(fine, &[], "another", None, Some(&id)).await),
        Some(Reason::RequestIdReused)
    );

    let change = async |url: &str, mask: &[&str], expected: Option<i64>| {
        let update = UpdateEndpoint {
            id: made.endpoint.id.clone(),
            endpoint: EndpointInput {
                url: url.to_owned(),
                ..EndpointInput::default()
            },
            mask: mask.iter().map(|one| (*one).to_owned()).collect(),
            expected_sequence: expected,
            request_id: None,
        };
        webhooks::update(&stage.context, &stage.caller, &Anywhere, update).await
    };
    assert_eq!(
        violated(change("", &["url", "secret"], None).await),
        ["update_mask", "endpoint.url"]
    );
    assert_eq!(
        reason(change("https://inside.example/", &[], None).await),
        Some(Reason::WebhookAddressRefused)
    );
    assert_eq!(
        reason(change("https://other.example/", &[], Some(1)).await),
        Some(Reason::ResourceChanged)
    );
    let changed = change("", &["description"], Some(made.endpoint.sequence)).await?;
    assert_eq!((changed.url.as_str(), changed.description.as_str()), (fine, ""));
    stage.close().await
}
