//! Rebuilding an index while writes continue.

use sea_orm::{ConnectionTrait, EntityTrait};
use vintedbot_domain::inbox;
use vintedbot_domain::search::{Filter, rebuild};
use vintedbot_domain::store::entities::search_documents;

use super::{ConversationSpec, Stage, message_entry, stages, store_conversation};
use crate::support::page;

async fn run(stage: &Stage, sql: &str) {
    let writer = stage.world.context.store.writer();
    writer.execute_unprepared(sql).await.expect("runs");
}

async fn is_complete(stage: &Stage) -> bool {
    let answer = stage.search("a", &Filter::default(), &page(0, "")).await;
    answer.expect("an answer").index_complete
}

#[tokio::test]
async fn rebuilt_index_finds_older_rows() {
    for stage in stages().await {
        stage
            .store_conversation(ConversationSpec {
                id: "1",
                with: "paul",
                about: "Pull vert",
                entries: vec![message_entry(1, "bonjour")],
            })
            .await;
        // A migration leaves the index in this state.
        if stage.engine == "SQLite" {
            run(&stage, "DELETE FROM search_words").await;
        }
        run(&stage, "DELETE FROM search_documents").await;
        run(&stage, "UPDATE search_indexes SET version = 0, phase = 'THREADS'").await;
        assert!(stage.finds("bonjour").await.is_empty());
        assert!(!is_complete(&stage).await);
        let mut last = None;
        while let Some(progress) = rebuild::step(&stage.world.context.store).await.expect("a step") {
            last = Some(progress);
        }
        let last = last.expect("steps");
        assert!(last.is_complete && last.done == 3 && last.total == 3, "{last:?}");
        assert!(is_complete(&stage).await);
        for query in ["bonjour", "pull", "paul"] {
            assert_eq!(stage.finds(query).await.len(), 1, "{}: {query}", stage.engine);
        }
        stage.end().await;
    }
}

#[tokio::test]
async fn rebuild_includes_concurrent_writes_and_deletes() {
    for stage in stages().await {
        let world = &stage.world;
        let spec = |conversation: i64, count: i64| ConversationSpec {
            id: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"][conversation as usize],
            with: "paul",
            about: "Pull",
            entries: (0..count)
                .map(|number| {
                    message_entry(
                        conversation * 1_000 + number,
                        &format!("mot m{conversation}x{number} "),
                    )
                })
                .collect(),
        };
        let mut ids = Vec::new();
        for conversation in 0..8 {
            ids.push(stage.store_conversation(spec(conversation, 150)).await.thread_id);
        }
        // An entry of a deleted row.
        run(
            &stage,
            "UPDATE messages SET text = 'autre' WHERE text = 'mot m7x149 '",
        )
        .await;
        rebuild::begin(&world.context.store).await.expect("begins");
        let steps = async {
            let mut count = 0;
            while rebuild::step(&world.context.store)
                .await
                .expect("a step")
                .is_some()
            {
                count += 1;
            }
            count
        };
        let two = async {
            tokio::join!(steps, async {
                rebuild::step(&world.context.store).await.map(drop)
            })
        };
        let writes = async {
            for conversation in 0..8 {
                store_conversation(world, &stage.account, spec(conversation, 160)).await;
            }
            store_conversation(world, &stage.account, spec(8, 20)).await;
            inbox::delete(&world.context, &world.caller, &ids[3], None)
                .await
                .expect("is hidden");
        };
        let (_, ()) = tokio::join!(two, writes);
        assert!(is_complete(&stage).await, "{}", stage.engine);
        let documents = search_documents::Entity::find()
            .all(world.context.store.reader())
            .await
            .expect("documents");
        // Seven threads of 160 messages, one of 20, their titles, and the counterparty.
        assert_eq!(documents.len(), 7 * 160 + 20 + 8 + 1, "{}", stage.engine);
        for query in ["m0x0 ", "m0x159 ", "m7x159 ", "m8x19 ", "m7x149 "] {
            assert_eq!(stage.finds(query).await.len(), 1, "{}: {query}", stage.engine);
        }
        assert!(stage.finds("m3x").await.is_empty(), "{}", stage.engine);
        stage.end().await;
    }
}
