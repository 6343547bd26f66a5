//! `Search` and `SearchListings`: the engine names documents, newest first, and reads no more of them than a page needs.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use super::hits::{self, Hit, ListingHit};
use super::index::first_id;
use super::query::Query;
use super::space::{self, Corpus, Space};
use super::{Filter, Phase, fold, periods};
use crate::identity::Caller;
use crate::paging::{self, Page, PageRequest, Window};
use crate::store::Reader;
use crate::store::entities::search_documents::Model;
use crate::{Domain, Error, Result};

/// Documents that are passed over at first, where the engine's index cannot tell the newest ones first; and between windows.
const STRIDES: [i64; 2] = [1_000, 300];
/// The same for beginnings of so many words that asking the index is dear; and how often, before it is asked all the same.
const LONG_STRIDE: i64 = 2_000;
const LONG_STRIDES: usize = 8;
/// Documents with a word that begins so, from which on all of them are too many to be gathered for a page.
const MANY: f64 = 30_000.0;

/// A page of what was found.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    pub page: Page<T>,
    /// Whether everything is in the index; else results may be missing.
    pub index_complete: bool,
}

/// Finds messages, threads, notes and people of the caller, newest first. A page may be shorter than asked for.
///
/// # Errors
/// A query without a word, or one that is too long; PAGE_TOKEN_INVALID.
pub async fn search_inbox(
    domain: &Domain,
    caller: &Caller,
    query: &str,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Answer<Hit>> {
    let found = find(domain, caller, Corpus::Inbox, (query, filter), page).await?;
    Ok(Answer {
        page: Page {
            items: hits::of_inbox(domain, caller, &found.query, found.page.items).await?,
            next_page_token: found.page.next_page_token,
        },
        index_complete: found.index_complete,
    })
}

/// Finds listings of the caller, newest first. A page may be shorter than asked for.
///
/// # Errors
/// As [`search_inbox`].
pub async fn search_listings(
    domain: &Domain,
    caller: &Caller,
    query: &str,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Answer<ListingHit>> {
    let found = find(domain, caller, Corpus::Listings, (query, filter), page).await?;
    Ok(Answer {
        page: Page {
            items: hits::of_listings(domain, caller, &found.query, found.page.items).await?,
            next_page_token: found.page.next_page_token,
        },
        index_complete: found.index_complete,
    })
}

struct Found {
    query: Query,
    page: Page<Model>,
    index_complete: bool,
}

async fn find(
    domain: &Domain,
    caller: &Caller,
    corpus: Corpus,
    parameters: (&str, &Filter),
    page: &PageRequest,
) -> Result<Found> {
    let (text, filter) = parameters;
    let method = match corpus {
        Corpus::Inbox => "Search",
        Corpus::Listings => "SearchListings",
    };
    let method = (caller.owner_id.as_str(), method);
    let query = Query::parse(text)?;
    let window = Window::<i64>::open(&domain.keys, paging::RESOURCES, method, &parameters, page)?;
    let reader = domain.store.reader();
    let index = space::find(reader, &caller.owner_id).await?;
    let index_complete = index
        .as_ref()
        .is_none_or(|index| index.phase == Phase::Complete && index.version == fold::VERSION);
    let documents = match &index {
        None => Vec::new(),
        Some(index) => {
            let range = range(filter, window.after);
            let space = Space::of(index.number, corpus);
            match reader.get_database_backend() {
                DbBackend::Sqlite => by_fts5(reader, &query.fts5(space, filter), &range, &window).await?,
                _ => {
                    let asked = (&*query.tsquery(space, filter), query.beginnings(space));
                    // Documents of before have no marks of their periods yet.
                    let windows = if index_complete {
                        &periods::WINDOWS[..]
                    } else {
                        &[]
                    };
                    by_tsquery(reader, (space, windows), asked, range, &window).await?
                }
            }
        }
    };
    Ok(Found {
        query,
        page: window.close(&domain.keys, documents, |document| document.id)?,
        index_complete,
    })
}

/// Ids from the first to before the second.
fn range(filter: &Filter, after: Option<i64>) -> (i64, i64) {
    let from = filter.from.map_or(0, first_id);
    let until = filter.until.map_or(i64::MAX, first_id);
    (from, after.map_or(until, |after| after.min(until)))
}

/// FTS5 reads its lists from the end, and stops when it has enough.
async fn by_fts5(
    reader: &Reader,
    query: &str,
    (from, until): &(i64, i64),
    window: &Window<i64>,
) -> Result<Vec<Model>> {
    let sql = "SELECT id, space, kind, entity_id, thread_id FROM search_documents WHERE id IN (
            SELECT rowid FROM search_words WHERE search_words MATCH $1 AND rowid >= $2 AND rowid < $3
            ORDER BY rowid DESC LIMIT $4)
        ORDER BY id DESC";
    let limit = window.to_read() as i64;
    let values = [query.into(), (*from).into(), (*until).into(), limit.into()];
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    Ok(Model::find_by_statement(statement).all(reader).await?)
}

/// GIN gives all that answers, in no order. What is common is found among the newest documents, passing over those that do not
/// answer; what is less so, by the index within ever longer windows of time, of which none holds many more answers than the one
/// before, which held too few.
async fn by_tsquery(
    reader: &Reader,
    (space, windows): (Space, &[periods::Window]),
    (query, beginnings): (&str, Option<String>),
    (from, mut until): (i64, i64),
    window: &Window<i64>,
) -> Result<Vec<Model>> {
    let limit = window.to_read() as usize;
    let mut ids: Vec<i64> = Vec::new();
    let mut windows = windows.iter();
    let is_dear = estimate(reader, beginnings).await? > MANY;
    for turn in 0.. {
        let stride = match is_dear {
            true => LONG_STRIDE,
            false => STRIDES[usize::from(turn > 0)],
        };
        let passed = pass_over(reader, space, query, (from, until), stride).await?;
        ids.extend(&passed.found);
        if passed.count < stride || ids.len() >= limit {
            break;
        }
        until = passed.oldest;
        if is_dear && turn + 1 < LONG_STRIDES {
            continue;
        }
        let left = (limit - ids.len()) as i64;
        let Some(next) = windows.next() else {
            ids.extend(by_index(reader, query, (from, until), left).await?);
            break;
        };
        let (marks, floor) = next.before(until);
        let marks: Vec<_> = marks.map(|mark| format!("'{}'", space.word(&mark))).collect();
        let within = format!("({query}) & ({})", marks.join(" | "));
        ids.extend(by_index(reader, &within, (from, until), left).await?);
        until = floor;
        if ids.len() >= limit || until <= from {
            break;
        }
    }
    ids.truncate(limit);
    named(reader, &ids).await
}

/// How many documents have any of the beginnings in `query`, as far as the engine's statistics know.
async fn estimate(reader: &Reader, query: Option<String>) -> Result<f64> {
    let Some(query) = query else { return Ok(0.0) };
    let sql = "EXPLAIN (FORMAT JSON) SELECT id FROM search_documents WHERE words @@ $1::tsquery";
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [query.into()]);
    let row = reader.query_one_raw(statement).await?;
    let plan: Option<serde_json::Value> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(plan
        .as_ref()
        .and_then(|plan| plan[0]["Plan"]["Plan Rows"].as_f64())
        .unwrap_or_default())
}

