//! Fills an inbox with a hundred thousand threads, written directly into the database, and measures a sync that finds
//! nothing new.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, params};
use serde_json::json;
use tokio::time::{Instant, sleep};
use vintedbot_sdk::Client;

use super::table::{Row, time};
use super::witness::Look;
use crate::records::Site;

const THREADS: u32 = 100_000;
/// The number of people. Each has more threads than in a real inbox, which does not make reading easier.
const PEOPLE: u32 = 1_000;
/// The number of messages in the thread whose messages are read.
const MESSAGES: u32 = 1_000;
const READINGS: u32 = 20;
/// A sync reads a row of the inbox again if it changed within this time.
const SETTLES: std::time::Duration = std::time::Duration::from_secs(3);

/// Tables that an instance also writes without a sync: the worker's heartbeat, the next run of schedules, and the last
/// use of the token, for any call.
const BY_ITSELF: [&str; 3] = ["workers", "schedules", "api_tokens"];

/// Fills the database. Returns the id of the thread with many messages.
pub fn fill(database: &Path, account_id: &str) -> Result<String> {
    let mut connection = Connection::open(database)?;
    let transaction = connection.transaction()?;
    let workspace_id: String = transaction.query_row("SELECT id FROM workspaces", [], |row| row.get(0))?;
    let now: i64 = 1_790_000_000_000;
    {
        let mut person = transaction.prepare(
            "INSERT INTO people (id, workspace_id, site, member_id, login, is_system, create_time)
             VALUES (?1, ?2, 'practice', ?1, ?1, FALSE, ?3)",
        )?;
        for number in 0..PEOPLE {
            person.execute(params![format!("person-{number}"), workspace_id, now])?;
        }
        let mut thread = transaction.prepare(
            "INSERT INTO threads (id, workspace_id, account_id, site, remote_id, person_id, subject, snippet,
                last_message_time, unread_count, unread, remote_unread, waiting_for_me, has_offer, archived, labels,
                note, draft_version, reply_allowed, read_by_person, message_count, create_time, update_time, sequence)
             VALUES (?1, ?2, ?3, 'elsewhere', ?1, ?4, 'Sweat gris chiné', 'Bonjour, est-ce toujours disponible ?',
                ?5, 1, ?6, ?6, ?6, FALSE, FALSE, '[]', '', 0, TRUE, FALSE, 3, ?5, ?5, 0)",
        )?;
        for number in 0..THREADS {
            thread.execute(params![
                thread_id(number),
                workspace_id,
                account_id,
                format!("person-{}", number % PEOPLE),
                now - i64::from(number) * 1_000,
                number % 3 == 0,
            ])?;
        }
        let mut message = transaction.prepare(
            "INSERT INTO messages (id, workspace_id, account_id, thread_id, remote_key, remote_id, kind, author, text,
                attachments, time, position, read, hidden, sequence)
             VALUES (?1, ?2, ?3, ?4, 'message:' || ?5, ?5, 'MESSAGE', 'PERSON',
                'Bonjour, est-ce que vous pourriez envoyer demain ?', '[]', ?6, ?5, FALSE, FALSE, 0)",
        )?;
        for number in 1..=MESSAGES {
            message.execute(params![
                format!("message-{number}"),
                workspace_id,
                account_id,
                thread_id(0),
                number,
                now + i64::from(number),
            ])?;
        }
    }
    transaction.commit()?;
    connection.execute_batch("ANALYZE")?;
    Ok(thread_id(0))
}

fn thread_id(number: u32) -> String {
    format!("{:08x}-0000-7000-8000-{number:012x}", 0x019A_0000 - number)
}

/// Measures syncs that find nothing new. The site counts the requests; a comparison of all rows before and after counts
/// the writes.
pub async fn measure(client: &Client, site: &Site, database: &Path, account_id: &str) -> Result<Vec<Row>> {
    let member_id: u64 = client.accounts().get(account_id).await?.member_id.parse()?;
    let many = json!({"member_id": member_id, "count": 50, "messages": 3});
    site.post("conversations/many", &many).await?;
    client.inbox().sync_now(account_id).await?;
    sleep(SETTLES).await;
    client.inbox().sync_now(account_id).await?;
    let before = requests(site).await?;
    let began = Instant::now();
    for _ in 0..READINGS {
        nothing_new(client, account_id).await?;
    }
    let took = began.elapsed() / READINGS;
    let made = requests(site).await? - before;
    let asked = Row {
        what: "sync with nothing new: requests to the site, time".to_owned(),
        measured: format!("{:.1}, {}", made as f64 / f64::from(READINGS), time(took)),
        yardstick: "the site's own count".to_owned(),
        ratio: String::new(),
        bar: "1 request".to_owned(),
        is_met: made == u64::from(READINGS),
    };
    let before = Look::at(database)?;
    nothing_new(client, account_id).await?;
    let mut written = Look::at(database)?.written_since(&before);
    written.retain(|table, _| !BY_ITSELF.contains(&table.as_str()));
    let told = written.iter().map(|(table, rows)| format!("{rows} of {table}"));
    let wrote = Row {
        what: "sync with nothing new: rows written".to_owned(),
        measured: told.collect::<Vec<_>>().join(", "),
        yardstick: "all rows before and after, without other work".to_owned(),
        ratio: String::new(),
        bar: "1 of inbox_syncs, 1 of jobs".to_owned(),
        is_met: written
            .iter()
            .all(|(table, rows)| *rows <= 1 && ["inbox_syncs", "jobs"].contains(&table.as_str())),
    };
    Ok(vec![asked, wrote])
}

async fn nothing_new(client: &Client, account_id: &str) -> Result<()> {
    let read = client.inbox().sync_now(account_id).await?;
    ensure!(read.new_messages == 0 && read.new_threads == 0, "{read:?}");
    Ok(())
}

async fn requests(site: &Site) -> Result<u64> {
    let all = site.get_value("requests").await?;
    let paths = all["paths"]
        .as_object()
        .context("the answer contains no requests by path")?;
    Ok(paths.values().filter_map(serde_json::Value::as_u64).sum())
}
