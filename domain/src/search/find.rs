//! `Search` and `SearchListings`: find documents, newest first, and read no more than a page needs.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use vintedbot_marketplace::text::normalize;

use super::hits::{self, Hit, ListingHit};
use super::index::first_id;
use super::query::Query;
use super::space::{self, Corpus, Space};
use super::{Filter, Phase, fold, periods};
use crate::identity::Caller;
use crate::paging::{self, Page, PageQuery, PageRequest};
use crate::store::Reader;
use crate::store::entities::search_documents::Model;
use crate::{Context, Error, Result};

/// The number of newest documents that a PostgreSQL search scans: first, and again before each time range. GIN cannot
/// return the newest documents first.
const STRIDES: [i64; 2] = [1_000, 300];
/// The same if prefixes match so many documents that an index lookup is expensive.
const LONG_STRIDE: i64 = 2_000;
/// The number of such scans before the index is used anyway.
const LONG_STRIDES: usize = 8;
/// The estimated number of documents that match a prefix, above which an index lookup is too expensive for a page.
const MANY: f64 = 30_000.0;
/// The maximum number of pages of documents that a search reads until one has a hit.
const PAGES_MAX: usize = 8;

/// A page of results.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    pub page: Page<T>,
    /// Whether the index is complete. If not, results may be missing.
    pub index_complete: bool,
}

/// Finds messages, threads, notes and people of the caller, newest first. A page may be shorter than requested.
///
/// # Errors
/// A violation for a query that has no word or is too long; PAGE_TOKEN_INVALID.
pub async fn search_inbox(
    context: &Context,
    caller: &Caller,
    query: &str,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Answer<Hit>> {
    let asked = Find {
        corpus: Corpus::Inbox,
        query,
        filter,
    };
    answer(
        context,
        caller,
        asked,
        page,
        |context, caller, query, documents| hits::of_inbox(context, caller, query, documents).boxed(),
    )
    .await
}

/// Finds listings of the caller, newest first. A page may be shorter than requested.
///
/// # Errors
/// Those of [`search_inbox`].
pub async fn search_listings(
    context: &Context,
    caller: &Caller,
    query: &str,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Answer<ListingHit>> {
    let asked = Find {
        corpus: Corpus::Listings,
        query,
        filter,
    };
    answer(
        context,
        caller,
        asked,
        page,
        |context, caller, query, documents| hits::of_listings(context, caller, query, documents).boxed(),
    )
    .await
}

/// The parameters of a search.
#[derive(Clone, Copy)]
struct Find<'a> {
    corpus: Corpus,
    query: &'a str,
    filter: &'a Filter,
}

/// Loads the records of documents. The result lacks the records in which a repeated term occurs too rarely.
type Load<T> = for<'a> fn(&'a Context, &'a Caller, &'a Query, Vec<Model>) -> BoxFuture<'a, Result<Vec<T>>>;

/// Returns the next page with a hit. An empty page that is followed by another looks as if nothing had been found; it
/// occurs if a repeated term is rare. After [`PAGES_MAX`] such pages, the caller continues with the page token.
async fn answer<T>(
    context: &Context,
    caller: &Caller,
    asked: Find<'_>,
    page: &PageRequest,
    load: Load<T>,
) -> Result<Answer<T>> {
    let mut page = page.clone();
    let mut pages = 0;
    loop {
        let found = find(context, caller, asked, &page).await?;
        let items = load(context, caller, &found.query, found.page.items).await?;
        page.token = found.page.next_page_token;
        pages += 1;
        if !items.is_empty() || page.token.is_empty() || pages >= PAGES_MAX {
            return Ok(Answer {
                page: Page {
                    items,
                    next_page_token: page.token,
                },
                index_complete: found.index_complete,
            });
        }
    }
}

struct Found {
    query: Query,
    page: Page<Model>,
    index_complete: bool,
}

