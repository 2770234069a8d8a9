//! Markers, changelogs and committed offsets, followed from step to step: only what is new is read.

use std::collections::{BTreeMap, VecDeque};

use super::application::GROUP;
use super::model::Model;
use super::rules::{Judge, Kept, Rule};
use crate::record::{Offset, TopicPartition};
use crate::state::{Marker, TaskPosition};
use crate::task::PlannedStore;
use crate::testkit::cluster::{Look, StoredRecord};

/// The task log of one token, and the changelogs of its stores.
pub(super) struct TaskHistory {
    pub token: TopicPartition,
    read_to: Offset,
    /// All committed markers.
    pub markers: Vec<(Offset, Marker)>,
    /// How many of them there were before this step.
    known: usize,
    /// With how many of them the changelogs were compared.
    compared: usize,
    changelogs: Vec<Changelog>,
    /// Where a fault has put the committed offset back to, until the next commit.
    moved_back: Option<Offset>,
}

/// One changelog, folded up to the marker that was compared last.
struct Changelog {
    store: PlannedStore,
    read_to: Offset,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What comes after that marker.
    held: VecDeque<StoredRecord>,
}

impl Changelog {
    fn read(&mut self, look: &mut Look<'_>) {
        let at = &self.store.changelog;
        self.read_to = look.read(&at.topic, at.partition, self.read_to, |record| self.held.push_back(record.clone()));
    }

    /// Folds up to an offset; false while records up to there may still come.
    fn fold(&mut self, last: Option<Offset>) -> bool {
        let Some(last) = last else { return true };
        while let Some(record) = self.held.pop_front_if(|record| record.offset <= last) {
            fold(&mut self.rows, record);
        }
        self.read_to > last
    }
}

fn fold(rows: &mut BTreeMap<Vec<u8>, Vec<u8>>, record: StoredRecord) {
    let key = record.key.unwrap_or_default();
    match record.value {
        Some(row) => _ = rows.insert(key, row),
        None => _ = rows.remove(&key),
    }
}

impl TaskHistory {
    pub(super) fn new(token: TopicPartition, model: &Model) -> Self {
        let changelog =
            |store: &PlannedStore| Changelog { store: store.clone(), read_to: Offset(0), rows: BTreeMap::new(), held: VecDeque::new() };
        let changelogs = model.plan.stores.iter().map(changelog).collect();
        TaskHistory { token, read_to: Offset(0), markers: Vec::new(), known: 0, compared: 0, changelogs, moved_back: None }
    }

    /// The last committed marker.
    pub(super) fn last(&self) -> Option<&(Offset, Marker)> {
        self.markers.last()
    }

    /// The sequence of the last marker that was there before this step.
    pub(super) fn known_before(&self) -> u64 {
        self.known.checked_sub(1).map_or(0, |at| self.markers[at].1.sequence)
    }

    /// Where a late copy of an older commit could put the committed offset back to.
    pub(super) fn move_back(&mut self, by: usize, look: &mut Look<'_>) -> Option<(TopicPartition, Offset)> {
        let at = self.markers.len().checked_sub(1 + by)?;
        // While a commit is under way it would come afterwards.
        look.stable_offset(GROUP, &self.token).filter(|_| look.is_stable(&self.token.topic, self.token.partition))?;
        let offset = self.markers[at].0.next();
        self.moved_back = Some(offset);
        Some((self.token.clone(), offset))
    }

    /// Its logs end at their last stable offset.
    pub(super) fn check_nothing_open(&self, judge: Judge, look: &Look<'_>) -> Kept {
        let mut logs = self.changelogs.iter().map(|changelog| &changelog.store.changelog).chain([&self.token]);
        let open = logs.find(|log| !look.is_stable(&log.topic, log.partition));
        judge.check(open.is_none(), Rule::NothingLeftOpen, || format!("{open:?} is held back by a transaction"))
    }

    pub(super) fn check(&mut self, judge: Judge, model: &Model, look: &mut Look<'_>) -> Kept {
        self.known = self.markers.len();
        self.read_markers(judge, model, look)?;
        for changelog in &mut self.changelogs {
            changelog.read(look);
        }
        self.compare_changelogs(judge, model)?;
        self.check_nothing_beyond(judge, look)?;
        self.check_offset(judge, look)
    }

