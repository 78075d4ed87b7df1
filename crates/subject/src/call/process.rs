//! The process itself: its limits, its user, its children.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use super::{done, errno};
use crate::Answer;
use crate::wire::Request;

/// Prepares the process, before the first request.
pub(crate) fn settle() {
    let kill = libc::SIGKILL.unsigned_abs();
    // SAFETY: these options take numbers only.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, kill, 0, 0, 0) };
    // Experiments about mistakes end in signals. A core file of one byte is none, and unlike zero this
    // limit holds for programs that collect them, too.
    let no_core = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
    // SAFETY: the limits are read only.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core) };
    // Counts of pages and faults are to be the same everywhere; experiments that are about huge pages turn
    // them on.
    set_huge_pages(false);
}

/// Page faults of this process that needed no disk.
pub(crate) fn faults() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: there is room for the answer.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    // SAFETY: zeros are a value too, should the call have failed.
    unsafe { usage.assume_init() }.ru_minflt.cast_unsigned()
}

/// `huge_pages 0|1`.
pub(super) fn huge_pages(request: &Request<'_>) -> Answer {
    done(set_huge_pages(request.number(1) != 0))
}

fn set_huge_pages(are_allowed: bool) -> i32 {
    // SAFETY: this option takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, libc::c_ulong::from(!are_allowed), 0, 0, 0) }
}

/// `fork`: the child answers, with its number, and takes over. When it ends, this process goes on, and answers
/// the child's last request with how it ended.
pub(super) fn fork(_request: &Request<'_>) -> Answer {
    // SAFETY: requests are made by one thread, and no other holds a lock of ours.
    match unsafe { libc::fork() } {
        -1 => Err(errno()),
        0 => {
            // SAFETY: takes nothing.
            let number = unsafe { libc::getpid() };
            Ok(u64::from(number.unsigned_abs()))
        }
        child => {
            let mut status = 0;
            // SAFETY: there is room for the status.
            while unsafe { libc::waitpid(child, &raw mut status, 0) } != child {}
            Ok(u64::from(status.unsigned_abs()))
        }
    }
}

/// `exit STATUS`: ends without an answer.
pub(super) fn exit(request: &Request<'_>) -> Answer {
    // SAFETY: ends the process at once, whatever it was doing.
    unsafe { libc::_exit(request.int(1)) }
}

/// `getrlimit WHICH`: the soft limit.
pub(super) fn getrlimit(request: &Request<'_>) -> Answer {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: there is room for the answer.
    done(unsafe { libc::getrlimit(request.int(1).cast_unsigned(), &raw mut limit) })?;
    Ok(limit.rlim_cur)
}

/// `setrlimit WHICH BYTES`: both limits.
pub(super) fn setrlimit(request: &Request<'_>) -> Answer {
    let bytes = request.number(2) as libc::rlim_t;
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: the limits are read only.
    done(unsafe { libc::setrlimit(request.int(1).cast_unsigned(), &raw const limit) })
}

/// `setuid USER`: gives up the rights of root for good.
pub(super) fn setuid(request: &Request<'_>) -> Answer {
    // SAFETY: takes a number only.
    done(unsafe { libc::setuid(request.int(1).cast_unsigned()) })
}

/// `cpus`: on how many processors the process may run, which is what some releases of the C library count.
pub(super) fn cpus(_request: &Request<'_>) -> Answer {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: there is room for the answer.
    done(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) })?;
    // SAFETY: the call has succeeded and written it.
    let set = unsafe { set.assume_init() };
    // SAFETY: counts bits.
    let count = unsafe { libc::CPU_COUNT(&set) };
    Ok(u64::from(count.unsigned_abs()))
}

/// `online`: how many processors there are, whether or not the process may run on them.
pub(super) fn online(_request: &Request<'_>) -> Answer {
    // SAFETY: takes a number only.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u64::try_from(count).map_err(|_| libc::ENOSYS)
}

/// `glibc`: its release as a number: 2036 is 2.36.
pub(super) fn glibc(_request: &Request<'_>) -> Answer {
    // SAFETY: takes nothing.
    let text = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: it is a static text that ends with a zero byte.
    let text = unsafe { CStr::from_ptr(text) };
    let digits = |part: &[u8]| {
        part.iter()
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
    };
    let mut parts = text.to_bytes().splitn(2, |byte| *byte == b'.').map(digits);
    Ok(parts.next().unwrap_or(0) * 1000 + parts.next().unwrap_or(0))
}
