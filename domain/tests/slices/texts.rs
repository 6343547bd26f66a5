//! The common form of text: the text that each call stores for an input of people and programs, and the detection of
//! repeated calls.

use sea_orm::ConnectionTrait;
use vintedbot_domain::accounts;
use vintedbot_domain::inbox::{self, Label, NewTemplate, Note, Preview, SaveDraft, Source};
use vintedbot_domain::listings::{self, Filter, ListingInput, NewListing, Update};
use vintedbot_domain::{Error, Result};

use super::conversations::{ThreadSpec, world_with};
use super::reply_fixture::{ReplyFixture, to_send};
use super::support::{World, new_account, page, request_id, violated};

/// A text with a byte order mark, decomposed letters, a tab and both line breaks of other systems.
const SENT: &str = "\u{feff}Porte\u{301}\tdeux fois.\r\nTaille 38\rEnvoi";
const STORED: &str = "Porté deux fois.\nTaille 38\nEnvoi";
/// The same for a name, with bidirectional controls.
const NAME_SENT: &str = "\u{feff}E\u{301}charpe\t\u{202e}d'e\u{301}te\u{301}\u{202c}";
const NAME_STORED: &str = "Écharpe d'été";

fn described(title: &str, description: &str) -> ListingInput {
    ListingInput {
        title: title.to_owned(),
        description: description.to_owned(),
        ..ListingInput::default()
    }
}

