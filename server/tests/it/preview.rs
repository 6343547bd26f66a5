//! The page that shows a person what a job is about to do.

use vintedbot_domain::publishing::{Change, FieldChange};
use vintedbot_domain::wardrobe::compare::{DesiredItem, Photos};
use vintedbot_marketplace::ChangeKind;

use crate::harness::{self, http};
use crate::publishing::{TITLE, get, prepared, prepared_as};

#[tokio::test]
async fn preview_page_is_escaped_and_hides_the_confirmation() {
    let instance = harness::start().await;
    let row = prepared(&instance).await;
    let job = get(instance.connect().await, &row.id).await;
    assert!(job.preview_url.starts_with(&instance.url));
    let page = http().get(&job.preview_url).send().await.expect("answers");
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .expect("ASCII")
        .to_owned();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("script-src"),
        "{policy}"
    );
    let html = page.text().await.expect("a body");
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; co"),
        "{html}"
    );
    assert!(!html.contains("What changes on the site"));
    assert!(html.contains("29.05 EUR") && html.contains("Worn &lt;b&gt;twice&lt;/b&gt;"));
    assert!(
        html.contains("src=\"/media/"),
        "pictures come from the page's own server"
    );
    assert!(!html.contains("<script"));
    assert!(!html.contains(&job.confirmation.expect("awaits it").confirm_token));
    let altered = http()
        .get(format!("{}x", job.preview_url))
        .send()
        .await
        .expect("answers");
    assert_eq!(altered.status(), 404);
    instance.stop().await;
}

#[tokio::test]
async fn preview_page_of_a_change_shows_old_and_new_values() {
    let instance = harness::start().await;
    let desired = DesiredItem {
        title: TITLE.to_owned(),
        description: String::new(),
        price: None,
        category: None,
        brand: None,
        size: None,
        condition: None,
        colors: Vec::new(),
        materials: Vec::new(),
        package_size: None,
        photos: Photos::Count(1),
        hidden: None,
        closed: None,
    };
    let change = Change {
        kind: ChangeKind::Edit,
        remote_id: "77".to_owned(),
        keeps_photos: true,
        overwrite_remote: false,
        before: desired.clone(),
        after: desired,
        photo_ids: Vec::new(),
    };
    let title = FieldChange {
        field: "title".to_owned(),
        before: "Was <i>this</i>".to_owned(),
        after: "Is that".to_owned(),
    };
    let row = prepared_as(&instance, Some(change), &[title]).await;
    let job = get(instance.connect().await, &row.id).await;
    let page = http().get(&job.preview_url).send().await.expect("answers");
    let html = page.text().await.expect("a body");
    assert!(html.contains("<p>Changes item 77.</p>"), "{html}");
    assert!(
        html.contains("<tr><td>title</td><td>Was &lt;i&gt;this&lt;/i&gt;</td><td>Is that</td></tr>"),
        "{html}"
    );
    instance.stop().await;
}
