//! An index is made anew while everything goes on.

use sea_orm::{ConnectionTrait, EntityTrait};
use vintedbot_domain::inbox;
use vintedbot_domain::search::{Filter, rebuild};
use vintedbot_domain::store::entities::search_documents;

use super::{Stage, Told, reads, says, stages};
use crate::support::page;

async fn run(stage: &Stage, sql: &str) {
    let writer = stage.world.domain.store.writer();
    writer.execute_unprepared(sql).await.expect("runs");
}

async fn is_complete(stage: &Stage) -> bool {
    let answer = stage.search("a", &Filter::default(), &page(0, "")).await;
    answer.expect("an answer").index_complete
}

#[tokio::test]
async fn what_was_there_before_the_index_is_found_once_that_is_made() {
    for stage in stages().await {
        stage
            .reads(Told {
                id: "1",
                with: "paul",
                about: "Pull vert",
                entries: vec![says(1, "bonjour")],
            })
            .await;
        // As a migration leaves it.
        if stage.engine == "SQLite" {
            run(&stage, "DELETE FROM search_words").await;
        }
        run(&stage, "DELETE FROM search_documents").await;
        run(&stage, "UPDATE search_indexes SET version = 0, phase = 'THREADS'").await;
        assert!(stage.finds("bonjour").await.is_empty());
        assert!(!is_complete(&stage).await);
        let mut last = None;
        while let Some(progress) = rebuild::step(&stage.world.domain.store).await.expect("a step") {
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
async fn nothing_that_is_written_or_hidden_meanwhile_is_lost_or_left() {
    for stage in stages().await {
        let world = &stage.world;
        let told = |conversation: i64, count: i64| Told {
            id: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"][conversation as usize],
            with: "paul",
            about: "Pull",
            entries: (0..count)
                .map(|number| {
                    says(
                        conversation * 1_000 + number,
                        &format!("mot m{conversation}x{number} "),
                    )
                })
                .collect(),
        };
        let mut ids = Vec::new();
        for conversation in 0..8 {
            ids.push(stage.reads(told(conversation, 150)).await.thread_id);
        }
        // Left over from something that is gone.
        run(
            &stage,
            "UPDATE messages SET text = 'autre' WHERE text = 'mot m7x149 '",
        )
        .await;
        rebuild::begin(&world.domain.store).await.expect("begins");
        let steps = async {
            let mut count = 0;
            while rebuild::step(&world.domain.store)
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
                rebuild::step(&world.domain.store).await.map(drop)
            })
        };
        let writes = async {
            for conversation in 0..8 {
                reads(world, &stage.account, told(conversation, 160)).await;
            }
            reads(world, &stage.account, told(8, 20)).await;
            inbox::delete(&world.domain, &world.caller, &ids[3], None)
                .await
                .expect("is hidden");
        };
        let (_, ()) = tokio::join!(two, writes);
        assert!(is_complete(&stage).await, "{}", stage.engine);
        let documents = search_documents::Entity::find()
            .all(world.domain.store.reader())
            .await
            .expect("documents");
        // Seven threads of 160, one of 20, their titles, and the person.
        assert_eq!(documents.len(), 7 * 160 + 20 + 8 + 1, "{}", stage.engine);
        for query in ["m0x0 ", "m0x159 ", "m7x159 ", "m8x19 ", "m7x149 "] {
            assert_eq!(stage.finds(query).await.len(), 1, "{}: {query}", stage.engine);
        }
        assert!(stage.finds("m3x").await.is_empty(), "{}", stage.engine);
        stage.end().await;
    }
}
