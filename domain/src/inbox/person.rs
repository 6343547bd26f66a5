//! `GetPerson`.

use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};

use super::messages::to_thread;
use super::row::present;
use super::{Message, MessageKind, Person, Thread};
use crate::identity::Caller;
use crate::store::OfWorkspace;
use crate::store::entities::{messages, people, threads};
use crate::{Context, Error, Result};

/// The maximum number of threads, and of offers, that `GetPerson` returns.
const MAX: u64 = 200;

/// A counterparty with its threads and offers.
#[derive(Clone, Debug)]
pub struct PersonPage {
    pub person: Person,
    /// Newest message first, including archived threads.
    pub threads: Vec<Thread>,
    /// Offers in these threads, newest first.
    pub offers: Vec<Message>,
}

/// Returns a counterparty with the threads and offers of all accounts of the caller's workspace.
pub async fn person(context: &Context, caller: &Caller, id: &str) -> Result<PersonPage> {
    let reader = context.store.reader();
    let person = people::Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .one(reader)
        .await?
        .ok_or_else(|| Error::not_found("person", id))?;
    let rows = present(&caller.workspace_id)
        .filter(threads::Column::PersonId.eq(id))
        .order_by_desc(threads::Column::LastMessageTime)
        .order_by_desc(threads::Column::Id)
        .limit(MAX)
        .all(reader)
        .await?;
    let offers = messages::Entity::find()
        .join(JoinType::InnerJoin, to_thread())
        .filter(messages::Column::Kind.eq(MessageKind::OfferRequest))
        .filter(threads::Column::Id.is_in(rows.iter().map(|(row, _)| row.id.as_str())))
        .order_by_desc(messages::Column::Time)
        .order_by_desc(messages::Column::Id)
        .limit(MAX)
        .all(reader)
        .await?;
    Ok(PersonPage {
        person: person.into(),
        threads: rows
            .into_iter()
            .map(|(row, person)| Thread::of(row, person))
            .collect(),
        offers: offers.into_iter().map(Message::from).collect(),
    })
}
