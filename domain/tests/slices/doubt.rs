//! What is shown of a click whose outcome nobody has written down.

use vintedbot_domain::publishing::{self, EffectKind, Filter, State, WaitReason, outcome};

use super::desk::Desk;

#[tokio::test]
async fn a_click_without_an_outcome_says_from_when_the_site_is_read_for_it() {
    let desk = Desk::open().await;
    let (domain, caller) = (&desk.world.domain, &desk.world.caller);
    let (job, claim, work) = desk.at_work("In its click").await;
    let intent = desk.intend(&claim, &work, EffectKind::Publish, &[]).await;
    let intent = intent.expect("there is consent");

    // Whoever made it may be dead, and nobody knows as long as the claim is theirs.
    let settings = &domain.settings;
    let acts_for = settings.click_window_ms + settings.request_timeout_ms;
    let read_at = domain.clock.now() + acts_for.max(settings.lease_ms);
    let listed = publishing::list(domain, caller, &Filter::default(), None, 10).await;
    let (shown, _) = publishing::get_with_token(domain, caller, &job.id)
        .await
        .expect("is there");
    for shown in listed
        .expect("a list")
        .into_iter()
        .chain([desk.get(&job.id).await, shown])
    {
        assert_eq!(
            (shown.state, shown.wait_reason, shown.wait_until),
            (State::Publishing, Some(WaitReason::Settling), Some(read_at))
        );
    }

    let url = "https://site.invalid/items/1";
    outcome::published(domain, &intent.effect_id, "1", url, false, "published")
        .await
        .expect("is written");
    let over = desk.get(&job.id).await;
    assert_eq!((over.state, over.wait_reason), (State::Published, None));
}