/// Returns the description of the only violation.
fn told<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result.expect_err("a violation") {
        Error::Invalid(violations) => {
            let [only] = violations.as_slice() else {
                panic!("{violations:?}")
            };
            only.description.clone()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn listing_texts_are_stored_in_one_form() {
    let (world, account) = World::with_account().await;
    let (context, caller) = (&world.context, &world.caller);
    let new = NewListing {
        account_id: account.id.clone(),
        listing: described(NAME_SENT, SENT),
        request_id: request_id(),
    };
    let made = listings::create(context, caller, new.clone())
        .await
        .expect("made");
    assert_eq!(
        (made.title.as_str(), made.description.as_str()),
        (NAME_STORED, STORED)
    );
    let again = listings::create(context, caller, new.clone())
        .await
        .expect("the same call");
    assert_eq!(again, made);
    let normalized = NewListing {
        listing: described(NAME_STORED, STORED),
        ..new
    };
    let again = listings::create(context, caller, normalized)
        .await
        .expect("the same texts");
    assert_eq!(again, made);

    let update = Update {
        id: made.id.clone(),
        listing: described("Robe\te\u{301}te\u{301}", "a\r\nb"),
        request_id: request_id(),
        ..Update::default()
    };
    for _ in 0..2 {
        let changed = listings::update(context, caller, update.clone())
            .await
            .expect("changed");
        assert_eq!(
            (changed.title.as_str(), changed.description.as_str()),
            ("Robe été", "a\nb")
        );
    }
    let filter = Filter {
        title_contains: "E\u{301}TE\u{301}".to_owned(),
        ..Filter::default()
    };
    let found = listings::list(context, caller, &filter, &page(0, ""))
        .await
        .expect("a list");
    assert_eq!(found.items.len(), 1);
    // Other control characters, and line breaks in a title, are named.
    for (input, code) in [
        (described("a\r\nb", ""), "U+000A"),
        (described("a\u{7}b", ""), "U+0007"),
        (described("", "a\u{b}b"), "U+000B"),
    ] {
        let told = told(world.try_listing(&account, input).await);
        assert!(told.contains(code), "{told}");
    }
}

#[tokio::test]
async fn title_length_is_that_of_composed_graphemes() {
    let (world, account) = World::with_account().await;
    let composed = world
        .listing(&account, described(&"e\u{301}".repeat(100), ""))
        .await;
    assert_eq!(composed.title, "é".repeat(100));
    let england = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
    let title = format!("Maillot {england} {}", "a".repeat(90));
    assert_eq!(world.listing(&account, described(&title, "")).await.title, title);
    let long = described(&"e\u{301}".repeat(101), "");
    let told = told(world.try_listing(&account, long).await);
    assert!(told.starts_with("101 characters"), "{told}");
}

#[tokio::test]
async fn emoji_in_a_title_is_refused_to_german_accounts() {
    let (world, french) = World::with_account().await;
    let mut new = new_account("Laden");
    "de".clone_into(&mut new.market);
    let german = accounts::create(&world.context, &world.caller, new)
        .await
        .expect("an account");
    let told_of = told(world.try_listing(&german, described("Strickjacke ✨", "")).await);
    assert!(told_of.contains('✨'), "{told_of}");
    world.listing(&french, described("Gilet ✨", "")).await;
    let listing = world
        .listing(&german, described("Schöne Jacke, Größe 38", "✨"))
        .await;
    let update = |title: &str| Update {
        id: listing.id.clone(),
        listing: described(title, ""),
        ..Update::default()
    };
    let refused = listings::update(&world.context, &world.caller, update("Jacke \u{2764}\u{fe0f}")).await;
    assert_eq!(violated(refused), ["listing.title"]);
}

#[tokio::test]
async fn template_with_other_line_breaks_is_stored_and_previewed() {
    let (world, _, threads) = world_with(&[ThreadSpec::default()]).await;
    let (context, caller) = (&world.context, &world.caller);
    let new = NewTemplate {
        name: NAME_SENT.to_owned(),
        text: SENT.to_owned(),
        request_id: request_id(),
    };
    let made = inbox::create_template(context, caller, new.clone())
        .await
        .expect("made");
    assert_eq!((made.name.as_str(), made.text.as_str()), (NAME_STORED, STORED));
    let again = inbox::create_template(context, caller, new)
        .await
        .expect("the same");
    assert_eq!(again, made);
    for source in [Source::Template(made.id), Source::Text(SENT.to_owned())] {
        let preview = Preview {
            source,
            thread_id: threads[0].clone(),
        };
        let filled = inbox::preview(context, caller, preview).await.expect("filled");
        assert_eq!(filled.text, STORED);
    }
    let update = inbox::UpdateTemplate {
        id: again.id,
        text: "a\r\nb".to_owned(),
        ..inbox::UpdateTemplate::default()
    };
    let changed = inbox::update_template(context, caller, update)
        .await
        .expect("changed");
    assert_eq!(changed.text, "a\nb");
}

#[tokio::test]
async fn reply_is_sent_in_the_stored_form_and_recognized() {
    let fixture = ReplyFixture::open().await;
    let send = inbox::replies::Send {
        request_id: request_id(),
        ..to_send(&fixture.thread_id, SENT, &[])
    };
    let reply = fixture.try_send(send.clone()).await.expect("taken on");
    assert_eq!(reply.text, STORED);
    let again = fixture.try_send(send).await.expect("the same call");
    assert_eq!(again.id, reply.id);
    let told = told(
        fixture
            .try_send(to_send(&fixture.thread_id, "a\u{7}b", &[]))
            .await,
    );
    assert!(told.contains("U+0007"), "{told}");
}

#[tokio::test]
async fn notes_drafts_and_labels_have_one_form() {
    let (world, _, threads) = world_with(&[ThreadSpec::default()]).await;
    let (context, caller, id) = (&world.context, &world.caller, threads[0].as_str());
    let note = Note {
        id: id.to_owned(),
        note: SENT.to_owned(),
        request_id: request_id(),
    };
    for _ in 0..2 {
        let thread = inbox::set_note(context, caller, note.clone())
            .await
            .expect("noted");
        assert_eq!(thread.note, STORED);
    }
    for (text, version) in [(SENT, 1), (STORED, 1)] {
        let save = SaveDraft {
            thread_id: id.to_owned(),
            text: text.to_owned(),
            expected_version: 0,
        };
        let draft = inbox::save_draft(context, caller, save).await.expect("saved");
        assert_eq!((draft.text.as_str(), draft.version), (STORED, version));
    }
    let label = |add: &[&str], remove: &[&str]| Label {
        ids: vec![id.to_owned()],
        add: add.iter().map(|one| (*one).to_owned()).collect(),
        remove: remove.iter().map(|one| (*one).to_owned()).collect(),
        request_id: None,
    };
    let labelled = inbox::label(context, caller, label(&[NAME_SENT], &[])).await;
    assert_eq!(labelled.expect("labelled")[0].labels, [NAME_STORED]);
    for asked in [NAME_SENT, NAME_STORED] {
        let filter = inbox::Filter {
            label: asked.to_owned(),
            ..inbox::Filter::default()
        };
        let found = inbox::list(context, caller, &filter, &page(0, "")).await;
        assert_eq!(found.expect("a list").items.len(), 1, "{asked:?}");
    }
    let removed = inbox::label(context, caller, label(&[], &[NAME_SENT])).await;
    assert!(removed.expect("removed")[0].labels.is_empty());
}

#[tokio::test]
async fn label_of_an_older_version_is_found_and_removed() {
    const OLD: &str = "e\u{301}te\u{301}";
    let (world, _, threads) = world_with(&[ThreadSpec::default()]).await;
    let (context, caller, id) = (&world.context, &world.caller, threads[0].as_str());
    let label = |add: &[&str], remove: &[&str]| Label {
        ids: vec![id.to_owned()],
        add: add.iter().map(|one| (*one).to_owned()).collect(),
        remove: remove.iter().map(|one| (*one).to_owned()).collect(),
        request_id: None,
    };
    inbox::label(context, caller, label(&["été"], &[]))
        .await
        .expect("labelled");
    for statement in [
        format!("UPDATE threads SET labels = '[\"{OLD}\"]'"),
        format!("UPDATE thread_labels SET label = '{OLD}'"),
    ] {
        let writer = context.store.writer();
        writer.execute_unprepared(&statement).await.expect("is written");
    }
    let found = async |label: &str| {
        let filter = inbox::Filter {
            label: label.to_owned(),
            ..inbox::Filter::default()
        };
        inbox::list(context, caller, &filter, &page(0, "")).await
    };
    assert_eq!(found(OLD).await.expect("a list").items.len(), 1);
    // A label of invisible characters alone is not accepted.
    assert_eq!(violated(found("\u{feff}").await), ["label"]);
    let removed = inbox::label(context, caller, label(&[], &[OLD])).await;
    assert!(removed.expect("removed")[0].labels.is_empty());
    assert!(found(OLD).await.expect("a list").items.is_empty());
}

#[tokio::test]
async fn account_name_has_one_form() {
    let world = World::new().await;
    let new = accounts::NewAccount {
        request_id: request_id(),
        ..new_account(NAME_SENT)
    };
    for _ in 0..2 {
        let account = accounts::create(&world.context, &world.caller, new.clone())
            .await
            .expect("made");
        assert_eq!(account.display_name, NAME_STORED);
    }
    let long = new_account(&"\u{1f1eb}\u{1f1f7}".repeat(101));
    assert_eq!(
        violated(accounts::create(&world.context, &world.caller, long).await),
        ["display_name"]
    );
}
