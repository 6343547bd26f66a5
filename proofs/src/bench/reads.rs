//! Measures reads of listings, threads and messages. The yardsticks are the two necessary parts of a read: the same
//! rows read by plain prepared SQLite statements, and a bare gRPC server that answers with the same bytes under the
//! same load.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tokio::time::Instant;
use tonic::codegen::http::uri::PathAndQuery;
use vintedbot_sdk::v1::{GetListingRequest, ListListingsRequest, ListMessagesRequest, ListThreadsRequest};

use super::echo::Bare;
use super::load::{self, Calls, Outcome, Target};
use super::process::own_processor_time;
use super::table::{Row, median, time};
use crate::instance::Instance;

const PROCESSOR_BAR: f64 = 1.5;
const P99_BAR: Duration = Duration::from_millis(50);
/// The calls in flight: one, the load of the latency bar, and ten times that load.
const IN_FLIGHT: [usize; 3] = [1, 100, 1_000];
/// vintedbot, the bare server and plain SQLite are measured in alternation.
const ROUNDS: usize = 3;
const TURN: Duration = Duration::from_millis(1_500);
const WARM_UP: Duration = Duration::from_millis(500);
/// The number of calls with different parameters, so that the rows vary.
const REQUESTS: usize = 10_000;

/// One kind of read.
struct Read {
    name: &'static str,
    /// The statement that reads the same rows, with all columns.
    sql: &'static str,
    /// The parameters of each statement, one statement per request.
    parameters: Vec<Vec<String>>,
    calls: Arc<Calls>,
}

pub async fn measure(
    instance: &Instance,
    database: &Path,
    listings: &[String],
    thread_id: &str,
    folder: &Path,
) -> Result<Vec<Row>> {
    let ours = Target::of(instance)?;
    let workspace_id: String =
        open(database)?.query_row("SELECT id FROM workspaces", [], |row| row.get(0))?;
    let reads = [
        get(listings, &workspace_id)?,
        list(workspace_id.clone()),
        threads(workspace_id),
        messages(thread_id),
    ];
    let mut rows = Vec::new();
    for read in &reads {
        rows.extend(measure_read(read, &ours, database, folder).await?);
    }
    Ok(rows)
}

fn get(listings: &[String], workspace_id: &str) -> Result<Read> {
    ensure!(!listings.is_empty(), "there are no listings");
    let mut chance = StdRng::seed_from_u64(1);
    let ids = (0..REQUESTS).map(|_| listings[chance.random_range(0..listings.len())].clone());
    let ids: Vec<String> = ids.collect();
    let request = |id: &String| GetListingRequest { id: id.clone() }.encode_to_vec().into();
    Ok(Read {
        name: "GetListing",
        sql: "SELECT * FROM listings WHERE id = ?1 AND workspace_id = ?2",
        calls: Arc::new(Calls {
            path: PathAndQuery::from_static("/vintedbot.v1.ListingService/GetListing"),
            requests: ids.iter().map(request).collect(),
        }),
        parameters: ids
            .into_iter()
            .map(|id| vec![id, workspace_id.to_owned()])
            .collect(),
    })
}

fn list(workspace_id: String) -> Read {
    let request = ListListingsRequest {
        page_size: 50,
        ..Default::default()
    };
    Read {
        name: "ListListings, 50 of 100,000",
        sql: "SELECT * FROM listings WHERE workspace_id = ?1 ORDER BY create_time DESC, id DESC LIMIT 50",
        parameters: vec![vec![workspace_id]],
        calls: Arc::new(Calls {
            path: PathAndQuery::from_static("/vintedbot.v1.ListingService/ListListings"),
            requests: vec![request.encode_to_vec().into()],
        }),
    }
}

fn threads(workspace_id: String) -> Read {
    let request = ListThreadsRequest {
        page_size: 50,
        ..Default::default()
    };
    Read {
        name: "ListThreads, 50 of 100,000",
        sql: "SELECT t.*, p.* FROM threads t JOIN people p ON p.id = t.person_id WHERE t.workspace_id = ?1
              AND t.delete_time IS NULL AND NOT t.archived ORDER BY t.last_message_time DESC, t.id DESC LIMIT 50",
        parameters: vec![vec![workspace_id]],
        calls: Arc::new(Calls {
            path: PathAndQuery::from_static("/vintedbot.v1.InboxService/ListThreads"),
            requests: vec![request.encode_to_vec().into()],
        }),
    }
}

