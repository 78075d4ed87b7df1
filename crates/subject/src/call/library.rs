//! Shared libraries that come and go.

use super::{address, done, pointer};
use crate::Answer;
use crate::wire::Request;

/// `dlopen NAME FLAGS`; a library that is not there is `ENOENT`: the loader says it in words only.
pub(super) fn open(request: &Request<'_>) -> Answer {
    // SAFETY: the name ends with a zero byte; the libraries that experiments name do nothing when they are loaded.
    let handle = unsafe { libc::dlopen(request.text(1).as_ptr(), request.int(2)) };
    address(handle).map_err(|_| libc::ENOENT)
}

pub(super) fn close(request: &Request<'_>) -> Answer {
    // SAFETY: the handle is one that an answer gave, by promise 1 of the crate.
    done(unsafe { libc::dlclose(pointer(request.number(1))) })
}
