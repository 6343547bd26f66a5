//! Starts that are refused. Each error names the setting to change.

use anyhow::{Result, ensure};
use vintedbot_proofs::cluster::{Cluster, Member, Role, Seller};

/// Tries invalid starts one after the other, beside running processes.
pub async fn missing_or_invalid_settings_fail_startup(cluster: &mut Cluster) -> Result<()> {
    let redis = cluster
        .redis
        .as_ref()
        .map(|redis| redis.url_with_wrong_password());
    let secure = cluster.redis.as_ref().map(|redis| redis.secure_url());
    let secure = secure.unwrap_or_default();
    let another_key = "8".repeat(64);
    let wrong = [
        ("DATABASE_URL", "", "DATABASE_URL"),
        ("ENCRYPTION_KEY", "", "ENCRYPTION_KEY"),
        ("ENCRYPTION_KEY", &another_key, "ENCRYPTION_KEYS_OLD"),
        ("MEDIA_URL", "", "MEDIA_URL"),
        ("MEDIA_URL", "http://photos", "MEDIA_URL"),
        ("PRACTICE_URL", "", "PRACTICE_URL"),
        ("REDIS_URL", redis.as_deref().unwrap_or_default(), "REDIS_URL"),
        ("REDIS_URL", "redis://127.0.0.1:1", "REDIS_URL"),
        // The process does not trust the certificate of this Redis.
        ("REDIS_URL", &secure, "REDIS_URL"),
        ("REDIS_URL", "nowhere", "REDIS_URL"),
    ];
    let count = wrong.len();
    for (number, (setting, value, expected)) in wrong.into_iter().enumerate() {
        for role in [Role::Server, Role::Worker(Vec::new())] {
            let mut member = cluster.member(&format!("wrong-{number}"), role)?;
            member.set(setting, value);
            assert_refused(&mut member, &[expected]).await?;
        }
    }
    let secret = redis.unwrap_or_default();
    for number in 0..count {
        let log =
            std::fs::read_to_string(cluster.folder().join(format!("wrong-{number}.log"))).unwrap_or_default();
        ensure!(!log.contains(&secret), "a password is in the log");
    }

    let mut same = cluster.member("same", worker(&["--name", "worker-1"]))?;
    assert_refused(&mut same, &["worker-1", "--name"]).await?;
    let mut unknown = cluster.member("unknown", worker(&["--kinds", "publishing"]))?;
    assert_refused(&mut unknown, &["--kinds", "publishing", "send_reply"]).await?;
    let mut used = cluster.member("server-1", Role::Server)?;
    assert_refused(&mut used, &["server-1", "DATA_DIR"]).await?;

    // A folder of another instance must not begin a new log while other processes work.
    let stray = cluster.folder().join("stray");
    std::fs::create_dir_all(&stray)?;
    std::fs::write(stray.join("instance"), "018f0000-0000-7000-8000-000000000000\n")?;
    for role in [Role::Server, worker(&[])] {
        let mut stray = cluster.member("stray", role)?;
        assert_refused(&mut stray, &["DATA_DIR", "DATABASE_URL"]).await?;
    }

    // After a kill, a worker's name is free at once on its own machine.
    cluster.workers[0].kill().await?;
    cluster.workers[0].start().await?;

    // The running processes are unaffected.
    let client = cluster.client(&cluster.servers[0].url())?;
    let seller = Seller::start(&client, "Sophie").await?;
    seller.publish("Sweat après tout cela").await?;
    Ok(())
}

fn worker(arguments: &[&str]) -> Role {
    Role::Worker(arguments.iter().map(|argument| (*argument).to_owned()).collect())
}

async fn assert_refused(member: &mut Member, words: &[&str]) -> Result<()> {
    let error = member.refused().await?;
    for word in words {
        ensure!(error.contains(word), "{word} is not named: {error}");
    }
    Ok(())
}
