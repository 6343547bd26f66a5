//! Scripts without spaces, words that are given more than once, and decoration.

use vintedbot_domain::listings::ListingInput;
use vintedbot_domain::search::Filter;

use super::{ConversationSpec, Stage, message_entry, stages};
use crate::support::page;

/// Stored messages, oldest first.
const MESSAGES: &[&str] = &[
    "我在海上旅行",
    "上海发货吗？",
    "早上，海边见",
    "哈",
    "哈哈哈",
    "セーターはまだありますか",
    "ขายเสื้อยืดสีดำ",
    "bon prix",
    "bon prix, bon état, bonjour",
    "مـــرحبا",
    "re\u{AD}tou\u{200D}che\u{20DD}\u{20DD} 1\u{FE0F}\u{20E3}",
];

/// Queries and the messages that they find, newest first.
const TABLE: &[(&str, &[&str])] = &[
    ("上海", &["[上海]发货吗？"]),
    ("上海 ", &["[上海]发货吗？"]),
    ("海上", &["我在[海上]旅行"]),
    ("发货吗", &["上海[发货吗]？"]),
    ("在海上旅", &["我[在海上旅]行"]),
    ("在海旅", &[]),
    ("\"上海\"", &["[上海]发货吗？"]),
    ("海", &["早上，[海]边见", "上[海]发货吗？", "我在[海]上旅行"]),
    ("海 上", &["早[上]，[海]边见", "[上海]发货吗？", "我在[海上]旅行"]),
    ("海海", &[]),
    ("哈", &["[哈哈哈]", "[哈]"]),
    ("哈哈", &["[哈哈哈]"]),
    ("哈 哈 哈", &["[哈哈哈]"]),
    ("哈 哈 哈 哈", &[]),
    ("ーター", &["セ[ーター]はまだありますか"]),
    ("เสื้อ", &["ขาย[เสื้อ]ยืดสีดำ"]),
    ("bon ", &["[bon] prix, [bon] état, bonjour", "[bon] prix"]),
    ("bon bon ", &["[bon] prix, [bon] état, bonjour"]),
    ("bon bon bon ", &[]),
    ("bon bon bon", &["[bon] prix, [bon] état, [bonjour]"]),
    ("\"bon prix\" \"bon prix\"", &[]),
    ("مرحبا ", &["[مـــرحبا]"]),
    ("مـرحـبا ", &["[مـــرحبا]"]),
    (
        "retouche ",
        &["[re\u{AD}tou\u{200D}che\u{20DD}\u{20DD}] 1\u{FE0F}\u{20E3}"],
    ),
    (
        "ret\u{200C}ouche 1 ",
        &["[re\u{AD}tou\u{200D}che\u{20DD}\u{20DD}] [1\u{FE0F}\u{20E3}]"],
    ),
];

async fn found(stage: &Stage, query: &str) -> Vec<String> {
    let found = stage.finds(query).await;
    let text = |hit: String| hit.strip_prefix("message: ").map(str::to_owned).unwrap_or(hit);
    found.into_iter().map(text).collect()
}

#[tokio::test]
async fn runs_of_signs_keep_their_order_and_repeats_count() {
    for stage in stages().await {
        let entries = MESSAGES.iter().zip(0..);
        let entries = entries.map(|(text, second)| message_entry(second, text));
        stage
            .store_conversation(ConversationSpec {
                id: "1",
                with: "paul",
                about: "Pull",
                entries: entries.collect(),
            })
            .await;
        for (query, expected) in TABLE {
            assert_eq!(found(&stage, query).await, *expected, "{}: {query}", stage.engine);
        }
        let input = ListingInput {
            title: "上海旗袍".to_owned(),
            description: "海上风格".to_owned(),
            ..ListingInput::default()
        };
        stage.world.listing(&stage.account, input).await;
        for (query, count) in [
            ("上海", 1),
            ("海上", 1),
            ("袍海", 0),
            ("旗袍", 1),
            ("海 海", 1),
            ("海 海 海", 0),
        ] {
            assert_eq!(
                stage.finds_listings(query).await.len(),
                count,
                "{}: {query}",
                stage.engine
            );
        }
        stage.end().await;
    }
}

#[tokio::test]
async fn rare_repeat_is_found_behind_pages_without_one() {
    for stage in stages().await {
        let entries = (0..60).map(|second| {
            let text = if second == 0 { "merci merci" } else { "merci" };
            message_entry(second, text)
        });
        stage
            .store_conversation(ConversationSpec {
                id: "1",
                with: "paul",
                about: "Pull",
                entries: entries.collect(),
            })
            .await;
        let answer = stage
            .search("merci merci ", &Filter::default(), &page(10, ""))
            .await;
        let found = answer.expect("an answer").page;
        assert_eq!(found.items.len(), 1, "{}", stage.engine);
        assert!(found.next_page_token.is_empty(), "{}", stage.engine);

        // More empty pages than one call reads: the caller reaches the hit through the page tokens.
        let (mut token, mut counts) = (String::new(), Vec::new());
        while counts.is_empty() || !token.is_empty() {
            let answer = stage
                .search("merci merci ", &Filter::default(), &page(2, &token))
                .await;
            let found = answer.expect("an answer").page;
            assert_ne!(found.next_page_token, token, "{}", stage.engine);
            counts.push(found.items.len());
            token = found.next_page_token;
        }
        let (last, empty) = counts.split_last().expect("an answer");
        assert_eq!(*last, 1, "{}: {counts:?}", stage.engine);
        assert!(
            !empty.is_empty() && empty.iter().all(|count| *count == 0),
            "{}: {counts:?}",
            stage.engine
        );
        stage.end().await;
    }
}
