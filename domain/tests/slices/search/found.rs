//! A table of queries that both engines must answer alike.

use vintedbot_domain::inbox::{self, Note};
use vintedbot_domain::listings::ListingInput;
use vintedbot_domain::search::{Filter, Kind};
use vintedbot_marketplace::EntryContent;

use super::{ConversationSpec, Stage, entry, message_entry, stages};
use crate::support::{START, page};

/// Queries and their expected hits.
const TABLE: &[(&str, &[&str])] = &[
    (
        "écharpe ",
        &[
            "thread: [Écharpe] rouge",
            "message: L\u{2019}[écharpe] est là ?",
            "message: Une [echarpe], l'[Écharpe] !",
        ],
    ),
    (
        "ECHARPE",
        &[
            "thread: [Écharpe] rouge",
            "message: L\u{2019}[écharpe] est là ?",
            "message: Une [echarpe], l'[Écharpe] !",
        ],
    ),
    (
        "l'écharpe ",
        &[
            "message: [L]\u{2019}[écharpe] est là ?",
            "message: Une [echarpe], [l]'[Écharpe] !",
        ],
    ),
    ("echar ", &[]),
    (
        "echar",
        &[
            "thread: [Écharpe] rouge",
            "message: L\u{2019}[écharpe] est là ?",
            "message: Une [echarpe], l'[Écharpe] !",
        ],
    ),
    ("echar* rouge ", &["thread: [Écharpe] [rouge]"]),
    ("rouge echarpe ", &["thread: [Écharpe] [rouge]"]),
    ("\"echarpe rouge\"", &["thread: [Écharpe] [rouge]"]),
    ("\"rouge echarpe\"", &[]),
    ("\"une ech\"*", &["message: [Une] [echarpe], l'Écharpe !"]),
    (
        "\"est la\" echarpe ",
        &["message: L\u{2019}[écharpe] [est] [là] ?"],
    ),
    ("coeur ", &["message: Un [cœur] 👍🏽 [Cœur] ﬁn, Größe L"]),
    ("fin GROSSE ", &["message: Un cœur 👍🏽 Cœur [ﬁn], [Größe] L"]),
    ("👍", &["message: Un cœur [👍🏽] Cœur ﬁn, Größe L"]),
    (
        "levis ",
        &[
            "thread: Jean [Levi's] 501",
            "note: attendre pour le [Levi\u{2019}s]",
        ],
    ),
    ("levi's 501 ", &["thread: Jean [Levi's] [501]"]),
    ("שלום ", &["message: [שָׁלוֹם] לכולם"]),
    ("لكم ", &[]),
    ("marie", &["person: [Marie]-Lou_75"]),
    ("marie lou 75 ", &["person: [Marie]-[Lou]_[75]"]),
    ("attendre ", &["note: [attendre] pour le Levi\u{2019}s"]),
    (
        "\"echarpe",
        &[
            "thread: [Écharpe] rouge",
            "message: L\u{2019}[écharpe] est là ?",
            "message: Une [echarpe], l'[Écharpe] !",
        ],
    ),
    ("NOT echarpe OR rouge ", &[]),
    ("echarpe -rouge ", &["thread: [Écharpe] [rouge]"]),
    ("a'b\"c ; DROP TABLE x --", &[]),
    ("' OR 1 = 1 --", &[]),
    ("words:echarpe {words} ^echarpe NEAR(a b) ", &[]),
    ("~km ", &[]),
    ("%", &["refused"]),
    ("* \"\" ()", &["refused"]),
    ("12,50 ", &["message: Offre [12],[50] €"]),
];

