//! Why a system call was refused: the numbers and names that Linux gives.

use core::fmt;

/// An `errno` value.
///
/// # Source
///
/// `errno(3)`; the numbers are those of x86-64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        impl Errno {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The name in the manual; `None` for a number that memory management does not give.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    /// Operation not permitted.
    EPERM = 1,
    /// No such file.
    ENOENT = 2,
    /// No such process.
    ESRCH = 3,
    /// Interrupted.
    EINTR = 4,
    /// The device failed.
    EIO = 5,
    /// No such file descriptor.
    EBADF = 9,
    /// Try again; also: a limit on locked memory.
    EAGAIN = 11,
    /// Out of memory, address space, or mappings.
    ENOMEM = 12,
    /// Permission denied.
    EACCES = 13,
    /// Bad address.
    EFAULT = 14,
    /// Busy.
    EBUSY = 16,
    /// There is something already.
    EEXIST = 17,
    /// No such device; also: a file that cannot be mapped.
    ENODEV = 19,
    /// Invalid argument.
    EINVAL = 22,
    /// No space left.
    ENOSPC = 28,
    /// No such system call.
    ENOSYS = 38,
    /// The value does not fit.
    EOVERFLOW = 75,
    /// Not supported.
    EOPNOTSUPP = 95,
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_number_prints_its_name() {
        assert_eq!(
            alloc::format!("{} {:?} {}", Errno::ENOMEM, Errno(22), Errno(999)),
            "ENOMEM EINVAL errno 999"
        );
    }
}