async fn find(context: &Context, caller: &Caller, asked: Find<'_>, page: &PageRequest) -> Result<Found> {
    let Find {
        corpus,
        query: text,
        filter,
    } = asked;
    let text = &*normalize(text);
    let parameters = (text, filter);
    let method = match corpus {
        Corpus::Inbox => "Search",
        Corpus::Listings => "SearchListings",
    };
    let method = (caller.workspace_id.as_str(), method);
    let query = Query::parse(text)?;
    let window = PageQuery::<i64>::open(&context.keys, paging::RESOURCES, method, &parameters, page)?;
    let reader = context.store.reader();
    let index = space::find(reader, &caller.workspace_id).await?;
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
                    let asked = (&*query.tsquery(space, filter), query.prefixes(space));
                    // Documents of an older version have no period marks yet.
                    let ranges = if index_complete {
                        &periods::TIME_RANGES[..]
                    } else {
                        &[]
                    };
                    by_tsquery(reader, (space, ranges), asked, range, &window).await?
                }
            }
        }
    };
    Ok(Found {
        query,
        page: window.close(&context.keys, documents, |document| document.id)?,
        index_complete,
    })
}

/// Returns the range of document ids: the first is included, the second is not.
fn range(filter: &Filter, after: Option<i64>) -> (i64, i64) {
    let from = filter.from.map_or(0, first_id);
    let until = filter.until.map_or(i64::MAX, first_id);
    (from, after.map_or(until, |after| after.min(until)))
}

/// Searches with FTS5, which reads its lists from the newest id and stops at the limit.
async fn by_fts5(
    reader: &Reader,
    query: &str,
    (from, until): &(i64, i64),
    window: &PageQuery<i64>,
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

/// Searches with PostgreSQL. GIN returns all matches without order. Frequent matches are found by a scan of the newest
/// documents. Rarer matches are found through the index, in time ranges of growing length. A range has not many
/// more matches than the previous range, which had too few for the page.
async fn by_tsquery(
    reader: &Reader,
    (space, ranges): (Space, &[periods::TimeRange]),
    (query, prefixes): (&str, Option<String>),
    (from, mut until): (i64, i64),
    window: &PageQuery<i64>,
) -> Result<Vec<Model>> {
    let limit = window.to_read() as usize;
    let mut ids: Vec<i64> = Vec::new();
    let mut ranges = ranges.iter();
    let is_expensive = estimate(reader, prefixes).await? > MANY;
    for turn in 0.. {
        let stride = match is_expensive {
            true => LONG_STRIDE,
            false => STRIDES[usize::from(turn > 0)],
        };
        let scanned = scan_newest(reader, space, query, (from, until), stride).await?;
        ids.extend(&scanned.found);
        if scanned.count < stride || ids.len() >= limit {
            break;
        }
        until = scanned.oldest;
        if is_expensive && turn + 1 < LONG_STRIDES {
            continue;
        }
        let left = (limit - ids.len()) as i64;
        let Some(next) = ranges.next() else {
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
    load(reader, &ids).await
}

/// Returns the planner's estimate of how many documents match any prefix in `query`.
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
    // MATERIALIZED makes the planner use the GIN index for any expected number of rows.
    let sql = "WITH found AS MATERIALIZED (SELECT id FROM search_documents WHERE words @@ $1::tsquery)
        SELECT id FROM found WHERE id >= $2 AND id < $3 ORDER BY id DESC LIMIT $4";
    let values = [query.into(), from.into(), until.into(), limit.into()];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let rows = reader.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

struct Scanned {
    count: i64,
    oldest: i64,
    found: Vec<i64>,
}

async fn scan_newest(
    reader: &Reader,
    space: Space,
    query: &str,
    (from, until): (i64, i64),
    stride: i64,
) -> Result<Scanned> {
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
    let row = row.ok_or_else(|| Error::Internal("the count query returned no row".to_owned()))?;
    let found: Option<String> = row.try_get("", "found")?;
    Ok(Scanned {
        count: row.try_get("", "count")?,
        oldest: row.try_get::<Option<i64>>("", "oldest")?.unwrap_or(from),
        found: found
            .iter()
            .flat_map(|ids| ids.split(','))
            .filter_map(|id| id.parse().ok())
            .collect(),
    })
}

async fn load(reader: &Reader, ids: &[i64]) -> Result<Vec<Model>> {
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
