//! The threads of an instance: `stream-N` and `restore-N`, each a machine of `step/` in a loop.

// How long real threads take to end is real time.
#![allow(clippy::disallowed_methods)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::sampler::SAMPLE_INTERVAL;
use super::step::{StateRestorer, Step, StreamThread, ThreadError};
use super::{InstanceStatus, StoreSampler};
use crate::metrics::{Activity, ThreadActivity};
use crate::ports::{ChangelogReader, ThreadPorts, Wake};

/// How a thread ended.
#[derive(Debug)]
pub enum ThreadEnd {
    /// It was told to stop, has committed and left the group.
    Stopped,
    /// It cannot go on.
    Failed(ThreadError),
    /// Its code has a fault.
    Panicked,
}

/// Called once by each stream thread at its end.
pub type OnEnd = Arc<dyn Fn(&str, ThreadEnd) + Send + Sync>;

/// The running threads of an instance.
pub struct Threads {
    stop: Arc<AtomicBool>,
    wakes: Vec<Wake>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// No thread yet; `stop` is what stream threads were made with.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Threads { stop, wakes: Vec::new(), handles: Vec::new() }
    }

    /// Starts a stream thread. When it fails, the others are told to stop: an instance that works in part only hides it.
    pub fn start_stream<P>(
        &mut self,
        name: &str,
        mut machine: StreamThread<P>,
        status: InstanceStatus,
        on_end: OnEnd,
    ) -> std::io::Result<()>
    where
        P: ThreadPorts + 'static,
        StreamThread<P>: Send,
    {
        let (stop, thread_name) = (self.stop.clone(), name.to_string());
        self.wakes.push(machine.wake());
        let handle = thread::Builder::new().name(thread_name.clone()).spawn(move || {
            let end = match catch_unwind(AssertUnwindSafe(|| run_stream(&mut machine))) {
                Ok(Ok(())) => ThreadEnd::Stopped,
                Ok(Err(error)) => ThreadEnd::Failed(error),
                Err(_) => ThreadEnd::Panicked,
            };
            match &end {
                ThreadEnd::Stopped => tracing::info!(thread = thread_name, "stream thread stopped"),
                ThreadEnd::Failed(error) => {
                    tracing::error!(thread = thread_name, %error, "stream thread failed");
                    status.set_error(error.to_string());
                    stop.store(true, Ordering::Release);
                }
                ThreadEnd::Panicked => {
                    status.set_error(format!("thread {thread_name} panicked"));
                    stop.store(true, Ordering::Release);
                }
            }
            on_end(&thread_name, end);
        })?;
        self.handles.push(handle);
        Ok(())
    }

    /// Starts a restore thread. It ends when all stream threads have; when it panics, they are told to stop.
    pub fn start_restorer<R: ChangelogReader + 'static>(
        &mut self,
        name: &str,
        mut restorer: StateRestorer<R>,
        activity: ThreadActivity,
        status: InstanceStatus,
    ) -> std::io::Result<()> {
        let (stop, thread_name) = (self.stop.clone(), name.to_string());
        let handle = thread::Builder::new().name(name.to_string()).spawn(move || {
            let work = move || {
                activity.begin(Activity::Restore);
                while let Some(wait) = restorer.step() {
                    if !wait.is_zero() {
                        activity.begin(Activity::Idle);
                        restorer.wait(wait);
                        activity.begin(Activity::Restore);
                    }
                }
            };
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                status.set_error(format!("thread {thread_name} panicked"));
                stop.store(true, Ordering::Release);
            }
        })?;
        self.handles.push(handle);
        Ok(())
    }

    /// Starts the thread that reads RocksDB's figures until all are told to stop.
    pub fn start_sampler(&mut self, mut sampler: StoreSampler) -> std::io::Result<()> {
        let stop = self.stop.clone();
        let handle = thread::Builder::new().name("sample".into()).spawn(move || {
            while !stop.load(Ordering::Acquire) {
                sampler.sample();
                thread::park_timeout(SAMPLE_INTERVAL);
            }
        })?;
        let sleeper = handle.thread().clone();
        self.wakes.push(Arc::new(move || sleeper.unpark()));
        self.handles.push(handle);
        Ok(())
    }

    /// Tells all threads to commit, leave the group and end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wakes.iter().for_each(|wake| wake());
    }

    /// Waits for all threads; false when some have not ended in time.
    pub fn join(self, within: Duration) -> bool {
        let until = Instant::now() + within;
        for handle in self.handles {
            while !handle.is_finished() {
                if Instant::now() >= until {
                    return false;
                }
                thread::sleep(Duration::from_millis(5));
            }
            // A panic was caught inside.
            let _ = handle.join();
        }
        true
    }
}

fn run_stream<P: ThreadPorts>(machine: &mut StreamThread<P>) -> Result<(), ThreadError> {
    loop {
        match machine.step()? {
            Step::Again => {}
            Step::Wait(at_most) => machine.wait(at_most)?,
            Step::Left => return Ok(()),
        }
    }
}
