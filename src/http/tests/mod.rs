//! What the server promises, over real sockets on the loopback interface.

mod bounds;
mod client;
mod consistency;
mod engine;
mod errors;
mod inspect;
mod openapi;
mod running;

use client::{Client, Reply};
use running::{Running, quick};
