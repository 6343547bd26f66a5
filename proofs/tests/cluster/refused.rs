//! Starts that are refused, each in words that name what to change.

use anyhow::{Result, ensure};
use vintedbot_proofs::cluster::{Cluster, Member, Role, Seller};

/// One after the other, beside processes that are well.
pub async fn what_is_missing_or_wrong_is_refused_at_start(cluster: &mut Cluster) -> Result<()> {
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
        // Nobody said that its certificate is to be trusted.
        ("REDIS_URL", &secure, "REDIS_URL"),
        ("REDIS_URL", "nowhere", "REDIS_URL"),
    ];
    let count = wrong.len();
    for (number, (setting, value, expected)) in wrong.into_iter().enumerate() {
        for role in [Role::Server, Role::Worker(Vec::new())] {
            let mut member = cluster.member(&format!("wrong-{number}"), role)?;
            member.set(setting, value);
            told(&mut member, &[expected]).await?;
        }
    }
    let secret = redis.unwrap_or_default();
    for number in 0..count {
        let log =
            std::fs::read_to_string(cluster.folder().join(format!("wrong-{number}.log"))).unwrap_or_default();
        ensure!(!log.contains(&secret), "a password is in the log");
    }

    let mut same = cluster.member("same", worker(&["--name", "worker-1"]))?;
    told(&mut same, &["worker-1", "--name"]).await?;
    let mut unknown = cluster.member("unknown", worker(&["--kinds", "publishing"]))?;
    told(&mut unknown, &["--kinds", "publishing", "send_reply"]).await?;
    let mut used = cluster.member("server-1", Role::Server)?;
    told(&mut used, &["server-1", "DATA_DIR"]).await?;

    // A folder of another instance is no reason to begin a new log under the others' feet.
    let stray = cluster.folder().join("stray");
    std::fs::create_dir_all(&stray)?;
    std::fs::write(stray.join("instance"), "018f0000-0000-7000-8000-000000000000\n")?;
    for role in [Role::Server, worker(&[])] {
        let mut stray = cluster.member("stray", role)?;
        told(&mut stray, &["DATA_DIR", "DATABASE_URL"]).await?;
    }

    // Killed, a worker's name is free at once on its own machine.
    cluster.workers[0].kill().await?;
    cluster.workers[0].start().await?;

    // What is well goes on.
    let client = cluster.client(&cluster.servers[0].url())?;
    let seller = Seller::start(&client, "Sophie").await?;
    seller.publish("Sweat après tout cela").await?;
    Ok(())
}

fn worker(arguments: &[&str]) -> Role {
    Role::Worker(arguments.iter().map(|argument| (*argument).to_owned()).collect())
}

async fn told(member: &mut Member, words: &[&str]) -> Result<()> {
    let said = member.refused().await?;
    for word in words {
        ensure!(said.contains(word), "{word} is not named: {said}");
    }
    Ok(())
}
