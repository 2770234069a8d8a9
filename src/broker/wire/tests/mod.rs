//! The codec against another implementation, and against bytes that nobody vouches for.

mod filler;
mod hostile;
mod reference;
mod weigher;
