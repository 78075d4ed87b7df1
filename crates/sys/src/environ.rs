//! Reading the environment by walking it, without `getenv`.
//!
//! `getenv` may take locks, and some programs replace it; the block itself is a null-terminated array of strings.

use core::ffi::{CStr, c_char};

/// The environment block of a process.
#[derive(Clone, Copy, Debug)]
pub struct Environ {
    first: *const *const c_char,
}

impl Environ {
    /// Takes `envp` as given to `main` or to a constructor; null is an empty environment.
    ///
    /// # Safety
    ///
    /// 1. `envp` is null or points to an array of pointers to C strings that ends with a null pointer, and none
    ///    of it changes while this value and what came from it are in use.
    pub const unsafe fn new(envp: *const *const c_char) -> Self {
        Self { first: envp }
    }

    /// The value of the variable `name`; the first one if it is there twice, as `getenv` has it.
    pub fn value(self, name: &[u8]) -> Option<&'static [u8]> {
        self.variables().find_map(|variable| variable.strip_prefix(name)?.strip_prefix(b"="))
    }

    fn variables(self) -> impl Iterator<Item = &'static [u8]> {
        let mut next = self.first;
        core::iter::from_fn(move || {
            if next.is_null() {
                return None;
            }
            // SAFETY: not past the null pointer that ends the array (1 of `new`).
            let variable = unsafe { *next };
            if variable.is_null() {
                return None;
            }
            // SAFETY: the array goes on at least to its null pointer.
            next = unsafe { next.add(1) };
            // SAFETY: a C string (1 of `new`).
            Some(unsafe { CStr::from_ptr(variable) }.to_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_whole_names_only() {
        let block = [c"PATHS=x".as_ptr(), c"PATH=/bin".as_ptr(), c"EMPTY=".as_ptr(), core::ptr::null()];
        // SAFETY: an array of C strings that ends with a null pointer and outlives the value.
        let environ = unsafe { Environ::new(block.as_ptr()) };
        assert_eq!(environ.value(b"PATH"), Some(&b"/bin"[..]));
        assert_eq!(environ.value(b"EMPTY"), Some(&b""[..]));
        assert_eq!(environ.value(b"PAT"), None);
    }

    #[test]
    fn no_block_is_an_empty_environment() {
        // SAFETY: null is allowed.
        let environ = unsafe { Environ::new(core::ptr::null()) };
        assert_eq!(environ.value(b"PATH"), None);
    }
}