async fn fill(stage: &Stage) -> (String, String) {
    let photo = EntryContent::Message {
        body: "Un cœur 👍🏽 Cœur ﬁn, Größe L".to_owned(),
        photo_urls: vec!["https://example.org/1.jpg".to_owned()],
    };
    let first = stage
        .store_conversation(ConversationSpec {
            id: "1",
            with: "Marie-Lou_75",
            about: "Écharpe rouge",
            entries: vec![
                message_entry(10, "Une echarpe, l'Écharpe !"),
                entry(20, photo),
                message_entry(30, "L\u{2019}écharpe est là ?"),
                message_entry(40, "Bonjour, bonne journée"),
            ],
        })
        .await;
    let offer = EntryContent::OfferRequest {
        offer_id: None,
        transaction_id: Some("5".to_owned()),
        price: None,
        original_price: None,
        status: Some(10),
        current: true,
    };
    let mut offered = message_entry(60, "Offre 12,50 €");
    offered.remote_id = Some("offer".to_owned());
    let second = stage
        .store_conversation(ConversationSpec {
            id: "2",
            with: "paul",
            about: "Jean Levi's 501",
            entries: vec![message_entry(50, "שָׁלוֹם לכולם"), offered, entry(70, offer)],
        })
        .await;
    let note = Note {
        id: second.thread_id.clone(),
        note: "attendre pour le Levi\u{2019}s".to_owned(),
        request_id: None,
    };
    inbox::set_note(&stage.world.context, &stage.world.caller, note)
        .await
        .expect("a note");
    for (title, description) in [
        ("Écharpe en laine", "Très douce, portée deux fois"),
        ("Robe d'été", "Avec une écharpe assortie"),
    ] {
        stage.world.clock.advance(1_000);
        let input = ListingInput {
            title: title.to_owned(),
            description: description.to_owned(),
            ..ListingInput::default()
        };
        stage.world.listing(&stage.account, input).await;
    }
    (first.thread_id, second.thread_id)
}

#[tokio::test]
async fn both_engines_return_equal_hits_order_and_marks() {
    for stage in stages().await {
        let (first, second) = fill(&stage).await;
        for (query, expected) in TABLE {
            let answer = stage.search(query, &Filter::default(), &page(200, "")).await;
            let found: Vec<String> = match answer {
                Ok(answer) => {
                    assert!(answer.index_complete);
                    answer.page.items.iter().map(super::shown).collect()
                }
                Err(vintedbot_domain::Error::Invalid(_)) => vec!["refused".to_owned()],
                Err(other) => panic!("{}: {query}: {other}", stage.engine),
            };
            let mut found = found;
            // A thread and its note have the same time, so their ids decide the order.
            if query.starts_with("levis") {
                found.sort_by_key(|hit| !hit.starts_with("thread"));
            }
            assert_eq!(found, *expected, "{}: {query}", stage.engine);
        }
        filters(&stage, &first, &second).await;
        listings(&stage).await;
        let stranger = stage.world.stranger().await;
        for query in ["echarpe", "e*", "marie", "bonjour", "~km", "~ kml", "0002echarpe"] {
            assert_eq!(
                stage.finds_for(&stranger, query).await,
                0,
                "{}: {query}",
                stage.engine
            );
        }
        stage.end().await;
    }
}

async fn filters(stage: &Stage, first: &str, second: &str) {
    let in_thread = |id: &str| Filter {
        thread_id: Some(id.to_owned()),
        ..Filter::default()
    };
    assert_eq!(stage.finds_among("echarpe ", &in_thread(first)).await.len(), 3);
    assert_eq!(stage.finds_among("echarpe ", &in_thread(second)).await.len(), 0);
    let all = stage.search("echarpe ", &Filter::default(), &page(200, "")).await;
    let person_id = all.expect("an answer").page.items[0].person_id.clone();
    let with_person = Filter {
        person_id: Some(person_id),
        ..Filter::default()
    };
    assert_eq!(stage.finds_among("l", &with_person).await.len(), 3);
    assert_eq!(stage.finds_among("levis", &with_person).await.len(), 0);
    let of_account = |id: String| Filter {
        account_id: Some(id),
        ..Filter::default()
    };
    assert_eq!(
        stage
            .finds_among("echarpe ", &of_account(stage.account.id.clone()))
            .await
            .len(),
        3
    );
    assert_eq!(
        stage
            .finds_among("marie", &of_account(stage.account.id.clone()))
            .await
            .len(),
        1
    );
    assert_eq!(
        stage
            .finds_among("echarpe ", &of_account(stage.world.context.ids.id()))
            .await
            .len(),
        0
    );
    let kinds = Filter {
        kinds: vec![Kind::Note, Kind::Person],
        ..Filter::default()
    };
    assert_eq!(
        stage.finds_among("le*", &kinds).await,
        ["note: attendre pour [le] [Levi\u{2019}s]"]
    );
    let photo = Filter {
        has_photo: true,
        ..Filter::default()
    };
    assert_eq!(
        stage.finds_among("l*", &photo).await,
        ["message: Un cœur 👍🏽 Cœur ﬁn, Größe [L]"]
    );
    let offer = Filter {
        has_offer: true,
        ..Filter::default()
    };
    assert_eq!(stage.finds_among("levis ", &offer).await.len(), 2);
    assert_eq!(stage.finds_among("echarpe ", &offer).await.len(), 0);
    let times = |from: i64, until: i64| Filter {
        from: Some(START + from * 1_000),
        until: Some(START + until * 1_000),
        ..Filter::default()
    };
    assert_eq!(
        stage.finds_among("echarpe ", &times(10, 30)).await,
        ["message: Une [echarpe], l'[Écharpe] !"]
    );
    assert_eq!(
        stage.finds_among("echarpe ", &times(30, 31)).await,
        ["message: L\u{2019}[écharpe] est là ?"]
    );
    assert_eq!(stage.finds_among("echarpe ", &times(31, 40)).await.len(), 0);
}

