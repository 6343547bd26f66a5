//! Templates over the API.

use tonic::Code;
use tonic_types::StatusExt as _;
use vintedbot_proto::v1;
use vintedbot_proto::v1::preview_template_request::Source;
use vintedbot_proto::v1::template_service_client::TemplateServiceClient;

use crate::conversations::{conversation, priced, store, stranger};
use crate::harness::{self, reason};

fn new(name: &str, text: &str) -> v1::CreateTemplateRequest {
    v1::CreateTemplateRequest {
        name: name.to_owned(),
        text: text.to_owned(),
        request_id: String::new(),
    }
}

#[tokio::test]
async fn template_is_created_updated_previewed_and_deleted() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let spec = priced(conversation("9", "200", 1, 10), 1200);
    let thread_id = store(&instance, &account.id, &spec).await;
    let mut client = TemplateServiceClient::new(instance.connect().await);
    let made = client
        .create_template(new("Price", "{{item_title}}: {{item_price}}, {{person}}"))
        .await;
    let made = made.expect("is made").into_inner().template.expect("a template");
    assert_eq!(made.variables, ["item_price", "item_title", "person"]);
    let preview = v1::PreviewTemplateRequest {
        source: Some(Source::TemplateId(made.id.clone())),
        thread_id: thread_id.clone(),
    };
    let filled = client
        .preview_template(preview)
        .await
        .expect("is filled")
        .into_inner();
    assert_eq!(filled.text, "Blue coat: 12,00\u{a0}€, member-200");
    assert!(filled.unfilled_variables.is_empty());

    let status = client
        .create_template(new("Price", "x"))
        .await
        .expect_err("is taken");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::AlreadyExists, "NAME_TAKEN")
    );
    let update = v1::UpdateTemplateRequest {
        id: made.id.clone(),
        template: Some(v1::Template {
            text: "Hi".into(),
            ..Default::default()
        }),
        expected_sequence: Some(made.sequence),
        ..Default::default()
    };
    let changed = client
        .update_template(update.clone())
        .await
        .expect("is changed")
        .into_inner()
        .template;
    assert_eq!(changed.expect("a template").name, "Price");
    let status = client.update_template(update).await.expect_err("has changed");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "RESOURCE_CHANGED")
    );

    let get = v1::GetTemplateRequest { id: made.id.clone() };
    let mut other = TemplateServiceClient::new(stranger(&instance).await);
    let status = other.get_template(get.clone()).await.expect_err("is another's");
    assert_eq!(reason(&status), "NOT_FOUND");
    let delete = v1::DeleteTemplateRequest {
        id: made.id,
        ..Default::default()
    };
    client.delete_template(delete).await.expect("goes");
    assert_eq!(
        reason(&client.get_template(get).await.expect_err("is gone")),
        "NOT_FOUND"
    );
    let list = client
        .list_templates(v1::ListTemplatesRequest::default())
        .await
        .expect("lists");
    assert!(list.into_inner().templates.is_empty());
    instance.stop().await;
}

#[tokio::test]
async fn unknown_variable_is_refused_and_unfilled_one_is_reported() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let thread_id = store(&instance, &account.id, &conversation("9", "200", 1, 10)).await;
    let mut client = TemplateServiceClient::new(instance.connect().await);
    let status = client
        .create_template(new("", "{{buyer}} {{person}}"))
        .await
        .expect_err("two mistakes");
    let violations = status
        .get_details_bad_request()
        .expect("violations")
        .field_violations;
    let fields: Vec<_> = violations.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["name", "text"]);
    assert!(violations[1].description.contains("buyer"), "{violations:?}");

    let preview = |source| v1::PreviewTemplateRequest {
        source,
        thread_id: thread_id.clone(),
    };
    let text = Some(Source::Text("{{person}} pays {{item_price}}".into()));
    let filled = client
        .preview_template(preview(text))
        .await
        .expect("is filled")
        .into_inner();
    assert_eq!(filled.text, "member-200 pays {{item_price}}");
    assert_eq!(filled.unfilled_variables, ["item_price"]);
    let status = client
        .preview_template(preview(None))
        .await
        .expect_err("nothing to fill");
    assert_eq!(reason(&status), "VALIDATION_FAILED");
    let unknown = Some(Source::TemplateId(instance.context.ids.id()));
    assert_eq!(
        reason(
            &client
                .preview_template(preview(unknown))
                .await
                .expect_err("is unknown")
        ),
        "NOT_FOUND"
    );
    instance.stop().await;
}
