//! What callers see of a click whose outcome is not recorded.

use vintedbot_domain::publishing::{self, EffectKind, Filter, State, WaitReason, outcome};

use super::fixture::Fixture;

#[tokio::test]
async fn click_in_doubt_says_when_reconciliation_starts() {
    let fixture = Fixture::open().await;
    let (context, caller) = (&fixture.world.context, &fixture.world.caller);
    let (job, claim, work) = fixture.claimed_publish("In its click").await;
    let intent = fixture.intend(&claim, &work, EffectKind::Publish, &[]).await;
    let intent = intent.expect("there is consent");

    // The worker may be dead. Nothing else is known until its lease expires.
    let settings = &context.settings;
    let acts_for = settings.effects.click_window_ms + settings.effects.request_timeout_ms;
    let read_at = context.clock.now() + acts_for.max(settings.jobs.lease_ms);
    let listed = publishing::list(context, caller, &Filter::default(), None, 10).await;
    let (shown, _) = publishing::get_with_token(context, caller, &job.id)
        .await
        .expect("is there");
    for shown in listed
        .expect("a list")
        .into_iter()
        .chain([fixture.get(&job.id).await, shown])
    {
        assert_eq!(
            (shown.state, shown.wait_reason, shown.wait_until),
            (State::Publishing, Some(WaitReason::Settling), Some(read_at))
        );
    }

    let url = "https://site.invalid/items/1";
    outcome::published(context, &intent.effect_id, "1", url, false, "published")
        .await
        .expect("is written");
    let over = fixture.get(&job.id).await;
    assert_eq!((over.state, over.wait_reason), (State::Published, None));
}
