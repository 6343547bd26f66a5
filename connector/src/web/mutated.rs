//! Property tests: parses inbox answers in which values are missing, renamed, emptied or of another type. Everything
//! readable is returned, no entry and no row with an id is lost, and nothing panics.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::conversation::conversation_in;
use super::inbox::page_in;
use crate::text;

/// A mutation of one value of an answer.
#[derive(Clone, Debug)]
enum Change {
    Drop,
    Rename,
    Put(Value),
    Add(Value),
}

fn changes() -> impl Strategy<Value = Vec<(usize, Change)>> {
    let odd = prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!("")),
        Just(json!("…")),
        Just(json!(-1)),
        Just(json!(1.5)),
        Just(json!(i64::MAX)),
        Just(json!(u64::MAX)),
        Just(json!(1e300)),
        Just(json!(true)),
        Just(json!([[{"id": 1}]])),
        Just(json!({"id": {"id": []}})),
        any::<i64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(|text| json!(text)),
    ];
    let change = prop_oneof![
        Just(Change::Drop),
        Just(Change::Rename),
        odd.clone().prop_map(Change::Put),
        odd.prop_map(Change::Add),
    ];
    proptest::collection::vec((any::<usize>(), change), 1..8)
}

/// Counts the values below a value.
fn places(value: &Value) -> usize {
    match value {
        Value::Array(entries) => entries.iter().map(|entry| 1 + places(entry)).sum(),
        Value::Object(fields) => fields.values().map(|field| 1 + places(field)).sum(),
        _ => 0,
    }
}

/// Mutates the value number `at` below a value.
fn apply(value: &mut Value, mut at: usize, change: &Change) {
    let key = match value {
        Value::Array(entries) => {
            for (index, entry) in entries.iter_mut().enumerate() {
                if at == 0 {
                    match change {
                        Change::Drop => drop(entries.remove(index)),
                        Change::Rename => {}
                        Change::Put(odd) => *entry = odd.clone(),
                        Change::Add(odd) => entries.insert(index, odd.clone()),
                    }
                    return;
                }
                at -= 1;
                let below = places(entry);
                if at < below {
                    return apply(entry, at, change);
                }
                at -= below;
            }
            return;
        }
        Value::Object(fields) => {
            let mut found = None;
            for (key, field) in fields.iter_mut() {
                if at == 0 {
                    found = Some(key.clone());
                    break;
                }
                at -= 1;
                let below = places(field);
                if at < below {
                    return apply(field, at, change);
                }
                at -= below;
            }
            found
        }
        _ => None,
    };
    if let (Value::Object(fields), Some(key)) = (value, key) {
        match change {
            Change::Drop => drop(fields.remove(&key)),
            Change::Rename => {
                if let Some(field) = fields.remove(&key) {
                    fields.insert(format!("{key}_v2"), field);
                }
            }
            Change::Put(odd) => drop(fields.insert(key, odd.clone())),
            Change::Add(odd) => drop(fields.insert("new_field".to_owned(), odd.clone())),
        }
    }
}

fn mutated(shape: &str, changes: &[(usize, Change)]) -> Value {
    let mut json: Value = serde_json::from_str(shape).expect("a fixture");
    for (at, change) in changes {
        let count = places(&json);
        if count > 0 {
            apply(&mut json, at % count, change);
        }
    }
    json
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_row_with_an_id_is_lost(changes in changes()) {
        let json = mutated(include_str!("../../tests/shapes/inbox.json"), &changes);
        let read = page_in(&json, 1);
        let listed = json["conversations"].as_array().map(Vec::as_slice).unwrap_or_default();
        // The listed rows are read even if other parts are wrong.
        prop_assert!(read.is_ok() || listed.is_empty());
        let Ok(page) = read else { return Ok(()) };
        prop_assert_eq!(page.rows.len() + page.unreadable as usize, listed.len());
        for row in listed {
            let id = text::id(&row["id"]).filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            if let Some(id) = id.filter(|id| !id.is_empty() && id.len() <= 20) {
                prop_assert!(page.rows.iter().any(|read| read.conversation_id == id), "{}", id);
            }
        }
    }

    #[test]
    fn no_entry_of_a_conversation_is_lost(changes in changes()) {
        let json = mutated(include_str!("../../tests/shapes/conversation.json"), &changes);
        let read = conversation_in(&json, "880011", Some("EUR"), Some("20001"));
        let messages = json["conversation"]["messages"].as_array();
        let is_another = text::id(&json["conversation"]["id"]).is_some_and(|id| id != "880011");
        prop_assert_eq!(read.is_ok(), messages.is_some() && !is_another);
        let (Ok(conversation), Some(messages)) = (read, messages) else { return Ok(()) };
        prop_assert_eq!(conversation.entries.len(), messages.len());
    }
}
