//! Help and wrong command lines: a newcomer learns what to type, and a slip is named.

use libtest_mimic::Trial;

use crate::command::{assert_contains, mallow, output, stderr, stdout};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials![
        without_arguments_it_explains_itself,
        help_of_a_subcommand_lists_its_options,
        prints_its_version,
        a_wrong_subcommand_is_named_with_the_right_ones,
        a_wrong_option_is_named_with_the_right_ones,
        every_subcommand_names_its_own_options,
        the_options_of_the_program_are_its_own,
        a_missing_program_is_asked_for,
        options_that_exclude_each_other_are_named,
        shells_and_man_are_served,
    ]
}

fn without_arguments_it_explains_itself() {
    let help = stdout(&mut mallow::<&str>([]));
    for part in ["memory allocator", "mallow why 4121", "mallow run python3", "Commands:", "Exit status"] {
        assert_contains(&help, part);
    }
    assert_eq!(help, stdout(&mut mallow(["--help"])));
}

fn help_of_a_subcommand_lists_its_options() {
    let help = stdout(&mut mallow(["help", "run"]));
    for part in ["--stats", "--quiet", "PROGRAM", "MALLOW=", "125", "126", "127"] {
        assert_contains(&help, part);
    }
}

fn prints_its_version() {
    assert_eq!(stdout(&mut mallow(["--version"])), format!("mallow {}\n", env!("CARGO_PKG_VERSION")));
}

fn a_wrong_subcommand_is_named_with_the_right_ones() {
    let sentence = stderr(&mut mallow(["python3", "x.py"]), 125);
    assert_contains(&sentence, "mallow: no subcommand 'python3'; allowed are why, ");
    assert_contains(&sentence, " run and help.\n");
    assert_contains(&sentence, "To run a program of that name: mallow run -- python3\n");
    assert_contains(&sentence, "To look at a process of that name: mallow why python3\n");
}

fn a_wrong_option_is_named_with_the_right_ones() {
    let sentence = stderr(&mut mallow(["run", "--stat", "true"]), 125);
    assert_contains(&sentence, "mallow: unknown option '--stat'; allowed are --stats, --quiet.\n");
}

fn every_subcommand_names_its_own_options() {
    for (words, sentence) in [
        (&["why", "--jsn", "1"][..], "unknown option '--jsn'; allowed are --"),
        (&["why", "1", "2"], "'2' is too much: `mallow why` takes one PID|NAME"),
        (&["why"], "`mallow why` needs a PID|NAME"),
        (&["1", "--json", "--json"], "--json may be given once"),
    ] {
        let said = stderr(&mut mallow(words), 2);
        assert!(said.starts_with(&format!("mallow: {sentence}")), "{words:?}: {said}");
        assert!(said.ends_with("\nSee: mallow help why\n"), "{words:?}: {said}");
    }
}

fn the_options_of_the_program_are_its_own() {
    for arguments in [["--quiet", "echo", "--stats", "--"], ["--quiet", "--", "echo", "--stats"]] {
        let printed = stdout(mallow(["run"]).args(arguments));
        assert_contains(&printed, "--stats");
    }
}

fn a_missing_program_is_asked_for() {
    assert_contains(&stderr(&mut mallow(["run", "--stats"]), 125), "needs a PROGRAM");
}

fn options_that_exclude_each_other_are_named() {
    let output = output(&mut mallow(["run", "--stats", "--quiet", "true"]));
    assert_eq!(output.status.code(), Some(125));
    assert_contains(&String::from_utf8_lossy(&output.stderr), "--stats and --quiet exclude each other");
}

fn shells_and_man_are_served() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&mut mallow(["completions", shell]));
        assert!(script.contains("why") && script.contains("--watch") || script.contains("watch"), "{shell}");
    }
    assert_contains(&stderr(&mut mallow(["completions", "sh"]), 2), "allowed are bash, ");
    let page = stdout(&mut mallow(["man"]));
    for part in [".TH mallow 1", "MALLOW WHY", "MALLOW RUN", "\\-\\-watch"] {
        assert_contains(&page, part);
    }
}
