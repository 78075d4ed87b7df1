//! The library on disk: written once, and never taken from a stranger.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::command::{MALLOW, assert_contains, done, quiet_shell, stderr, stdout};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        is_written_once_and_readable_by_others,
        a_changed_file_is_replaced,
        a_link_in_the_place_of_the_directory_is_not_followed,
        a_directory_that_others_can_write_is_not_used,
        a_path_that_the_loader_would_split_is_not_used,
        says_where_it_looked_if_no_place_is_left,
        two_commands_at_once_agree,
    ];
    let no_other_user = (!geteuid().is_root()).then_some("needs root to change the user");
    trials.extend(
        crate::trials![a_program_that_changes_its_user_keeps_the_library]
            .into_iter()
            .map(|trial| crate::unless(no_other_user, trial)),
    );
    let cannot_mount = run_on_noexec(Path::new("/tmp"), "true").is_none();
    trials.extend(
        crate::trials![a_file_system_without_programs_is_passed_over]
            .into_iter()
            .map(|trial| crate::unless(cannot_mount.then_some("may not mount a file system"), trial)),
    );
    trials
}

/// A temporary directory that the command is to use, and the name it gives to its own directory there.
fn place() -> (TempDir, PathBuf) {
    let base = done(tempfile::tempdir());
    done(fs::set_permissions(base.path(), Permissions::from_mode(0o755)));
    let own = base.path().join(format!("mallow-{}", geteuid().as_raw()));
    (base, own)
}

/// Runs a program with these directories for temporary and cached files; returns the library it is given.
fn preloaded(temporary: &Path, cache: &Path) -> PathBuf {
    let mut command = quiet_shell("printf %s $LD_PRELOAD; grep -q libmallow- /proc/$$/maps");
    PathBuf::from(stdout(command.env("TMPDIR", temporary).env("XDG_CACHE_HOME", cache)))
}

fn is_written_once_and_readable_by_others() {
    let (base, own) = place();
    let library = preloaded(base.path(), base.path());
    assert_eq!(library.parent(), Some(own.as_path()));
    let first = done(fs::metadata(&library));
    assert_eq!((first.mode() & 0o777, done(fs::metadata(&own)).mode() & 0o777), (0o644, 0o755));
    assert_eq!(preloaded(base.path(), base.path()), library);
    assert_eq!(done(fs::metadata(&library)).ino(), first.ino());
    assert_eq!(done(fs::read_dir(&own)).count(), 1);
}

fn a_changed_file_is_replaced() {
    let (base, _) = place();
    let library = preloaded(base.path(), base.path());
    let content = done(fs::read(&library));
    let mut changed = content.clone();
    *changed.last_mut().expect("the library is not empty") ^= 1;
    done(fs::write(&library, changed));
    assert_eq!(preloaded(base.path(), base.path()), library);
    assert_eq!(done(fs::read(&library)), content);
}

fn a_link_in_the_place_of_the_directory_is_not_followed() {
    let (base, own) = place();
    let stranger = done(tempfile::tempdir());
    done(symlink(stranger.path(), &own));
    let library = preloaded(base.path(), base.path());
    assert!(library.starts_with(base.path()) && !library.starts_with(&own), "{library:?}");
    assert_eq!(done(fs::read_dir(stranger.path())).count(), 0);
}

fn a_directory_that_others_can_write_is_not_used() {
    let (base, own) = place();
    done(fs::create_dir(&own));
    done(fs::set_permissions(&own, Permissions::from_mode(0o777)));
    let library = preloaded(base.path(), base.path());
    assert!(library.starts_with(base.path()) && !library.starts_with(&own), "{library:?}");
}

fn a_path_that_the_loader_would_split_is_not_used() {
    let (base, _) = place();
    for name in ["with space", "with:colon"] {
        let split = base.path().join(name);
        done(fs::create_dir(&split));
        let cache = done(tempfile::tempdir());
        assert!(preloaded(&split, cache.path()).starts_with(cache.path()));
    }
}

/// Runs a shell command that has a noexec file system at `point`; `None` if it fails.
fn run_on_noexec(point: &Path, command: &str) -> Option<String> {
    let script = format!("mount -t tmpfs -o noexec none {} && {command}", point.display());
    let output =
        Command::new("unshare").args(["--mount", "--map-root-user", "sh", "-c", &script]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn a_file_system_without_programs_is_passed_over() {
    let (point, _) = place();
    let (cache, _) = place();
    let variables = format!("TMPDIR={} XDG_CACHE_HOME={}", point.path().display(), cache.path().display());
    let command = format!("{variables} {MALLOW} run --quiet -- sh -c 'printf %s $LD_PRELOAD'");
    let library = run_on_noexec(point.path(), &command).expect("mounting worked a moment ago");
    assert!(Path::new(&library).starts_with(cache.path()), "{library:?}");
}

fn says_where_it_looked_if_no_place_is_left() {
    let mut command = quiet_shell("exit 0");
    let said = stderr(command.env("TMPDIR", "/proc").env("XDG_CACHE_HOME", "/no/cache"), 125);
    assert_contains(&said, "/proc: ");
    assert_contains(&said, "/no/cache: ");
    assert_contains(&said, "\nSet TMPDIR or XDG_CACHE_HOME to");
}

fn two_commands_at_once_agree() {
    let (base, own) = place();
    let mut commands: Vec<_> = (0..8)
        .map(|_| done(quiet_shell("grep -q libmallow- /proc/$$/maps").env("TMPDIR", base.path()).spawn()))
        .collect();
    for command in &mut commands {
        assert!(done(command.wait()).success());
    }
    assert_eq!(done(fs::read_dir(own)).count(), 1);
}

fn a_program_that_changes_its_user_keeps_the_library() {
    let mut command = Command::new(MALLOW);
    command.args(["run", "--quiet", "setpriv", "--reuid=65534", "--clear-groups", "cat", "/proc/self/maps"]);
    assert_contains(&stdout(&mut command), "/libmallow-");
}
