//! What depends on the processor: one file per processor, the same items in each.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("mallow has no file for this processor yet; see crates/sys/src/cpu");

/// Time stands still under the model checker, so that what a thread does depends on the schedule alone.
#[cfg(shuttle)]
pub fn cycles() -> u64 {
    0
}
