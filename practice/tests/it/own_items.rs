//! What members do with their published items.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{HOODIES, Member, Rig};

async fn published(member: &Member) -> (Value, u64) {
    let item = member.hoodie("Hoodie").await;
    let (_, body) = member
        .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
        .await;
    (item, body["item"]["id"].as_u64().expect("an id"))
}

#[tokio::test]
async fn edit_drops_omitted_fields_and_records_the_whole_item() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let (mut item, id) = published(&member).await;
    item["color_ids"] = json!([15]);
    item["measurement_length"] = json!(70);
    item["item_attributes"]
        .as_array_mut()
        .expect("a list")
        .retain(|one| one["code"] != "material");
    let path = format!("/api/v2/item_upload/items/{id}");
    let (status, body) = member.call(Method::PUT, &path, json!({"item": item})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let read = member.get(&path).await["item"].clone();
    assert_eq!(
        (&read["color2_id"], &read["measurement_length"]),
        (&Value::Null, &json!(70))
    );
    let record = rig.records("item_edited").await[0].clone();
    assert_eq!(record["item_id"], id);
    assert_eq!(
        (&record["color_ids"], &record["material_ids"]),
        (&json!([15]), &json!([]))
    );
    assert_eq!(record["description"], "Worn twice, warm and soft.");

    item.as_object_mut().expect("an item").remove("description");
    let (status, _) = member.call(Method::PUT, &path, json!({"item": item})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn hide_unhide_and_delete_write_one_record_each() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let (_, id) = published(&member).await;
    for is_hidden in [true, false] {
        let path = format!("/api/v2/items/{id}/is_hidden");
        let (status, _) = member
            .call(Method::PUT, &path, json!({"is_hidden": is_hidden}))
            .await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(member.wardrobe().await[0]["is_hidden"], is_hidden);
    }
    let (status, _) = member
        .call(Method::POST, &format!("/api/v2/items/{id}/delete"), Value::Null)
        .await;
    assert_eq!(status, StatusCode::OK);
    for kind in ["item_hidden", "item_unhidden", "item_deleted"] {
        let records = rig.records(kind).await;
        assert_eq!(records.len(), 1, "{kind}");
        assert_eq!(records[0]["item_id"], id);
    }
    assert_eq!(rig.count("item_edited").await, 0);
}

#[tokio::test]
async fn editor_of_a_published_item_saves_no_draft() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let (_, id) = published(&member).await;
    let (_, page) = member
        .call(Method::GET, &format!("/items/{id}/edit"), Value::Null)
        .await;
    let page = page.as_str().expect("a page");
    assert!(page.contains("upload-form-save-button"));
    assert!(!page.contains("draft-button"));
    let (_, page) = member
        .call(Method::GET, &format!("/items/{id}"), Value::Null)
        .await;
    for test_id in [
        "item-edit-button",
        "item-hide-button",
        "item-delete-button",
        "item-delete-modal",
        "item-delete-confirmation-button",
        "item-delete-cancelation-button",
    ] {
        assert!(page.as_str().expect("a page").contains(test_id), "{test_id}");
    }
}

#[tokio::test]
async fn seeded_item_can_have_real_photos() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = json!({"title": "Old hoodie", "price": 12, "catalog_id": HOODIES});
    let made = rig
        .admin(
            Method::POST,
            "items",
            json!({"member_id": member.id, "item": item, "photos": 2}),
        )
        .await;
    let photos = made["item"]["photos"].as_array().expect("photos").clone();
    assert_eq!(photos.len(), 2);
    let mut all = Vec::new();
    for photo in photos {
        let url = photo["url"].as_str().expect("an address");
        let answer = rig.client.get(url).send().await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        all.push(answer.bytes().await.expect("bytes"));
    }
    assert!(all[0].starts_with(&[0xff, 0xd8]));
    assert_ne!(all[0], all[1]);
}

#[tokio::test]
async fn wardrobe_row_has_names_and_only_its_own_id() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    published(&member).await;
    let row = member.wardrobe().await[0].clone();
    for key in [
        "id",
        "title",
        "price",
        "size",
        "brand",
        "status",
        "photos",
        "is_closed",
        "is_reserved",
    ] {
        assert!(row.get(key).is_some(), "{key}");
    }
    for key in [
        "description",
        "catalog_id",
        "brand_id",
        "size_id",
        "item_attributes",
    ] {
        assert!(row.get(key).is_none(), "{key}");
    }
}
