//! Writes to the practice site without a browser.

use serde_json::json;
use vintedbot_marketplace::{Ending, Error, FillStep, Language, Marketplace, WriteError};

use crate::site::{Allowed, Forbidden, Site, Steps, account_context, content, photos};

#[tokio::test]
async fn listing_is_drafted_read_back_and_published_once() {
    let site = Site::start().await;
    let connector = site.plain();
    let account_context = account_context(Language::Fr);
    let photos = photos(2);
    let content = content(&connector, &account_context, &photos).await;

    let steps = Steps::default();
    let request = site.request(content.clone(), photos.clone());
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("an attempt");
    let filled = form_driver.fill(&steps).await.expect("a filled form");
    assert_eq!(*steps.reached.lock().await, FillStep::ALL);
    assert_eq!(filled.read_back.len(), 11);
    assert!(
        site.records("draft_saved").await.is_empty(),
        "nothing is written before the click"
    );
    assert!(matches!(
        form_driver.save_draft(&Forbidden).await,
        Err(WriteError::NotSent(_))
    ));
    assert!(
        matches!(
            form_driver.save_draft(&Allowed).await,
            Err(WriteError::NotSent(_))
        ),
        "a form is used up"
    );
    form_driver.fill(&steps).await.expect("filled again");
    let saved = form_driver.save_draft(&Allowed).await.expect("a saved draft");
    let remote_id = saved.remote_id.expect("the answer names it");
    assert_eq!(form_driver.quit().await, Ending::Ended);

    let request = site.request(content.clone(), photos.clone());
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("an attempt");
    let filled = form_driver
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("an open draft");
    assert!(
        filled
            .read_back
            .iter()
            .all(|reading| reading.approved.trim() == reading.seen.trim())
    );
    form_driver.look().await.expect("no challenge");
    let published = form_driver.publish(&Allowed).await.expect("published");
    assert_eq!(published.remote_id.as_deref(), Some(remote_id.as_str()));
    assert_eq!(form_driver.quit().await, Ending::Ended);

    let records = site.records("item_published").await;
    assert_eq!(records.len(), 1, "{records:?}");
    let item = connector
        .item(&account_context, &remote_id)
        .await
        .expect("an answer")
        .expect("it is there");
    assert!(!item.is_draft);
    let mut again = connector
        .compose(&account_context, site.request(content, photos))
        .await
        .expect("an attempt");
    let opened = again.open_draft(&remote_id, &Steps::default()).await;
    assert!(matches!(opened, Err(Error::NotADraft { .. })));
    again.quit().await;
}

#[tokio::test]
async fn lost_answer_is_unknown_and_refusal_is_definite() {
    let site = Site::start().await;
    let connector = site.plain();
    let account_context = account_context(Language::En);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    for (behaviour, is_unknown, drafts) in [
        (json!("accept_then_cut"), true, 1),
        (json!("accept_then_500"), true, 2),
        (
            json!({ "reject": { "field": "title", "value": "Too many capitals" } }),
            false,
            2,
        ),
    ] {
        site.script(json!({ "on": "save_draft", "do": behaviour, "times": 1 }))
            .await;
        let request = site.request(content.clone(), photos.clone());
        let mut form_driver = connector
            .compose(&account_context, request)
            .await
            .expect("an attempt");
        form_driver.fill(&Steps::default()).await.expect("a filled form");
        let saved = form_driver.save_draft(&Allowed).await;
        match saved {
            Err(WriteError::Unknown(_)) => assert!(is_unknown, "{behaviour}"),
            Err(WriteError::Refused(Error::Refused { violations, .. })) => {
                assert!(!is_unknown, "{behaviour}");
                assert_eq!(violations, [("title".to_owned(), "Too many capitals".to_owned())]);
            }
            other => panic!("{behaviour}: {other:?}"),
        }
        form_driver.quit().await;
        assert_eq!(site.records("draft_saved").await.len(), drafts);
    }
}

#[tokio::test]
async fn altered_draft_is_not_published() {
    let site = Site::start().await;
    let connector = site.plain();
    let account_context = account_context(Language::Fr);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    site.script(json!({ "on": "save_draft", "do": { "alter": { "price": 19.5 } } }))
        .await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, photos))
        .await
        .expect("an attempt");
    form_driver.fill(&Steps::default()).await.expect("a filled form");
    let saved = form_driver.save_draft(&Allowed).await.expect("a saved draft");
    let opened = form_driver
        .open_draft(&saved.remote_id.expect("an id"), &Steps::default())
        .await;
    match opened {
        Err(Error::Mismatch {
            field,
            approved,
            seen,
            ..
        }) => {
            assert_eq!(
                (field.as_str(), approved.as_str(), seen.as_str()),
                ("price", "29.50 EUR", "19.50 EUR")
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        form_driver.publish(&Allowed).await,
        Err(WriteError::NotSent(_))
    ));
    form_driver.quit().await;
    assert!(site.records("item_published").await.is_empty());
}

#[tokio::test]
async fn attempt_stops_at_the_requested_step() {
    let site = Site::start().await;
    let connector = site.plain();
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, Vec::new()))
        .await
        .expect("an attempt");
    let steps = Steps {
        stop_at: Some(FillStep::FormOpened),
        ..Steps::default()
    };
    assert!(matches!(form_driver.fill(&steps).await, Err(Error::Stopped(_))));
    assert_eq!(
        *steps.reached.lock().await,
        [FillStep::SignedIn, FillStep::FormOpened]
    );
    form_driver.quit().await;
}