async fn by_index(reader: &Reader, query: &str, (from, until): (i64, i64), limit: i64) -> Result<Vec<i64>> {
    // By itself, so that it is the index that is asked, whatever the planner takes the query to find.
    let sql = "WITH found AS MATERIALIZED (SELECT id FROM search_documents WHERE words @@ $1::tsquery)
        SELECT id FROM found WHERE id >= $2 AND id < $3 ORDER BY id DESC LIMIT $4";
    let values = [query.into(), from.into(), until.into(), limit.into()];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let rows = reader.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

struct Passed {
    count: i64,
    oldest: i64,
    found: Vec<i64>,
}

async fn pass_over(
    reader: &Reader,
    space: Space,
    query: &str,
    (from, until): (i64, i64),
    stride: i64,
) -> Result<Passed> {
    let sql = "WITH newest AS MATERIALIZED (
            SELECT id, words FROM search_documents WHERE space = $1 AND id >= $2 AND id < $3
            ORDER BY id DESC LIMIT $4)
        SELECT COUNT(*) AS count, MIN(id) AS oldest,
            STRING_AGG(id::text, ',' ORDER BY id DESC) FILTER (WHERE words @@ $5::tsquery) AS found
        FROM newest";
    let values = [
        space.0.into(),
        from.into(),
        until.into(),
        stride.into(),
        query.into(),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let row = reader.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal("a count has no row".to_owned()))?;
    let found: Option<String> = row.try_get("", "found")?;
    Ok(Passed {
        count: row.try_get("", "count")?,
        oldest: row.try_get::<Option<i64>>("", "oldest")?.unwrap_or(from),
        found: found
            .iter()
            .flat_map(|ids| ids.split(','))
            .filter_map(|id| id.parse().ok())
            .collect(),
    })
}

async fn named(reader: &Reader, ids: &[i64]) -> Result<Vec<Model>> {
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

    use crate::store::entities::search_documents::{Column, Entity};

    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .order_by_desc(Column::Id)
        .all(reader)
        .await?)
}
