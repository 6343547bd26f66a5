//! Drafts, publishing, limits, photos and records.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Member, Rig, chunk, png};

#[tokio::test]
async fn completed_draft_is_one_published_item_with_the_same_id() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = member.hoodie("Grey hoodie").await;
    let draft = member.save_draft(&item).await;
    assert_eq!(member.wardrobe().await[0]["is_draft"], true);
    let (status, body) = member
        .call(Method::POST, &Member::completion(draft), json!({"draft": item}))
        .await;
    assert_eq!(
        (status, body["item"]["id"].as_u64()),
        (StatusCode::OK, Some(draft)),
        "{body}"
    );

    let published = rig.records("item_published").await;
    assert_eq!(published.len(), 1);
    let record = &published[0];
    assert_eq!(record["item_id"], draft);
    assert_eq!(record["draft_id"], draft);
    assert_eq!(record["price_minor"], 2950);
    assert_eq!(record["photo_count"], 1);
    assert_eq!(
        (&record["via"], &record["push_up"], &record["trusted"]),
        (&json!("draft"), &json!(false), &Value::Null)
    );
    assert_eq!(
        record["photo_sha256s"][0],
        rig.records("photo").await[0]["sha256"]
    );
    let row = &member.wardrobe().await[0];
    assert_eq!(
        (&row["is_draft"], &row["price"]["amount"]),
        (&json!(false), &json!("29.5"))
    );
    assert_eq!((&row["brand"], &row["status"]), (&json!("Nike"), &json!("Good")));

    let (again, body) = member
        .call(Method::POST, &Member::completion(draft), json!({"draft": item}))
        .await;
    assert_eq!((again, body["code"].as_u64()), (StatusCode::NOT_FOUND, Some(104)));
    assert_eq!(rig.count("item_published").await, 1);
}

#[tokio::test]
async fn identical_items_are_not_deduplicated() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = member.hoodie("Grey hoodie").await;
    for _ in 0..2 {
        let path = "/api/v2/item_upload/items";
        let request = member
            .request(Method::POST, path)
            .header("x-practice-trusted", "true");
        let answer = request
            .json(&json!({"item": item, "push_up": true}))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let published = rig.records("item_published").await;
    assert_eq!(published.len(), 2);
    assert_eq!(
        (&published[0]["via"], &published[0]["push_up"]),
        (&json!("direct"), &json!(true))
    );
    assert_eq!(published[0]["trusted"], true);
}

#[tokio::test]
async fn record_is_written_as_one_line_before_the_answer() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let draft = member.save_draft(&member.hoodie("Hoodie").await).await;
    let (status, _) = member
        .call(
            Method::DELETE,
            &format!("/api/v2/item_upload/drafts/{draft}"),
            Value::Null,
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let text = std::fs::read_to_string(&rig.records_file).expect("the records");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let kinds: Vec<_> = lines
        .iter()
        .map(|line| line["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(kinds, ["photo", "draft_saved", "draft_deleted"]);
    assert_eq!(
        lines.iter().map(|line| line["seq"].as_u64()).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(3)]
    );
    let newer = rig.admin(Method::GET, "records?since=2", Value::Null).await;
    assert_eq!(newer, json!([lines[2]]));
}

#[tokio::test]
async fn limit_violations_are_refused_by_field() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let good = member.hoodie("Hoodie").await;
    let photo = good["assigned_photos"][0].clone();
    for (field, key, value) in [
        ("title", "title", json!("x".repeat(101))),
        ("title", "title", json!("WARM GREY HOODIE")),
        ("title", "title", json!("Hoodie !!!!!")),
        ("description", "description", json!("x".repeat(2_001))),
        ("price", "price", json!(0.99)),
        ("price", "price", json!("30000.01")),
        ("price", "price", json!("cheap")),
        ("color", "color_ids", json!([])),
        ("color", "color_ids", json!([1, 2, 3])),
        (
            "size",
            "item_attributes",
            json!([{"code": "condition", "ids": [3]}]),
        ),
        ("category", "catalog_id", json!(5)),
        ("brand", "brand_id", json!(null)),
        ("package_size", "package_size_id", json!(null)),
        ("photos", "assigned_photos", json!([])),
        ("photos", "assigned_photos", json!([{"id": 1}])),
        ("photos", "assigned_photos", Value::Array(vec![photo; 21])),
    ] {
        let mut item = good.clone();
        item[key] = value;
        let (status, body) = member
            .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
            .await;
        assert_eq!(
            (status, body["code"].as_u64()),
            (StatusCode::BAD_REQUEST, Some(99)),
            "{key}: {body}"
        );
        let fields: Vec<_> = body["errors"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["field"])
            .collect();
        assert_eq!(fields, [field], "{key}");
    }
    assert_eq!(rig.count("item_published").await, 0);
}

