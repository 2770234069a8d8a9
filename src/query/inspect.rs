//! Any store as JSON, without its types: for people who look what is there.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::parts::is_being_filled;
use super::store_table::StoreEntry;
use super::{Answer, QueryError, Read, TaskView, Views};
use crate::codec::CodecError;
use crate::topology::TaskId;

/// A store, and what of it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// As declared.
    pub name: Arc<str>,
    /// One row a key; else each partition has rows of its own.
    pub keyed: bool,
    /// The sub-topology that it belongs to.
    pub subtopology: Arc<str>,
    /// The full name of its changelog topic.
    pub changelog: String,
    /// The names of its indexes.
    pub indexes: Vec<Arc<str>>,
    /// The partitions that can be read here.
    pub partitions_here: Vec<i32>,
    /// The partitions that are being restored or filled here.
    pub restoring: Vec<i32>,
}

/// A key with what stands under it.
#[derive(Clone, Debug)]
pub struct Item {
    /// The key.
    pub key: Value,
    /// Its row or rows.
    pub value: ItemValue,
}

/// What stands under a key, as the rows write themselves: exact numbers keep their digits.
#[derive(Clone, Debug)]
pub enum ItemValue {
    /// The row of a keyed store.
    One(Option<Box<RawValue>>),
    /// The rows of a partial store, with their partitions.
    Each(Vec<(i32, Box<RawValue>)>),
}

/// Which task has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The task.
    pub task: TaskId,
    /// Whether it can be read here.
    pub here: bool,
}

/// A key that was read from a text.
pub(super) struct Located {
    pub key: Value,
    pub bytes: Vec<u8>,
    partition_key: Vec<u8>,
}

/// Whether a partition of a store can be read here.
enum Presence {
    Here,
    Restoring,
    Elsewhere,
}

impl Views {
    /// All stores, in the order of declaration.
    pub async fn stores(&self) -> Result<Vec<StoreInfo>, QueryError> {
        let views = self.clone();
        self.blocking(move || views.entries().iter().map(|store| views.info(store)).collect()).await
    }

    fn info(&self, store: &StoreEntry) -> Result<StoreInfo, QueryError> {
        let (mut partitions_here, mut restoring) = (Vec::new(), Vec::new());
        for partition in 0..self.registry().partitions(&store.subtopology).unwrap_or(0) {
            match self.presence(store, &TaskId { subtopology: store.subtopology.clone(), partition })? {
                Presence::Here => partitions_here.push(partition),
                Presence::Restoring => restoring.push(partition),
                Presence::Elsewhere => {}
            }
        }
        Ok(StoreInfo {
            name: store.name.clone(),
            keyed: store.keyed,
            subtopology: store.subtopology.clone(),
            changelog: self.names().changelog(&store.name),
            indexes: store.indexes.iter().map(|index| index.name.clone()).collect(),
            partitions_here,
            restoring,
        })
    }

    /// The row of a key, or its rows in all partitions.
    pub async fn item(&self, store: &str, key: &str, read: &Read) -> Result<Answer<Item>, QueryError> {
        let store = self.store_named(store)?;
        let Located { key, bytes, partition_key } = self.locate(store, key).map_err(QueryError::Key)?;
        let (types, key_bytes) = (self.topology().parts().stores[store.at].types.clone(), bytes.clone());
        let json = move |row: &[u8]| types.row_json(&key_bytes, row).map(|(_, value)| value);
        let answer = match store.keyed {
            true => self.row(store, self.owner(store, &partition_key)?, bytes, read, json).await?.map(ItemValue::One),
            false => {
                let each = move |partition, row: &[u8]| Ok((partition, json(row)?));
                self.row_each(store, read, bytes, each).await?.map(ItemValue::Each)
            }
        };
        Ok(answer.map(|value| Item { key, value }))
    }

    /// Which task has a key.
    pub async fn owner_of(&self, store: &str, key: &str) -> Result<Owner, QueryError> {
        let store = self.store_named(store)?.clone();
        if !store.keyed {
            return Err(QueryError::NoOwner { store: store.name.to_string() });
        }
        let located = self.locate(&store, key).map_err(QueryError::Key)?;
        let task = self.owner(&store, &located.partition_key)?;
        let views = self.clone();
        self.blocking(move || Ok(Owner { here: matches!(views.presence(&store, &task)?, Presence::Here), task })).await
    }

    pub(super) fn store_named(&self, name: &str) -> Result<&Arc<StoreEntry>, QueryError> {
        self.entries()
            .iter()
            .find(|store| &*store.name == name)
            .ok_or_else(|| QueryError::NoStore { store: name.to_string(), known: listed(self.entries().iter().map(|store| &store.name)) })
    }

    fn presence(&self, store: &StoreEntry, task: &TaskId) -> Result<Presence, QueryError> {
        Ok(match self.registry().get(task) {
            Some(TaskView::Active(database)) => match database.snapshot()? {
                Some((_, state)) if !is_being_filled(state.as_deref(), store) => Presence::Here,
                _ => Presence::Restoring,
            },
            Some(TaskView::Restoring) => Presence::Restoring,
            None => Presence::Elsewhere,
        })
    }

    /// A text is a key in JSON, or itself the key.
    pub(super) fn locate(&self, store: &StoreEntry, text: &str) -> Result<Located, String> {
        let definition = &self.topology().parts().stores[store.at];
        let located = |key: Value| {
            let (bytes, partition_key) = (definition.locate)(key.clone())?;
            Ok(Located { key, bytes, partition_key: partition_key.unwrap_or_default() })
        };
        let as_text = || located(Value::String(text.to_string()));
        match serde_json::from_str::<Value>(text) {
            Ok(json) => located(json).or_else(|fault: CodecError| as_text().map_err(|_| fault)),
            Err(_) => as_text(),
        }
        .map_err(|fault| fault.to_string())
    }
}

pub(super) fn listed<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> String {
    let names: Vec<&str> = names.map(|name| &**name).collect();
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}
