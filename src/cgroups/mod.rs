//! Where the container's control groups are, and reading their files: for
//! init, which divides them, and for the server, which watches them.

pub mod file;
#[cfg(test)]
pub mod fixture;
pub mod place;
