//! Threads: conversations on the site, with the data that only vintedbot stores.

use sea_orm::entity::prelude::*;

use crate::inbox::RemovalState;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "threads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub site: String,
    pub remote_id: String,
    pub person_id: String,
    /// The title of the item, or the site's title of the conversation.
    pub subject: String,
    pub listing_id: Option<String>,
    /// JSON of [`vintedbot_marketplace::Transaction`].
    pub transaction_state: Option<String>,
    pub snippet: String,
    pub last_message_time: i64,
    pub unread_count: i64,
    pub unread: bool,
    /// Whether the site showed the thread as unread at the last reading.
    pub remote_unread: bool,
    pub waiting_for_me: bool,
    pub has_offer: bool,
    pub archived: bool,
    pub snooze_until: Option<i64>,
    /// JSON list, in alphabetical order.
    pub labels: String,
    pub note: String,
    pub draft_text: Option<String>,
    pub draft_version: i64,
    pub draft_time: Option<i64>,
    pub reply_allowed: bool,
    pub read_by_person: bool,
    pub message_count: i64,
    /// The thread's entry in the site's inbox when the conversation was last read, as JSON. `None`: the entry may have
    /// changed within the same second.
    pub listed: Option<String>,
    pub create_time: i64,
    pub update_time: i64,
    pub delete_time: Option<i64>,
    pub sequence: i64,
    pub removal_state: Option<RemovalState>,
    /// The number of confirmed removals.
    pub removal_number: i64,
    /// The hash of the content that the last removal was confirmed for.
    pub removal_hash: Option<String>,
    pub removal_reason: Option<String>,
    pub removal_message: Option<String>,
    pub removal_time: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::people::Entity",
        from = "Column::PersonId",
        to = "super::people::Column::Id"
    )]
    Person,
}

impl Related<super::people::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Person.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