#[tokio::test]
async fn emoji_in_a_title_is_refused_to_german_members() {
    let rig = Rig::start().await;
    for (language, expected) in [("de", StatusCode::BAD_REQUEST), ("fr", StatusCode::OK)] {
        let member = rig
            .member_with(json!({"login": language, "language": language}))
            .await;
        let item = member.hoodie("Hoodie ✨").await;
        let (status, body) = member
            .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
            .await;
        assert_eq!(status, expected, "{language}: {body}");
        let older = rig.item(&member, "Hoodie ✨").await;
        let path = format!("/api/v2/item_upload/items/{older}");
        let (status, body) = member.call(Method::PUT, &path, json!({"item": item})).await;
        assert_eq!(status, StatusCode::OK, "the title stays: {body}");
    }
}

#[tokio::test]
async fn edit_replaces_the_item_and_only_its_owner_may_edit() {
    let rig = Rig::start().await;
    let (member, other) = (rig.member("lea").await, rig.member("max").await);
    let mut item = member.hoodie("Hoodie").await;
    let (_, body) = member
        .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
        .await;
    let path = format!("/api/v2/item_upload/items/{}", body["item"]["id"]);
    item["price"] = json!("19.00");
    let (foreign, _) = other.call(Method::PUT, &path, json!({"item": item})).await;
    assert_eq!(foreign, StatusCode::NOT_FOUND);
    let (status, _) = member.call(Method::PUT, &path, json!({"item": item})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(member.get(&path).await["item"]["price"]["amount"], "19.0");
    assert_eq!(rig.count("item_edited").await, 1);

    let hide = format!("/api/v2/items/{}/is_hidden", body["item"]["id"]);
    member.call(Method::PUT, &hide, json!({"is_hidden": true})).await;
    let seen = other.get(&format!("/api/v2/wardrobe/{}/items", member.id)).await;
    assert_eq!(seen["items"], json!([]));
    let (gone, _) = member
        .call(
            Method::POST,
            &format!("/api/v2/items/{}/delete", body["item"]["id"]),
            Value::Null,
        )
        .await;
    assert_eq!(gone, StatusCode::OK);
    assert_eq!(
        (member.wardrobe().await.len(), rig.count("item_deleted").await),
        (0, 1)
    );
}

#[tokio::test]
async fn photo_record_lists_every_metadata_value() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    member.upload(png()).await;
    let mut telling = png();
    let end = telling.split_off(telling.len() - 12);
    chunk(&mut telling, b"tEXt", b"Author\0Somebody");
    chunk(&mut telling, b"eXIf", &exif_with_position());
    telling.extend(end);
    let (status, photo) = member.upload(telling).await;
    assert_eq!((status, photo["width"].as_u64()), (StatusCode::OK, Some(1)));

    let photos = rig.records("photo").await;
    assert_eq!(photos[0]["metadata"], json!({}));
    let found = &photos[1]["metadata"];
    assert!(
        found["text.Author"]
            .as_str()
            .expect("a text")
            .contains("Somebody"),
        "{found}"
    );
    assert_eq!(found["exif.GPSLatitudeRef"], "N", "{found}");
    assert_eq!(
        found["exif.Orientation"], "row 0 at right and column 0 at top",
        "{found}"
    );
}

/// Returns a little-endian EXIF block with an orientation and a latitude reference of north.
fn exif_with_position() -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0".to_vec();
    exif.extend([2, 0]);
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
    exif.extend([0x25, 0x88, 4, 0, 1, 0, 0, 0, 38, 0, 0, 0]);
    exif.extend([0; 4]);
    exif.extend([1, 0]);
    exif.extend([0x01, 0x00, 2, 0, 2, 0, 0, 0, b'N', 0, 0, 0]);
    exif.extend([0; 4]);
    exif
}

#[tokio::test]
async fn upload_that_is_no_photo_is_refused() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let (status, body) = member.upload(b"hello".to_vec()).await;
    assert_eq!(
        (status, body["code"].as_u64()),
        (StatusCode::BAD_REQUEST, Some(50))
    );
    assert_eq!(rig.count("photo").await, 0);
}

#[tokio::test]
async fn member_text_is_escaped_on_every_page() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = member.hoodie("Soft </script><b>hoodie</b>").await;
    let (_, body) = member
        .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
        .await;
    let id = &body["item"]["id"];
    for path in [
        format!("/items/{id}"),
        format!("/items/{id}/edit"),
        format!("/member/{}", member.id),
    ] {
        let (status, page) = member.call(Method::GET, &path, Value::Null).await;
        let page = page.as_str().expect("a page");
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("hoodie") && !page.contains("<b>hoodie"), "{path}");
    }
}