async fn listings(stage: &Stage) {
    assert_eq!(
        stage.finds_listings("echarpe ").await,
        [
            "Robe d'été: Avec une [écharpe] assortie",
            "Écharpe en laine: [Écharpe] en laine"
        ],
        "{}",
        stage.engine
    );
    assert_eq!(
        stage.finds_listings("laine douce ").await,
        ["Écharpe en laine: Écharpe en [laine]"]
    );
    // A phrase does not span two fields.
    assert!(stage.finds_listings("\"laine tres\"").await.is_empty());
}

#[tokio::test]
async fn pages_stay_stable_while_messages_arrive() {
    for stage in stages().await {
        let spec = |from: i64, until: i64| ConversationSpec {
            id: "1",
            with: "paul",
            about: "Pull",
            entries: (from..until)
                .map(|second| message_entry(second, &format!("numero n{second} ")))
                .collect(),
        };
        stage.store_conversation(spec(0, 120)).await;
        let all = Filter::default();
        let first = stage
            .search("numero ", &all, &page(50, ""))
            .await
            .expect("a page");
        assert_eq!(first.page.items.len(), 50);
        stage.store_conversation(spec(0, 180)).await;
        let token = first.page.next_page_token.clone();
        let second = stage
            .search("numero ", &all, &page(50, &token))
            .await
            .expect("a page");
        let third = stage
            .search("numero ", &all, &page(50, &second.page.next_page_token))
            .await
            .expect("a page");
        assert_eq!(third.page.next_page_token, "");
        let pages = [first, second, third].map(|answer| answer.page.items);
        let found: Vec<String> = pages.concat().iter().map(super::shown).collect();
        let expected: Vec<String> = (0..120)
            .rev()
            .map(|second| format!("message: [numero] n{second} "))
            .collect();
        assert_eq!(found, expected, "{}", stage.engine);
        let other = stage.search("pull ", &all, &page(50, &token)).await;
        assert_eq!(
            crate::support::reason(other),
            Some(vintedbot_domain::Reason::PageTokenInvalid)
        );
        stage.end().await;
    }
}

#[tokio::test]
async fn common_and_rare_words_are_found_once_each() {
    // More rows than PostgreSQL skips in one pass, so both of its query plans are exercised.
    for stage in stages().await {
        for part in 0..10_i64 {
            let entries = (part * 500..(part + 1) * 500)
                .map(|second| {
                    let rare = if second % 1_250 == 7 { "rarement" } else { "" };
                    let half = if second % 2 == 0 { "pair" } else { "impair" };
                    message_entry(second, &format!("toujours {half} {rare}"))
                })
                .collect();
            stage
                .store_conversation(ConversationSpec {
                    id: &part.to_string(),
                    with: "paul",
                    about: "Pull",
                    entries,
                })
                .await;
        }
        for (query, expected) in [
            ("toujours ", 5_000),
            ("pair ", 2_500),
            ("rarement ", 4),
            ("rarement pair ", 0),
            ("imp", 2_500),
        ] {
            let (mut token, mut times) = (String::new(), Vec::new());
            loop {
                let answer = stage.search(query, &Filter::default(), &page(200, &token)).await;
                let found = answer.expect("a page").page;
                times.extend(found.items.iter().map(|hit| hit.time));
                token = found.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(times.len(), expected, "{}: {query}", stage.engine);
            assert!(
                times.is_sorted_by(|newer, older| newer > older),
                "{}: {query}",
                stage.engine
            );
        }
        stage.end().await;
    }
}
