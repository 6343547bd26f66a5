//! Limits on attempts, such as failed sign-ins of a person, in windows of 15 minutes.
//!
//! The counters are rows, so that all processes of an instance count together. A counter does not depend on whether the
//! person exists.

use std::net::{IpAddr, Ipv6Addr};

use futures::FutureExt;
use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};

use super::Client;
use crate::clock::{Millis, rfc3339};
use crate::keys::sha256_hex;
use crate::store::entities::attempts::{Column, Entity};
use crate::store::{Store, Tx};
use crate::{Context, Error, Reason, Result};

/// The length of a window.
const WINDOW: Millis = 15 * 60_000;
/// Mails to one address in a window.
const MAILS_PER_ADDRESS: i64 = 3;
/// Mails that the people of a workspace cause in a window, so that the server is no relay for strangers.
const MAILS_PER_WORKSPACE: i64 = 20;

/// A counter with its maximum.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    subject: String,
    max: i64,
    limit: &'static str,
}

/// Returns the counters of an attempt to sign in as the person with this address: from this client, so that a stranger
/// cannot lock the person out at once, and from all clients.
pub(super) fn of_sign_in(context: &Context, client: &Client, email: &str) -> Vec<Counter> {
    let people = &context.settings.people;
    let network = client.address.map(text_of).unwrap_or_default();
    let mut counters = vec![
        Counter {
            subject: format!("proof {} {}", sha256_hex(email), sha256_hex(network)),
            max: people.failures_per_account,
            limit: "failures_per_account",
        },
        Counter {
            subject: format!("proof {}", sha256_hex(email)),
            max: people.failures_per_address,
            limit: "failures_per_address",
        },
    ];
    counters.extend(of_client(context, client));
    counters
}

/// Returns the counter of a signed-in person's attempts to prove the password again.
pub(super) fn of_password(context: &Context, user_id: &str) -> Vec<Counter> {
    vec![Counter {
        subject: format!("proof of {user_id}"),
        max: context.settings.people.failures_per_account,
        limit: "failures_per_account",
    }]
}

/// Returns the counter of codes of a person's second factor. Only a right code clears it, because a person who
/// guesses codes may know the password, or have a link that resets it.
pub(super) fn of_code(context: &Context, user_id: &str) -> Vec<Counter> {
    vec![Counter {
        subject: format!("proof by code of {user_id}"),
        max: context.settings.people.failures_per_account,
        limit: "failures_per_account",
    }]
}

/// Returns the counters of a call that mails to this address.
pub(super) fn of_mail(context: &Context, client: &Client, email: &str) -> Vec<Counter> {
    let mut counters = vec![of_address(email)];
    counters.extend(of_client(context, client));
    counters
}

/// Returns the counter of the client's address, which also limits guesses of mailed tokens.
pub(super) fn of_client(context: &Context, client: &Client) -> Vec<Counter> {
    let counter = client.address.map(|address| Counter {
        subject: format!("client {}", sha256_hex(text_of(address))),
        max: context.settings.people.failures_per_address,
        limit: "failures_per_address",
    });
    counter.into_iter().collect()
}

fn text_of(address: IpAddr) -> String {
    network(address).to_string()
}

/// Returns the network that counts as one client: the address itself for IPv4. A household or a server usually has a /64
/// network of IPv6.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Returns the counters of a signed-in person's call that mails to this address.
pub(super) fn of_mail_by(workspace_id: &str, email: &str) -> Vec<Counter> {
    let of_workspace = Counter {
        subject: format!("mail of {workspace_id}"),
        max: MAILS_PER_WORKSPACE,
        limit: "mails_per_workspace",
    };
    vec![of_address(email), of_workspace]
}

fn of_address(email: &str) -> Counter {
    Counter {
        subject: format!("mail {}", sha256_hex(email)),
        max: MAILS_PER_ADDRESS,
        limit: "mails_per_address",
    }
}

/// Counts an attempt before it is made, so that concurrent attempts count too. A success is forgiven afterwards.
///
/// # Errors
/// RATE_LIMITED if a counter has reached its maximum. The attempt then is not counted.
pub(super) async fn begin(context: &Context, counters: &[Counter]) -> Result<()> {
    let counters = counters.to_vec();
    context
        .store
        .write(move |tx| {
            let counters = counters.clone();
            async move { count(tx, &counters).await }.boxed()
        })
        .await
}

/// Counts an attempt in the caller's transaction, as [`begin`] does in its own.
pub(super) async fn count(tx: &Tx, counters: &[Counter]) -> Result<()> {
    let now = tx.now().await?;
    for counter in counters {
        let statement = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "INSERT INTO attempts (subject, count, window_end) VALUES ($1, 1, $2) ON CONFLICT (subject) DO \
                         UPDATE SET count = CASE WHEN attempts.window_end <= $3 THEN 1 ELSE attempts.count + 1 END, \
                         window_end = CASE WHEN attempts.window_end <= $3 THEN $2 ELSE attempts.window_end END \
                         RETURNING count, window_end",
            [
                Value::from(counter.subject.as_str()),
                Value::from(now + WINDOW),
                Value::from(now),
            ],
        );
        let row = tx.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| Error::Internal("a counter returned no row".to_owned()))?;
        if row.try_get::<i64>("", "count")? > counter.max {
            return Err(exceeded(counter, row.try_get("", "window_end")?, now));
        }
    }
    Ok(())
}

fn exceeded(counter: &Counter, window_end: Millis, now: Millis) -> Error {
    Error::rejected(Reason::RateLimited, "too many attempts; wait before the next one")
        .with("limit", counter.limit)
        .with("available_time", rfc3339(window_end))
        .retry_after((window_end - now).max(1))
}

/// Takes back the count of a successful attempt, and all earlier failures to prove the same.
pub(super) async fn forgive(context: &Context, counters: &[Counter]) -> Result<()> {
    change(context, counters, |subject| {
        if subject.starts_with("proof ") {
            "DELETE FROM attempts WHERE subject = $1"
        } else {
            DECREMENT
        }
    })
    .await
}

/// Removes the failed sign-ins of an address from all clients, because its person has a new password.
pub(super) async fn forget(tx: &Tx, email: &str) -> Result<()> {
    let beginning = format!("proof {}", sha256_hex(email));
    let failures = Entity::delete_many().filter(Column::Subject.starts_with(beginning));
    failures.exec(tx).await?;
    Ok(())
}

/// Passes a result on. If the attempt was not judged, for example for an overload, takes back its count.
pub(super) async fn judged<T>(context: &Context, counters: &[Counter], result: Result<T>) -> Result<T> {
    if result.is_err() {
        change(context, counters, |_| DECREMENT).await?;
    }
    result
}

const DECREMENT: &str = "UPDATE attempts SET count = count - 1 WHERE subject = $1 AND count > 0";

async fn change(context: &Context, counters: &[Counter], sql: fn(&str) -> &'static str) -> Result<()> {
    let counters = counters.to_vec();
    context
        .store
        .write(move |tx| {
            let counters = counters.clone();
            async move {
                for counter in &counters {
                    let subject = counter.subject.as_str();
                    let backend = tx.get_database_backend();
                    let values = [Value::from(subject)];
                    let statement = Statement::from_sql_and_values(backend, sql(subject), values);
                    tx.execute_raw(statement).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Removes counters whose window is over.
pub(super) async fn purge(store: &Store, now: Millis) -> Result<()> {
    store
        .write(move |tx| {
            async move {
                let over = Entity::delete_many().filter(Column::WindowEnd.lte(now));
                over.exec(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}
