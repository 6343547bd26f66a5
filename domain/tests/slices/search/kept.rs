//! The index follows what is written, in the same transaction.

use vintedbot_domain::inbox::{self, Note};
use vintedbot_domain::listings::{self, ListingInput, Update};
use vintedbot_domain::{accounts, search::Filter};
use vintedbot_marketplace::EntryContent;

use super::{Told, entry, says, stages};
use crate::support::page;

#[tokio::test]
async fn what_is_written_is_found_and_what_is_gone_is_not() {
    for stage in stages().await {
        let (domain, caller, engine) = (&stage.world.domain, &stage.world.caller, stage.engine);
        let told = |entries| Told {
            id: "1",
            with: "paul",
            about: "Pull vert",
            entries,
        };
        let thread_id = stage
            .reads(told(vec![says(1, "premier message")]))
            .await
            .thread_id;
        assert_eq!(stage.finds("premier ").await.len(), 1, "{engine}");

        // A message comes, and the site alters another.
        stage
            .reads(told(vec![
                says(1, "dernier message"),
                says(2, "deuxieme message"),
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
        inbox::set_note(domain, caller, note("cliente fidele"))
            .await
            .expect("a note");
        assert_eq!(
            stage.finds("fidele ").await,
            ["note: cliente [fidele]"],
            "{engine}"
        );
        inbox::set_note(domain, caller, note("a rappeler"))
            .await
            .expect("a note");
        assert_eq!(stage.finds("fidele ").await.len(), 0, "{engine}");
        assert_eq!(stage.finds("rappeler ").await.len(), 1, "{engine}");
        inbox::set_note(domain, caller, note("")).await.expect("no note");
        assert_eq!(stage.finds("rappeler ").await.len(), 0, "{engine}");

        // Another item, another name.
        let renamed = Told {
            with: "paul",
            about: "Manteau bleu",
            ..told(vec![says(1, "dernier message"), says(2, "deuxieme message")])
        };
        stage.reads(renamed).await;
        assert_eq!(stage.finds("pull vert ").await.len(), 0, "{engine}");
        assert_eq!(
            stage.finds("manteau ").await,
            ["thread: [Manteau] bleu"],
            "{engine}"
        );
        assert_eq!(stage.finds("paul").await, ["person: [paul]"], "{engine}");

        inbox::delete(domain, caller, &thread_id, None)
            .await
            .expect("is hidden");
        assert_eq!(stage.finds("m*").await.len(), 0, "{engine}");
        // A new message brings it back, with everything in it.
        let back = vec![
            says(1, "dernier message"),
            says(2, "deuxieme message"),
            says(3, "me revoila"),
        ];
        stage.reads(told(back)).await;
        assert_eq!(stage.finds("message ").await.len(), 2, "{engine}");
        assert_eq!(stage.finds("revoila ").await.len(), 1, "{engine}");
        assert_eq!(stage.finds("pull ").await.len(), 1, "{engine}");

        accounts::delete(domain, caller, &stage.account.id, None)
            .await
            .expect("is deleted");
        for query in ["message ", "pull ", "paul"] {
            assert_eq!(stage.finds(query).await.len(), 0, "{engine}: {query}");
        }
        stage.end().await;
    }
}

#[tokio::test]
async fn a_listing_is_found_as_it_is_now() {
    for stage in stages().await {
        let (domain, caller, engine) = (&stage.world.domain, &stage.world.caller, stage.engine);
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
        // Listings are found by a call that needs another scope.
        assert!(stage.finds("veste").await.is_empty(), "{engine}");
        let update = Update {
            id: listing.id.clone(),
            listing: title("Blouson en jean"),
            ..Update::default()
        };
        listings::update(domain, caller, update).await.expect("changes");
        assert!(stage.finds_listings("veste").await.is_empty(), "{engine}");
        assert_eq!(stage.finds_listings("blouson jean").await.len(), 1, "{engine}");
        listings::delete(domain, caller, &listing.id, None)
            .await
            .expect("is deleted");
        assert!(stage.finds_listings("blouson").await.is_empty(), "{engine}");
        stage.end().await;
    }
}

#[tokio::test]
async fn things_of_one_moment_are_each_found() {
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
            .reads(Told {
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
