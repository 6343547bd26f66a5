//! Invalid search input: each query gets a typed error or an answer, and never data of another workspace.

use vintedbot_domain::search::Filter;

use super::{ConversationSpec, message_entry, stages};
use crate::support::{page, violated};

#[tokio::test]
async fn both_engines_answer_or_refuse_any_input_alike() {
    let long = "é ".repeat(5_000);
    let words = (0..60)
        .map(|number| format!("w{number}"))
        .collect::<Vec<_>>()
        .join(" ");
    let emoji = "😀".repeat(200);
    let refused = [
        "",
        " ",
        "***",
        "\"",
        "\"\"\"\"",
        "( ) &",
        "\0",
        &long,
        &words,
        "\u{301}\u{301}",
        "🏽",
    ];
    let plain = [
        "\"ouvert",
        "ouvert\"",
        "a \" b \" c \"",
        "AND",
        "OR NOT",
        "NEAR(a, 2)",
        "a* *b* c**",
        "col:val",
        "-a +b ^c",
        "{a b}:c",
        "a\0b",
        "\\",
        "\\a'",
        "'a' & !b | c:*",
        "a <-> b",
        "<2>",
        "a:*ABCD",
        "%_",
        "a;--",
        "$1 ?1 :a @a",
        "\u{202E}abc",
        "עברית \"טקסט\" 12",
        "\u{FFFF}x",
        "ﷺ",
        "a\tb\nc\r\n",
        "\u{1F468}\u{200D}\u{1F469}",
        &emoji,
        "e\u{301}*",
        "x'00'",
        "1e999",
    ];
    for stage in stages().await {
        let entries = vec![
            message_entry(1, "a b c val col AND NEAR"),
            message_entry(2, "עברית טקסט 12 ﷺ 😀"),
        ];
        stage
            .store_conversation(ConversationSpec {
                id: "1",
                with: "paul",
                about: "Pull",
                entries,
            })
            .await;
        for query in refused {
            let is_refused = query.chars().any(char::is_alphanumeric) || query.len() < 20;
            assert!(is_refused);
            let answer = stage.search(query, &Filter::default(), &page(0, "")).await;
            assert_eq!(violated(answer), ["query"], "{}: {query:?}", stage.engine);
        }
        let stranger = stage.world.stranger().await;
        for query in plain {
            let is_word = query.chars().any(char::is_alphanumeric) || query.contains(['😀', '\u{1F468}']);
            let answer = stage.search(query, &Filter::default(), &page(0, "")).await;
            assert_eq!(answer.is_ok(), is_word, "{}: {query:?}: {answer:?}", stage.engine);
            if is_word {
                assert_eq!(
                    stage.finds_for(&stranger, query).await,
                    0,
                    "{}: {query:?}",
                    stage.engine
                );
            }
        }
        let filter = Filter {
            account_id: Some("' OR 1=1 \" *".to_owned()),
            from: Some(i64::MIN),
            until: Some(i64::MAX),
            ..Filter::default()
        };
        let answer = stage
            .search("a ", &filter, &page(0, ""))
            .await
            .expect("an answer");
        assert!(answer.page.items.is_empty());
        assert_eq!(
            violated(stage.search("a", &Filter::default(), &page(-1, "")).await),
            ["page_size"]
        );
        stage.end().await;
    }
}
