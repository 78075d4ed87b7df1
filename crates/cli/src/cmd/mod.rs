//! The verbs of the command, one per file.

pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain_address;
pub(crate) mod free;
pub(crate) mod lab;
pub(crate) mod limits;
pub(crate) mod map;
pub(crate) mod oom;
pub(crate) mod paper;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sim;
pub(crate) mod top;
pub(crate) mod trim;
pub(crate) mod why;
