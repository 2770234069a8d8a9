//! LeaveGroup.

use super::super::journal::Append;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{Around, Group, Groups};

/// One who leaves, or is made to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Empty: a static member, whatever its id.
    pub member_id: String,
    pub instance_id: Option<String>,
}

/// How it went for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub who: Leaving,
    pub error: ErrorCode,
}

impl Groups {
    /// LeaveGroup.
    pub fn leave(&mut self, journal: &mut impl Append, now: Moment, group: &str, leaving: Vec<Leaving>) -> Result<Vec<Left>, ErrorCode> {
        if group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let Groups { settings, by_id, answers, .. } = self;
        let Some(group) = by_id.get_mut(group) else {
            return Ok(leaving.into_iter().map(|who| Left { who, error: ErrorCode::UnknownMemberId }).collect());
        };
        let mut around = Around { settings, answers, journal, now };
        let left: Vec<Left> =
            leaving.into_iter().map(|who| Left { error: group.leave(&who, &mut around).err().unwrap_or(ErrorCode::None), who }).collect();
        if left.iter().any(|left| left.error == ErrorCode::None) {
            group.go_on_without(&mut around);
        }
        Ok(left)
    }
}

impl Group {
    fn leave<J: Append>(&mut self, who: &Leaving, around: &mut Around<'_, J>) -> Result<(), ErrorCode> {
        let id = match (&who.instance_id, who.member_id.is_empty()) {
            (Some(instance), true) => self.static_members.get(instance).cloned().ok_or(ErrorCode::UnknownMemberId)?,
            (None, true) => return Err(ErrorCode::UnknownMemberId),
            (_, false) if self.promised.remove(&who.member_id).is_some() => return Ok(()),
            (instance, false) => {
                self.check_member(&who.member_id, instance.as_deref())?;
                who.member_id.clone()
            }
        };
        self.member_gone(&id, around);
        Ok(())
    }
}
