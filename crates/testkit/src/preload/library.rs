//! Which library the suites run on.
//!
//! Normally `libmallow.so` and `libmallow.a` of this workspace, built for release at the first question. The
//! variable `MALLOW_TEST_LIBRARY` names another one to preload (a peer, to see whether a suite is fair), or is
//! `none`: then programs run on the libc they find, which shows whether a test asks for more than the standard.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What stands under the programs of this test run.
struct UnderTest {
    shared: Option<PathBuf>,
    archive: Option<PathBuf>,
    is_mallow: bool,
}

/// Returns the library to preload; `None` when the suites run on libc alone.
///
/// Cost: at the first call in a process, one `cargo build`.
///
/// # Panics
///
/// If the library does not build.
#[must_use]
pub fn library() -> Option<&'static Path> {
    under_test().shared.as_deref()
}

/// Returns the archive to link statically; `None` when the suites run on another library or on libc.
///
/// # Panics
///
/// If the library does not build.
#[must_use]
pub fn archive() -> Option<&'static Path> {
    under_test().archive.as_deref()
}

/// Tells whether the library under test is mallow, so that promises of mallow alone can be asked for.
///
/// # Panics
///
/// If the library does not build.
#[must_use]
pub fn is_mallow() -> bool {
    under_test().is_mallow
}

/// Returns the root folder of this workspace.
///
/// # Panics
///
/// Never in a checkout: the crate lies two folders below the root.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in <root>/crates/testkit")
}

/// Returns the folder that cargo builds into.
#[must_use]
pub fn target_dir() -> PathBuf {
    workspace().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

fn under_test() -> &'static UnderTest {
    static UNDER_TEST: OnceLock<UnderTest> = OnceLock::new();
    UNDER_TEST.get_or_init(|| match env::var_os("MALLOW_TEST_LIBRARY") {
        None => build(),
        Some(name) if name == "none" => UnderTest { shared: None, archive: None, is_mallow: false },
        Some(path) => given(PathBuf::from(path)),
    })
}

/// Takes a library as it is, with the archive that lies beside it if it is a `libmallow`.
fn given(shared: PathBuf) -> UnderTest {
    assert!(
        shared.is_file(),
        "MALLOW_TEST_LIBRARY is {shared:?}, allowed are the path of a library and `none`"
    );
    let is_mallow = shared.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libmallow"));
    let archive = Some(shared.with_extension("a")).filter(|path| is_mallow && path.is_file());
    UnderTest { shared: Some(shared), archive, is_mallow }
}

fn build() -> UnderTest {
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--package", "mallow-malloc"])
        .current_dir(workspace())
        .stdin(Stdio::null())
        .output()
        .expect("cargo starts");
    assert!(
        built.status.success(),
        "the library does not build:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let folder = target_dir().join("release");
    UnderTest {
        shared: Some(folder.join("libmallow.so")),
        archive: Some(folder.join("libmallow.a")),
        is_mallow: true,
    }
}
