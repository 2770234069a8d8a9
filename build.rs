//! Leaves debug information out of what is linked: with RocksDB's line tables each binary would have half a gigabyte. Symbols stay,
//! so that backtraces and profiles name functions.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--strip-debug");
}
