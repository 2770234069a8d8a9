//! Whether this instance can do its work: the checks of `/readyz`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;

use crate::runtime::{InstanceState, InstanceStatus};

/// One check and what it found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    pub name: &'static str,
    pub ok: bool,
    pub detail: String,
}

/// Asks whether the state directory can be written. Cheap to clone.
#[derive(Clone)]
pub struct DiskCheck {
    ask: Arc<dyn Fn() -> Result<String, String> + Send + Sync>,
    /// A disk that hangs must not take a thread a probe.
    running: Arc<Semaphore>,
    last: Arc<Mutex<Option<Result<String, String>>>>,
}

/// A disk that takes longer is not fit for work.
const DISK_TIMEOUT: Duration = Duration::from_secs(1);

impl DiskCheck {
    /// `ask` may block; it says what it found, or what is wrong.
    pub fn new(ask: impl Fn() -> Result<String, String> + Send + Sync + 'static) -> Self {
        DiskCheck { ask: Arc::new(ask), running: Arc::new(Semaphore::new(1)), last: Arc::default() }
    }

    async fn check(&self) -> Check {
        let found = self.found().await;
        let ok = found.is_ok();
        Check { name: "disk", ok, detail: found.unwrap_or_else(|fault| fault) }
    }

    async fn found(&self) -> Result<String, String> {
        let too_slow = || Err(format!("the disk has not answered within {} s", DISK_TIMEOUT.as_secs()));
        let Ok(running) = self.running.clone().try_acquire_owned() else {
            // Another probe asks right now; its last answer is at most a time-out old, or the disk hangs.
            return match tokio::time::timeout(DISK_TIMEOUT, self.running.acquire()).await {
                Ok(_) => self.last().unwrap_or_else(too_slow),
                Err(_) => too_slow(),
            };
        };
        let (ask, last) = (self.ask.clone(), self.last.clone());
        let asking = tokio::task::spawn_blocking(move || {
            let found = ask();
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
            drop(running);
            found
        });
        match tokio::time::timeout(DISK_TIMEOUT, asking).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err("the check of the disk failed".to_string()),
            Err(_) => too_slow(),
        }
    }

    fn last(&self) -> Option<Result<String, String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All checks: the state, the tasks, the disk.
pub(super) async fn checks(status: &InstanceStatus, disk: &DiskCheck) -> Vec<Check> {
    vec![state(status), tasks(status), disk.check().await]
}

fn state(status: &InstanceStatus) -> Check {
    let state = status.state();
    let cause = match &state {
        InstanceState::Error(cause) => Some(cause.clone()),
        InstanceState::Created => status.waits_for(),
        _ => None,
    };
    let detail = cause.map_or_else(|| state.name().to_string(), |cause| format!("{}: {cause}", state.name()));
    Check { name: "state", ok: state == InstanceState::Running, detail }
}

fn tasks(status: &InstanceStatus) -> Check {
    if status.state() == InstanceState::Created {
        return Check { name: "tasks", ok: false, detail: "none are given yet".to_string() };
    }
    let rows = status.tasks();
    let count = |state: &str| rows.iter().filter(|row| row.state == state).count();
    let (active, restoring, unknown) = (count("active"), count("restoring"), count("unknown"));
    Check { name: "tasks", ok: restoring == 0, detail: format!("{active} active, {restoring} restoring, {unknown} unknown") }
}
