//! The constructor and the destructor that come with the allocator: see [`mallow_heap::process`] for what they do.

use mallow_heap::process::{self, Constructor};

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: Constructor = process::constructor;

#[used]
#[unsafe(link_section = ".fini_array")]
static DESTRUCTOR: extern "C" fn() = process::destructor;
