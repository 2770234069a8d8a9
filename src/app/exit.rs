//! Exit codes.

/// How a process ends; the numbers are documented and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or stopped by a signal with everything committed.
    Clean,
    /// 1: something failed; the log says what.
    Failure,
    /// 2: the command line, the configuration, the topology or the cluster has faults.
    Usage,
    /// 3: another process runs with this instance's id. A supervisor must not start this one again.
    Fenced,
    /// 4: what would be reset is in use; nothing was changed.
    InUse,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Fenced => 3,
            Exit::InUse => 4,
        }
    }
}
