//! Years of messages: a query finds all messages with its words, newest first, whether the words are common, rare or
//! old. On PostgreSQL the search uses ever longer time periods.

use sea_orm::{ConnectionTrait as _, DbBackend};
use vintedbot_domain::search::Filter;

use super::{ConversationSpec, Stage, message_entry, shown, stages};
use crate::support::{START, page};

const MESSAGES: i64 = 3_600;
const HALF_A_DAY: i64 = 12 * 3_600;
const OF_A_CONVERSATION: i64 = 120;

/// Returns the text of the message that is `age` half days old.
fn body(age: i64) -> String {
    let mut words = vec![format!("n{age}")];
    let is_said = [
        ("souvent", age % 3 == 0),
        ("parfois", age % 40 == 7),
        ("rarement", age % 900 == 899),
        ("jadis", age > 3_000 && age % 2 == 1),
        ("naguere", age < 10),
        ("unefois", age == MESSAGES - 1),
    ];
    words.extend(
        is_said
            .into_iter()
            .filter(|(_, is_said)| *is_said)
            .map(|(word, _)| word.to_owned()),
    );
    words.join(" ")
}

fn has(age: i64, words: &[&str]) -> bool {
    let body = body(age);
    words.iter().all(|word| {
        let mut stored_words = body.split(' ');
        match word.strip_suffix('*') {
            Some(beginning) => stored_words.any(|stored_words| stored_words.starts_with(beginning)),
            None => stored_words.any(|stored_words| stored_words == *word),
        }
    })
}

async fn fill(stage: &Stage) {
    for first in (0..MESSAGES).step_by(OF_A_CONVERSATION as usize) {
        let entries = (first..first + OF_A_CONVERSATION).rev();
        let entries = entries
            .map(|age| message_entry(-age * HALF_A_DAY, &body(age)))
            .collect();
        let spec = ConversationSpec {
            id: &format!("conversation {first}"),
            with: "someone",
            about: "Rien",
            entries,
        };
        stage.store_conversation(spec).await;
    }
}

/// Returns the ages of all hits, over all pages.
async fn ages(stage: &Stage, query: &str, filter: &Filter) -> Vec<i64> {
    let (mut ages, mut token) = (Vec::new(), String::new());
    loop {
        let found = stage.search(query, filter, &page(50, &token)).await;
        let found = found.expect("an answer").page;
        for hit in &found.items {
            let text = shown(hit).replace(['[', ']'], "");
            let number = text
                .split([' ', ':'])
                .find_map(|word| word.strip_prefix('n')?.parse::<i64>().ok());
            ages.push(number.expect("a number"));
        }
        token = found.next_page_token;
        if token.is_empty() {
            return ages;
        }
    }
}

/// Runs every query and compares the hits with the stored messages.
async fn check_queries(stage: &Stage, what: &str) {
    let since = |age: i64| Some(START - age * HALF_A_DAY * 1_000);
    for words in [
        &["souvent"][..],
        &["parfois"],
        &["rarement"],
        &["jadis"],
        &["naguere"],
        &["unefois"],
        &["rare*"],
        &["n12*"],
        &["parfois", "souvent"],
        &["jadis", "parfois"],
        &["naguere", "jadis"],
    ] {
        for (from, until) in [(None, None), (since(3_300), since(150)), (None, since(2_999))] {
            let filter = Filter {
                from,
                until,
                ..Filter::default()
            };
            let is_within = |age: &i64| {
                let time = START - age * HALF_A_DAY * 1_000;
                from.is_none_or(|from| from <= time) && until.is_none_or(|until| time < until)
            };
            let expected: Vec<_> = (0..MESSAGES)
                .filter(is_within)
                .filter(|age| has(*age, words))
                .collect();
            let query = format!("{} ", words.join(" "));
            assert_eq!(
                ages(stage, &query, &filter).await,
                expected,
                "{}, {what}: {query}{from:?} {until:?}",
                stage.engine
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn common_rare_and_old_rows_are_found_newest_first() {
    for stage in stages().await {
        fill(&stage).await;
        check_queries(&stage, "unchanged").await;
        let writer = stage.world.context.store.writer();
        if writer.get_database_backend() == DbBackend::Postgres {
            for (what, changes) in [
                // The planner uses these statistics. It expects too many words for every prefix to gather them.
                (
                    "as if it were huge",
                    [
                        "ANALYZE search_documents",
                        "UPDATE pg_class SET reltuples = 1e10 WHERE relname = 'search_documents'",
                    ],
                ),
                (
                    "by a program that knew no periods",
                    [
                        "UPDATE search_documents SET words = ts_delete(words, ARRAY(
                            SELECT lexeme FROM unnest(words) WHERE lexeme ~ '~[0-9]'))",
                        "UPDATE search_indexes SET version = 1",
                    ],
                ),
            ] {
                for change in changes {
                    let changed = writer.execute_unprepared(change).await;
                    assert!(
                        changed.expect("is changed").rows_affected() > 0 || change.starts_with("ANALYZE"),
                        "{change}"
                    );
                }
                check_queries(&stage, what).await;
            }
        }
        stage.end().await;
    }
}
