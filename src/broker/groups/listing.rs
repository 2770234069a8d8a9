//! DescribeGroups, ListGroups, DeleteGroups.

use bytes::Bytes;

use super::super::journal::Append;
use super::super::wire::ErrorCode;
use super::{Group, GroupState, Groups, Member, append, entry};

/// A group as DescribeGroups tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedGroup {
    pub state: GroupState,
    pub protocol_type: String,
    /// Of a stable group.
    pub protocol: String,
    pub members: Vec<DescribedMember>,
}

/// A member in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    /// These two of a stable group.
    pub metadata: Bytes,
    pub assignment: Bytes,
}

/// A group as ListGroups tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    pub id: String,
    pub protocol_type: String,
    pub state: GroupState,
}

impl Groups {
    /// Tells of one; none if it does not exist.
    pub fn describe(&self, id: &str) -> Option<DescribedGroup> {
        let group = self.by_id.get(id)?;
        let stable = group.state == GroupState::Stable;
        let protocol = group.protocol.clone().filter(|_| stable).unwrap_or_default();
        let tell = |member: &Member| DescribedMember {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable { member.metadata(&protocol) } else { Bytes::new() },
            assignment: if stable { member.assignment.clone() } else { Bytes::new() },
        };
        Some(DescribedGroup {
            state: group.state,
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            members: group.members.values().map(tell).collect(),
            protocol,
        })
    }

    /// Lists those in one of the states, by id; with no states, all. States are compared without case, as in Kafka; all are of the type
    /// "classic".
    pub fn list(&self, states: &[String], types: &[String]) -> Vec<ListedGroup> {
        let passes = |group: &&Group| states.is_empty() || states.iter().any(|state| state.eq_ignore_ascii_case(group.state.name()));
        if !types.is_empty() && !types.iter().any(|kind| kind.eq_ignore_ascii_case("classic")) {
            return Vec::new();
        }
        let tell = |group: &Group| ListedGroup {
            id: group.id.clone(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            state: group.state,
        };
        let mut listed: Vec<ListedGroup> = self.by_id.values().filter(passes).map(tell).collect();
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        listed
    }

    /// Deletes a group without members, with its offsets.
    pub fn delete(&mut self, journal: &mut impl Append, id: &str) -> Result<(), ErrorCode> {
        let group = self.by_id.get(id).ok_or(ErrorCode::GroupIdNotFound)?;
        if group.state != GroupState::Empty {
            return Err(ErrorCode::NonEmptyGroup);
        }
        append(journal, &entry::removed(id))?;
        self.by_id.remove(id);
        Ok(())
    }
}
