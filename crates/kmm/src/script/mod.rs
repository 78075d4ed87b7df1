//! Scripts: system calls and touches in a row, as text.
//!
//! One statement on a line, `#` begins a comment. What runs them decides what they are for: the differential test runs
//! each on the live kernel and in the simulator, `mallow sim` shows what happens.
//!
//! ```text
//! statement = [ process ":" ] [ name "=" ] verb argument ...
//!
//! file NAME SIZE                       a new file in memory, all of it holes
//! mmap PLACE SIZE PROT WORD ...        WORD: private shared shared_validate, anon or FILE or FILE+SIZE, fixed
//!                                      noreplace growsdown stack locked noreserve populate nonblock, a number
//! munmap PLACE SIZE
//! mprotect PLACE SIZE PROT [growsdown]
//! mremap PLACE OLD NEW [maymove] [dontunmap] [fixed] [to PLACE]
//! brk PLACE
//! mlock PLACE SIZE [onfault]
//! munlock PLACE SIZE
//! mlockall [current] [future] [onfault]
//! munlockall
//! madvise PLACE SIZE ADVICE
//! mincore PLACE SIZE
//! read PLACE [SIZE]                    loads the byte at PLACE and those every 4096 bytes after it
//! write PLACE [SIZE [BYTE]]            stores there
//! rlimit as|data|stack|memlock LIMIT   LIMIT: a SIZE, `none`, or `+SIZE` above what is in use
//! fork                                 the child is the next process
//! exit
//!
//! PLACE     = ( "@" | "brk" | name | SIZE ) { ("+"|"-") SIZE }
//! SIZE      = decimal [ "p" | "K" | "M" | "G" ] | "0x" hexadecimal         "p" is pages of 4 KiB
//! PROT      = "r" or "-", "w" or "-", "x" or "-", or a number; `rw-|0x8` is both
//! ```
//!
//! `@` is the start of the arena, which is empty when a script begins; `brk` is the program break at that moment; a
//! name stands for what its statement returned. Processes are numbered in the order in which they begin; the first
//! is 0. Arguments may be wrong in every way that the kernel refuses: bits that have no name are numbers.
//!
//! Called by the tests of this crate and by the command. Needs the heap.

mod call;
mod outcome;
mod parse;
mod place;
mod play;
mod print;
mod words;

use alloc::string::String;
use alloc::vec::Vec;

pub use call::{Call, Limit, Resource, Source};
pub use outcome::{Outcome, Signal};
pub use parse::{MAX_PROCESSES, ParseError};
pub use place::{Base, Place};
pub use play::Player;
pub use words::{advice, flag, lock, protection, remap};

/// Statements in the order in which they run, one after the other, whichever process they belong to.
///
/// ```
/// use mallow_kmm::script::Script;
/// let script: Script = "a = mmap 0 4p rw- private anon\nwrite a+1p\nmunmap a 4p".parse().unwrap();
/// assert_eq!(script.statements.len(), 3);
/// let error = "mmap @ 4p rw- private anon\nmunmap @ 4q".parse::<Script>().unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 10: `4q` is not a size");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Script {
    /// What is done.
    pub statements: Vec<Statement>,
}

/// One line of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The line that it was read from, counted from one; 0 if it was not read.
    pub line: usize,
    /// Which process does it.
    pub process: u32,
    /// The name of what it returns.
    pub name: Option<String>,
    /// What is done.
    pub call: Call,
}
