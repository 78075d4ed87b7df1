//! Libraries that come and go.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, Lab, Obstacle, size};

pub(super) const DLOPEN: Experiment = Experiment {
    name: "dlopen",
    title: "a library that is opened while the program runs can go again, unless something keeps it",
    explanation: &[
        "dlopen maps the library's segments; its pages become resident as they are touched, and they are shared with every \
         process that uses the same file, so PSS says what they cost. dlclose unmaps it when nobody else refers to it.",
        "It stays if the library or the caller said so (DF_1_NODELETE, RTLD_NODELETE), if another library needs it, or if \
         threads have data of its in use. And what it allocated and did not free stays in any case.",
    ],
    run,
};

/// A library of glibc that the subject does not need.
const LIBRARY: &str = "libm.so.6";

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mappings, Column::Mapped, Column::Resident, Column::Proportional]);
    lab.part("as it comes");
    let mut subject = lab.start()?;
    let before = lab.look(&mut subject)?;
    let handle = subject.call(&Call::dlopen(LIBRARY, false))?;
    let open = lab.look(&mut subject)?;
    subject.call(&Call::dlclose(handle))?;
    let closed = lab.look(&mut subject)?;
    let has_library = |look: &super::super::look::Look| look.has_file(LIBRARY);
    lab.expect(!has_library(&before) && has_library(&open), "dlopen maps the library");
    lab.expect(
        open.above(&before, Column::Mapped) > 0 && open.above(&before, Column::Mappings) >= 3,
        format!(
            "{} mappings with {} of address space, of which {} are resident",
            open.above(&before, Column::Mappings),
            size(open.above(&before, Column::Mapped)),
            size(open.above(&before, Column::Resident))
        ),
    );
    lab.expect(!has_library(&closed), "dlclose unmaps it");

    lab.part("with RTLD_NODELETE");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let handle = subject.call(&Call::dlopen(LIBRARY, true))?;
    lab.look(&mut subject)?;
    subject.call(&Call::dlclose(handle))?;
    let kept = lab.look(&mut subject)?;
    lab.expect(has_library(&kept), "after dlclose it is still there");
    lab.remark(
        "a library that is linked at compile time is resident for the life of the process, one that is opened is not",
        "it is mapped for the life of the process; resident is what was touched, and clean pages of files go when the kernel \
         needs them. And dlclose is a request: libraries may refuse to go, as libmallow.so does",
    );
    Ok(())
}
