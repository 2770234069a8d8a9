//! WHO runs tasks and when: the loop as a deterministic machine (`step/`), the threads around it, and what they tell of themselves.

mod lag_history;
mod members;
mod orphans;
mod provision;
mod sampler;
mod status;
pub mod step;
mod threads;
mod tokens;

pub use lag_history::{LagReport, LagVerdict};
pub use members::{GONE_AFTER, HEARTBEAT, MemberIdentity, MemberRole, MemberRow, MemberTask, MemberTaskState, Members};
pub use orphans::Orphans;
pub use provision::{Inspection, ProvisionError, Provisioned, TopicFault, TopicNeeded, TopicRole, TopicSettings, TopicsNeeded, provision};
pub use sampler::{StoreSampler, known_labels};
pub use status::{InstanceState, InstanceStatus, TaskRow};
pub use threads::{OnEnd, ThreadEnd, Threads};
pub use tokens::{TokenError, TokenTable};
