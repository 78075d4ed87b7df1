//! Cgroups: what limits the memory of a group of processes, and counts it, in both versions.
//!
//! ```text
//!  /proc/PID/cgroup + /proc/self/mountinfo ──► place: a folder for each group, from its own up to the root
//!  memory.* in each of those folders       ──► group: usage, limits, events, pressure
//! ```
//!
//! Every group above counts and limits what is in those below, so all of them are looked at. Called by `limits` and by the
//! ledger's lines beside RSS.

pub mod group;
pub mod place;