    fn read_markers(&mut self, judge: Judge, model: &Model, look: &mut Look<'_>) -> Kept {
        let mut new = Vec::new();
        self.read_to = look.read(&self.token.topic, self.token.partition, self.read_to, |record| {
            new.push((record.offset, Marker::decode(record.value.as_deref().unwrap_or_default())));
        });
        for (offset, marker) in new {
            let marker = marker.expect("markers can be read");
            let token = &self.token;
            if let Some((before, last)) = self.markers.last() {
                let follows = marker.sequence == last.sequence + 1 && marker.lineage == last.lineage && marker.sources >= last.sources;
                judge.check(follows, Rule::OneOwner, || {
                    format!("{token}: the marker at {offset} does not follow the one at {before}:\n  {last:?}\n  {marker:?}")
                })?;
            } else {
                judge.check(marker.sequence == 1, Rule::OneOwner, || format!("{token}: the first marker is {marker:?}"))?;
            }
            let next = next_of(&marker);
            judge.check(model.is_a_place(next), Rule::Fold, || {
                format!("{token}: the marker at {offset} names {next}, where no record ends")
            })?;
            let expected = model.at(next).stream_time;
            judge.check(marker.stream_time == expected, Rule::Fold, || {
                format!("{token}: the marker at {offset} has the stream time {:?}, not {expected:?}", marker.stream_time)
            })?;
            self.markers.push((offset, marker));
            self.moved_back = None;
        }
        Ok(())
    }

    /// Each marker's changelogs hold what the input before it makes.
    fn compare_changelogs(&mut self, judge: Judge, model: &Model) -> Kept {
        while let Some((offset, marker)) = self.markers.get(self.compared) {
            let end = |changelog: &Changelog| marker.changelogs.get(&changelog.store.name).copied().flatten();
            let mut complete = true;
            for changelog in &mut self.changelogs {
                complete &= changelog.fold(end(changelog));
            }
            if !complete {
                return Ok(());
            }
            let state = model.at(next_of(marker));
            for changelog in &self.changelogs {
                let (store, column) = (&changelog.store.name, changelog.store.column.0);
                let expected = state.rows.range((column, Vec::new())..(column + 1, Vec::new()));
                let same = expected.map(|((_, key), row)| (key, row)).eq(&changelog.rows);
                judge.check(same, Rule::Fold, || {
                    let rows = &changelog.rows;
                    format!("{}: the changelog of {store} up to the marker at {offset} is not the fold: {rows:?}\n  {marker:?}", self.token)
                })?;
            }
            self.compared += 1;
        }
        Ok(())
    }

    fn check_nothing_beyond(&self, judge: Judge, look: &Look<'_>) -> Kept {
        if self.compared < self.markers.len() || !look.is_stable(&self.token.topic, self.token.partition) {
            return Ok(());
        }
        for changelog in &self.changelogs {
            let at = &changelog.store.changelog;
            let beyond = changelog.held.front().filter(|_| look.is_stable(&at.topic, at.partition));
            judge.check(beyond.is_none(), Rule::Fold, || format!("{at} has a record after the last marker: {beyond:?}"))?;
        }
        Ok(())
    }

    fn check_offset(&self, judge: Judge, look: &mut Look<'_>) -> Kept {
        let stable = look.is_stable(&self.token.topic, self.token.partition);
        let Some(committed) = look.stable_offset(GROUP, &self.token).filter(|_| stable) else { return Ok(()) };
        let last = self.last().map(|(offset, _)| offset.next());
        judge.check(committed == last || (committed.is_some() && committed == self.moved_back), Rule::Offsets, || {
            format!("{}: the committed offset is {committed:?}, the last marker's {last:?}", self.token)
        })
    }

    /// Whether a position that is served is a committed one; `None` while its marker has not reached the log.
    pub(super) fn is_committed(&self, position: &TaskPosition, look: &Look<'_>) -> bool {
        if position.marker_offset < self.read_to {
            let found = self.markers.iter().rev().find(|(offset, _)| *offset == position.marker_offset);
            return found.is_some_and(|(_, marker)| *marker == position.marker);
        }
        // Decided, with markers of the transaction still under way.
        look.open_transactions().iter().any(|open| open.since_ms.is_none() && open.partitions.contains(&self.token))
    }

    /// The same from the beginning: a cross-check of what was followed step by step.
    pub(super) fn check_again(&self, judge: Judge, look: &mut Look<'_>) -> Kept {
        for changelog in &self.changelogs {
            let (at, mut whole, mut followed) = (&changelog.store.changelog, BTreeMap::new(), changelog.rows.clone());
            look.read(&at.topic, at.partition, Offset(0), |record| fold(&mut whole, record.clone()));
            changelog.held.iter().for_each(|record| fold(&mut followed, record.clone()));
            judge.check(whole == followed, Rule::Fold, || format!("{at} read from its beginning is {whole:?}, not {followed:?}"))?;
        }
        Ok(())
    }
}

/// Where the task of a marker goes on; each task has one source partition.
pub(super) fn next_of(marker: &Marker) -> Offset {
    marker.sources.values().next().copied().unwrap_or_default()
}
