//! A running broker and clients that write bytes as they like.

mod client;
mod configs;
mod fetching;
mod frames;
mod hostile;
mod memory;
mod requests;

use std::path::PathBuf;

use self::client::Client;
use crate::broker::log::Logs;
use crate::broker::{Broker, BrokerSettings};

/// A broker in a directory that goes with it.
struct Running {
    broker: Option<Broker>,
    directory: PathBuf,
}

impl Running {
    fn start(change: impl FnOnce(&mut BrokerSettings)) -> Self {
        let directory = std::env::temp_dir().join(format!("viewmill-server-{}", uuid::Uuid::new_v4()));
        let mut settings = BrokerSettings::new(directory.clone());
        change(&mut settings);
        Running { broker: Some(Broker::start(settings).expect("the broker starts")), directory }
    }

    fn client(&self) -> Client {
        Client::connect(self.broker.as_ref().expect("it runs").address())
    }

    fn logs(&self) -> &Logs {
        &self.broker.as_ref().expect("it runs").node.logs
    }

    fn stop(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.stop();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
