//! Programs run on the built library: which library that is, how one run is described, what came of it.
//!
//! ```no_run
//! use mallow_testkit::preload::{self, Run};
//!
//! let sorted = Run::new("sort").stdin("b\na\n").finish()?.success()?;
//! assert_eq!(sorted.stdout(), "a\nb\n");
//! preload::same_with_and_without(&Run::new("python3").args(["-c", "print(sum(range(10)))"]))?;
//! # Ok::<(), preload::Failure>(())
//! ```
//!
//! Called by the acceptance suites. Calls `cargo` once per process, and the programs.

mod failure;
mod library;
mod outcome;
mod run;

pub use self::failure::Failure;
pub use self::library::{archive, is_mallow, library, target_dir, workspace};
pub use self::outcome::Outcome;
pub use self::run::Run;

/// Runs `run` without the library and then with it, and compares standard output and exit status.
///
/// Returns the outcome with the library. Standard error is not compared: too many programs write times there.
pub fn same_with_and_without(run: &Run) -> Result<Outcome, Failure> {
    let without = run.clone().without_library().finish()?;
    let with = run.finish()?;
    if with.status != without.status || with.stdout != without.stdout {
        return Err(Failure::Differs { without: Box::new(without), with: Box::new(with) });
    }
    Ok(with)
}
