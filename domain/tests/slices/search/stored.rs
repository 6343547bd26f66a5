//! The index is updated in the transaction that writes the rows.

use vintedbot_domain::inbox::{self, Note};
use vintedbot_domain::listings::{self, ListingInput, Update};
use vintedbot_domain::{accounts, search::Filter};
use vintedbot_marketplace::EntryContent;

use super::{ConversationSpec, entry, message_entry, stages};
use crate::support::page;

#[tokio::test]
async fn written_text_is_found_and_deleted_text_is_not() {
    for stage in stages().await {
        let (context, caller, engine) = (&stage.world.context, &stage.world.caller, stage.engine);
        let spec = |entries| ConversationSpec {
            id: "1",
            with: "paul",
            about: "Pull vert",
            entries,
        };
        let thread_id = stage
            .store_conversation(spec(vec![message_entry(1, "premier message")]))
            .await
            .thread_id;
        assert_eq!(stage.finds("premier ").await.len(), 1, "{engine}");

        // One message is new, and the site has altered another.
        stage
            .store_conversation(spec(vec![
                message_entry(1, "dernier message"),
                message_entry(2, "deuxieme message"),
            ]))
            .await;
        assert_eq!(stage.finds("premier ").await.len(), 0, "{engine}");
        assert_eq!(
            stage.finds("message ").await,
            ["message: deuxieme [message]", "message: dernier [message]"],
            "{engine}"
        );

        let note = |text: &str| Note {
            id: thread_id.clone(),
            note: text.to_owned(),
            request_id: None,
        };
        inbox::set_note(context, caller, note("cliente fidele"))
            .await
            .expect("a note");
        assert_eq!(
            stage.finds("fidele ").await,
            ["note: cliente [fidele]"],
            "{engine}"
        );
        inbox::set_note(context, caller, note("a rappeler"))
            .await
            .expect("a note");
        assert_eq!(stage.finds("fidele ").await.len(), 0, "{engine}");
        assert_eq!(stage.finds("rappeler ").await.len(), 1, "{engine}");
        inbox::set_note(context, caller, note("")).await.expect("no note");
        assert_eq!(stage.finds("rappeler ").await.len(), 0, "{engine}");

        // The thread gets another item and another name.
        let renamed = ConversationSpec {
            with: "paul",
            about: "Manteau bleu",
            ..spec(vec![
                message_entry(1, "dernier message"),
                message_entry(2, "deuxieme message"),
            ])
        };
        stage.store_conversation(renamed).await;
        assert_eq!(stage.finds("pull vert ").await.len(), 0, "{engine}");
        assert_eq!(
            stage.finds("manteau ").await,
            ["thread: [Manteau] bleu"],
            "{engine}"
        );
        assert_eq!(stage.finds("paul").await, ["person: [paul]"], "{engine}");

        inbox::delete(context, caller, &thread_id, None)
            .await
            .expect("is hidden");
        assert_eq!(stage.finds("m*").await.len(), 0, "{engine}");
        // A new message brings the thread back with all of its content.
        let back = vec![
            message_entry(1, "dernier message"),
            message_entry(2, "deuxieme message"),
            message_entry(3, "me revoila"),
        ];
        stage.store_conversation(spec(back)).await;
        assert_eq!(stage.finds("message ").await.len(), 2, "{engine}");
        assert_eq!(stage.finds("revoila ").await.len(), 1, "{engine}");
        assert_eq!(stage.finds("pull ").await.len(), 1, "{engine}");

        accounts::delete(context, caller, &stage.account.id, None)
            .await
            .expect("is deleted");
        for query in ["message ", "pull ", "paul"] {
            assert_eq!(stage.finds(query).await.len(), 0, "{engine}: {query}");
        }
        stage.end().await;
    }
}

#[tokio::test]
async fn listing_is_found_by_its_current_text() {
    for stage in stages().await {
        let (context, caller, engine) = (&stage.world.context, &stage.world.caller, stage.engine);
        let title = |title: &str| ListingInput {
            title: title.to_owned(),
            ..ListingInput::default()
        };
        let listing = stage.world.listing(&stage.account, title("Veste en jean")).await;
        assert_eq!(
            stage.finds_listings("veste").await,
            ["Veste en jean: [Veste] en jean"],
            "{engine}"
        );
        // Listings are found by another call, which requires another scope.
        assert!(stage.finds("veste").await.is_empty(), "{engine}");
        let update = Update {
            id: listing.id.clone(),
            listing: title("Blouson en jean"),
            ..Update::default()
        };
        listings::update(context, caller, update).await.expect("changes");
        assert!(stage.finds_listings("veste").await.is_empty(), "{engine}");
        assert_eq!(stage.finds_listings("blouson jean").await.len(), 1, "{engine}");
        listings::delete(context, caller, &listing.id, None)
            .await
            .expect("is deleted");
        assert!(stage.finds_listings("blouson").await.is_empty(), "{engine}");
        stage.end().await;
    }
}

#[tokio::test]
async fn rows_with_equal_timestamps_are_all_found() {
    for stage in stages().await {
        let entries = (0..1_500).map(|number| {
            let content = EntryContent::Message {
                body: format!("simultane s{number}"),
                photo_urls: Vec::new(),
            };
            let mut entry = entry(5, content);
            entry.remote_id = Some(number.to_string());
            entry
        });
        stage
            .store_conversation(ConversationSpec {
                id: "1",
                with: "paul",
                about: "Pull",
                entries: entries.collect(),
            })
            .await;
        let (mut token, mut count) = (String::new(), 0);
        loop {
            let answer = stage
                .search("simultane ", &Filter::default(), &page(200, &token))
                .await;
            let found = answer.expect("a page").page;
            count += found.items.len();
            token = found.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(count, 1_500, "{}", stage.engine);
        stage.end().await;
    }
}
