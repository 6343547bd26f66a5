//! Pages of a list, and the opaque tokens that lead from one to the next.
//!
//! A token is signed, and bound to the owner, the method and every other parameter of the list: with any of them changed it
//! is PAGE_TOKEN_INVALID. What it holds is the position of the last entry seen, so that entries made or deleted meanwhile
//! shift nothing.
//!
//! A list reads one entry more than [`Window::limit`] and hands all of them to [`Window::close`].

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, IntoSimpleExpr};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::keys::{Keys, Purpose, sha256_hex};
use crate::{Error, Reason, Result};

/// Which page a caller wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Entries a page; 0 for the default, more than the most counts as the most.
    pub size: i32,
    /// From the page before; empty for the first.
    pub token: String,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Empty on the last page.
    pub next_page_token: String,
}

/// How long pages of a kind of list are.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub default: usize,
    pub max: usize,
}

/// Of an owner's resources.
pub const RESOURCES: Sizes = Sizes {
    default: 50,
    max: 200,
};
/// Of a catalogue's entries, which are small and many.
pub const CHOICES: Sizes = Sizes {
    default: 200,
    max: 1000,
};

/// Where a row stands in a list that is ordered by time.
pub type Place = (Millis, String);

/// The part of a list that a page shows, starting behind a position of type `P`.
#[derive(Clone, Debug)]
pub struct Window<P> {
    /// Entries on this page at most.
    pub limit: usize,
    /// The last entry of the page before.
    pub after: Option<P>,
    binding: String,
}

#[derive(Serialize, Deserialize)]
struct Token<P> {
    binding: String,
    after: P,
}

impl<P: Serialize + DeserializeOwned> Window<P> {
    /// Opens a page request of an owner on a method with its other parameters.
    pub fn open(
        keys: &Keys,
        sizes: Sizes,
        (owner_id, method): (&str, &str),
        parameters: &impl Serialize,
        request: &PageRequest,
    ) -> Result<Self> {
        let limit = match usize::try_from(request.size) {
            Err(_) => return Err(Error::invalid("page_size", "must not be negative")),
            Ok(0) => sizes.default,
            Ok(size) => size.min(sizes.max),
        };
        let binding = sha256_hex(serde_json::to_string(&(owner_id, method, parameters))?);
        if request.token.is_empty() {
            return Ok(Self {
                limit,
                after: None,
                binding,
            });
        }
        let token = keys.verify(Purpose::PageToken, &request.token);
        let token = token.and_then(|text| serde_json::from_str::<Token<P>>(&text).ok());
        match token.filter(|token| token.binding == binding) {
            Some(token) => Ok(Self {
                limit,
                after: Some(token.after),
                binding,
            }),
            None => Err(Error::rejected(
                Reason::PageTokenInvalid,
                "the page token belongs to another list or to other parameters; begin with the first page",
            )),
        }
    }

    /// How many entries to read: one more than the page shows tells whether there is another page.
    pub fn to_read(&self) -> u64 {
        self.limit as u64 + 1
    }

    /// Makes a page of what was read.
    pub fn close<T>(self, keys: &Keys, mut items: Vec<T>, position: impl Fn(&T) -> P) -> Result<Page<T>> {
        if items.len() <= self.limit {
            return Ok(Page {
                items,
                next_page_token: String::new(),
            });
        }
        items.truncate(self.limit);
        let Some(last) = items.last() else {
            return Ok(Page {
                items,
                next_page_token: String::new(),
            });
        };
        let token = serde_json::to_string(&Token {
            binding: self.binding,
            after: position(last),
        })?;
        Ok(Page {
            next_page_token: keys.sign(Purpose::PageToken, &token),
            items,
        })
    }
}

impl Window<usize> {
    /// A page of a list that is in memory; the position is how many entries came before.
    pub fn of_list<T>(self, keys: &Keys, list: impl IntoIterator<Item = T>) -> Result<Page<T>> {
        let start = self.after.unwrap_or(0);
        let items: Vec<_> = list
            .into_iter()
            .skip(start)
            .take(self.limit + 1)
            .enumerate()
            .collect();
        let page = self.close(keys, items, |(at, _)| start + at + 1)?;
        let items = page.items.into_iter().map(|(_, item)| item).collect();
        Ok(Page {
            items,
            next_page_token: page.next_page_token,
        })
    }
}

impl Window<Place> {
    /// The condition that a row comes behind the page before in a list that is ordered by `time` and `id`.
    pub fn condition<C: ColumnTrait>(&self, time: C, id: C, order: Order) -> Option<SimpleExpr> {
        let (after_time, after_id) = self.after.as_ref()?;
        let columns = Expr::tuple([time.into_simple_expr(), id.into_simple_expr()]);
        let place = Expr::tuple([Expr::value(*after_time), Expr::value(after_id.as_str())]);
        Some(match order {
            Order::NewestFirst => columns.lt(place),
            Order::OldestFirst => columns.gt(place),
        })
    }
}

/// In which direction a list runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}
