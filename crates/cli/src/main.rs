//! The `masklet` command.
fn main() {}
