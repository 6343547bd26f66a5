use vintedbot_domain::Reason;
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::{self, NewTemplate, Preview, Source, UpdateTemplate};

use crate::conversations::{self, ThreadSpec};
use crate::support::{World, page, reason, request_id, violated};

fn new(name: &str, text: &str) -> NewTemplate {
    NewTemplate {
        name: name.to_owned(),
        text: text.to_owned(),
        request_id: None,
    }
}

#[tokio::test]
async fn template_is_created_updated_listed_and_deleted() {
    let world = World::new().await;
    let (context, caller) = (&world.context, &world.caller);
    let repeated = NewTemplate {
        request_id: request_id(),
        ..new(" Thanks ", "Thank you, {{person}}!")
    };
    let made = inbox::create_template(context, caller, repeated.clone())
        .await
        .expect("is made");
    let again = inbox::create_template(context, caller, repeated)
        .await
        .expect("was made");
    assert_eq!(again, made);
    assert_eq!(
        (made.name.as_str(), made.variables()),
        ("Thanks", vec!["person".to_owned()])
    );
    let other = inbox::create_template(context, caller, new("Hello", "Hello"))
        .await
        .expect("is made");
    let taken = inbox::create_template(context, caller, new("Hello", "Other")).await;
    assert_eq!(reason(taken), Some(Reason::NameTaken));

    let first = inbox::list_templates(context, caller, &page(1, ""))
        .await
        .expect("a page");
    let second = inbox::list_templates(context, caller, &page(1, &first.next_page_token))
        .await
        .expect("a page");
    assert_eq!(
        [first.items, second.items].concat(),
        [other.clone(), made.clone()]
    );

    let update = UpdateTemplate {
        id: made.id.clone(),
        text: "Thanks!".to_owned(),
        expected_sequence: Some(made.sequence),
        ..UpdateTemplate::default()
    };
    let changed = inbox::update_template(context, caller, update.clone())
        .await
        .expect("is changed");
    assert_eq!(
        (changed.name.as_str(), changed.text.as_str()),
        ("Thanks", "Thanks!")
    );
    let stale = inbox::update_template(context, caller, update).await;
    assert_eq!(reason(stale), Some(Reason::ResourceChanged));
    let to_taken = UpdateTemplate {
        id: made.id.clone(),
        name: "Hello".to_owned(),
        ..UpdateTemplate::default()
    };
    assert_eq!(
        reason(inbox::update_template(context, caller, to_taken).await),
        Some(Reason::NameTaken)
    );

    let stranger = world.stranger().await;
    assert_eq!(
        reason(inbox::delete_template(context, &stranger, &made.id, None).await),
        Some(Reason::NotFound)
    );
    let once = request_id();
    for _ in 0..2 {
        inbox::delete_template(context, caller, &made.id, once.clone())
            .await
            .expect("goes");
    }
    let events = world.events().await;
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event.kind)
        .filter(|kind| *kind != Kind::ApiTokenCreated)
        .collect();
    assert_eq!(
        kinds,
        [
            Kind::TemplateCreated,
            Kind::TemplateCreated,
            Kind::TemplateUpdated,
            Kind::TemplateDeleted
        ]
    );
}

#[tokio::test]
async fn invalid_template_is_refused_with_every_reason() {
    let world = World::new().await;
    let (context, caller) = (&world.context, &world.caller);
    let long = "x".repeat(4001);
    for (name, text, fields) in [
        ("", "", &["name", "text"][..]),
        (&long[..101], "ok", &["name"]),
        ("a\nb", &long, &["name", "text"]),
        ("ok", "{{persn}} and {{price}}", &["text", "text"]),
        ("ok", "a\u{7}", &["text"]),
    ] {
        let refused = inbox::create_template(context, caller, new(name, text)).await;
        assert_eq!(violated(refused), fields);
    }
    let made = inbox::create_template(context, caller, new("ok", "two\nlines\t{{ person }}"))
        .await
        .expect("is made");
    let update = |mask: &[&str], text: &str| UpdateTemplate {
        id: made.id.clone(),
        text: text.to_owned(),
        mask: mask.iter().map(|path| (*path).to_owned()).collect(),
        ..UpdateTemplate::default()
    };
    for (wrong, field) in [
        (update(&["name"], "x"), "template.name"),
        (update(&["text"], ""), "template.text"),
        (update(&[], "{{x}}"), "template.text"),
        (update(&["id"], "x"), "update_mask"),
    ] {
        assert_eq!(
            violated(inbox::update_template(context, caller, wrong).await),
            [field]
        );
    }
}

#[tokio::test]
async fn preview_reports_unfilled_variables() {
    let (world, account) = World::with_account().await;
    let (context, caller) = (&world.context, &world.caller);
    let full = ThreadSpec {
        member_id: "anna",
        subject: "Blue coat",
        price: Some(2950),
        ..ThreadSpec::default()
    };
    let full = conversations::store(&world, &account, &full).await;
    let bare = conversations::store(&world, &account, &ThreadSpec::default()).await;
    let text = "Hi {{person}}: {{ item_title }} is {{item_price}}";
    let made = inbox::create_template(context, caller, new("Price", text))
        .await
        .expect("is made");
    let preview = |source, thread_id: &str| Preview {
        source,
        thread_id: thread_id.to_owned(),
    };
    let filled = inbox::preview(context, caller, preview(Source::Template(made.id), &full))
        .await
        .expect("is filled");
    assert_eq!(filled.text, "Hi anna: Blue coat is 29,50\u{a0}€");
    assert!(filled.unfilled.is_empty());
    let open = inbox::preview(context, caller, preview(Source::Text(text.to_owned()), &bare))
        .await
        .expect("is filled");
    assert_eq!(open.text, text);
    assert_eq!(open.unfilled, ["item_price", "item_title", "person"]);
    let unknown = inbox::preview(context, caller, preview(Source::Text("{{x}}".to_owned()), &full)).await;
    assert_eq!(violated(unknown), ["text"]);
    let nowhere = inbox::preview(
        context,
        caller,
        preview(Source::Text("x".to_owned()), &account.id),
    )
    .await;
    assert_eq!(reason(nowhere), Some(Reason::NotFound));
}
