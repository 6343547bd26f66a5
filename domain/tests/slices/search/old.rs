//! Years of messages: what is found in them is what has the words, newest first, whether it is common, rare, or long ago. On
//! PostgreSQL that takes ever longer windows of time.

use sea_orm::{ConnectionTrait as _, DbBackend};
use vintedbot_domain::search::Filter;

use super::{Stage, Told, says, shown, stages};
use crate::support::{START, page};

const MESSAGES: i64 = 3_600;
const HALF_A_DAY: i64 = 12 * 3_600;
const OF_A_CONVERSATION: i64 = 120;

/// What the message says that is so many half days old.
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
        let mut said = body.split(' ');
        match word.strip_suffix('*') {
            Some(beginning) => said.any(|said| said.starts_with(beginning)),
            None => said.any(|said| said == *word),
        }
    })
}

async fn fill(stage: &Stage) {
    for first in (0..MESSAGES).step_by(OF_A_CONVERSATION as usize) {
        let entries = (first..first + OF_A_CONVERSATION).rev();
        let entries = entries.map(|age| says(-age * HALF_A_DAY, &body(age))).collect();
        let told = Told {
            id: &format!("conversation {first}"),
            with: "someone",
            about: "Rien",
            entries,
        };
        stage.reads(told).await;
    }
}

/// How old what is found is, over all pages.
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

/// Asks everything, and compares with what was said.
async fn asks(stage: &Stage, what: &str) {
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
async fn what_is_common_or_rare_or_long_ago_is_found_newest_first() {
    for stage in stages().await {
        fill(&stage).await;
        asks(&stage, "as it is").await;
        let writer = stage.world.domain.store.writer();
        if writer.get_database_backend() == DbBackend::Postgres {
            for (what, changes) in [
                // The planner goes by these: it takes every beginning to be of too many words to gather.
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
                asks(&stage, what).await;
            }
        }
        stage.end().await;
    }
}