fn messages(thread_id: &str) -> Read {
    let request = ListMessagesRequest {
        thread_id: thread_id.to_owned(),
        page_size: 50,
        ..Default::default()
    };
    Read {
        name: "ListMessages, 50 of 1,000",
        sql: "SELECT * FROM messages WHERE thread_id = ?1 ORDER BY position DESC LIMIT 50",
        parameters: vec![vec![thread_id.to_owned()]],
        calls: Arc::new(Calls {
            path: PathAndQuery::from_static("/vintedbot.v1.InboxService/ListMessages"),
            requests: vec![request.encode_to_vec().into()],
        }),
    }
}

async fn measure_read(read: &Read, ours: &Target, database: &Path, folder: &Path) -> Result<Vec<Row>> {
    let answer = load::once(ours, &read.calls).await?;
    let mut echo = Bare::start(&answer, ours, folder).await?;
    let bare = Arc::new(Calls {
        path: PathAndQuery::from_static("/bench.Echo/0"),
        requests: read.calls.requests.clone(),
    });
    let connection = open(database)?;
    plain_sqlite(read, &connection, WARM_UP)?;
    let mut rows = Vec::new();
    for in_flight in IN_FLIGHT {
        load::run(ours, &read.calls, in_flight, WARM_UP).await?;
        load::run(&echo.target, &bare, in_flight, WARM_UP).await?;
        let (mut our_outcome, mut bare_outcome) = (Outcome::default(), Outcome::default());
        let mut plain = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            plain.push(plain_sqlite(read, &connection, TURN / 3)?);
            our_outcome.extend(load::run(ours, &read.calls, in_flight, TURN).await?);
            bare_outcome.extend(load::run(&echo.target, &bare, in_flight, TURN).await?);
        }
        rows.push(processor_row(
            read.name,
            in_flight,
            &our_outcome,
            median(&mut plain),
            &bare_outcome,
        ));
        if in_flight > 1 {
            rows.push(latency_row(read.name, in_flight, &our_outcome, &bare_outcome));
        }
    }
    echo.child.kill().await?;
    Ok(rows)
}

fn processor_row(name: &str, in_flight: usize, ours: &Outcome, plain: Duration, bare: &Outcome) -> Row {
    let (ours, bare) = (ours.processor_time_per_call(), bare.processor_time_per_call());
    let ratio = ours.as_secs_f64() / (plain + bare).as_secs_f64();
    Row {
        what: format!("{name}: processor time, {in_flight} in flight"),
        measured: time(ours),
        yardstick: format!("SQLite {} + bare gRPC {}", time(plain), time(bare)),
        ratio: format!("{ratio:.2}x"),
        bar: format!("{PROCESSOR_BAR}x"),
        is_met: ratio <= PROCESSOR_BAR,
    }
}

fn latency_row(name: &str, in_flight: usize, ours: &Outcome, bare: &Outcome) -> Row {
    let both = |outcome: &Outcome| {
        let [p50, p99] = [0.5, 0.99].map(|part| time(outcome.percentile(part)));
        format!("{:.0} calls/s, p50 {p50}, p99 {p99}", outcome.per_second())
    };
    Row {
        what: format!("{name}: calls per second, latency, {in_flight} in flight"),
        measured: both(ours),
        yardstick: format!("bare gRPC {}", both(bare)),
        ratio: String::new(),
        bar: if in_flight > 100 {
            String::new()
        } else {
            format!("p99 {}", time(P99_BAR))
        },
        is_met: in_flight > 100 || ours.percentile(0.99) <= P99_BAR,
    }
}

/// Returns the processor time of one read by SQLite alone, with all columns converted.
fn plain_sqlite(read: &Read, connection: &Connection, lasts: Duration) -> Result<Duration> {
    let mut statement = connection.prepare(read.sql)?;
    let columns = statement.column_count();
    let mut reads: u32 = 0;
    let (until, before) = (Instant::now() + lasts, own_processor_time());
    for parameters in read.parameters.iter().cycle() {
        let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|column| row.get::<_, Value>(column));
            found.push(values.collect::<Result<Vec<_>, _>>()?);
        }
        ensure!(!std::hint::black_box(found).is_empty(), "nothing was read");
        reads += 1;
        if Instant::now() >= until {
            break;
        }
    }
    Ok((own_processor_time() - before) / reads.max(1))
}

fn open(database: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(database, flags)?)
}
