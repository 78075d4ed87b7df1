//! Pages: what another verb of this command says about a process.
//!
//! The verb runs as a process of its own: what it needs for a process of many GiB is gone when it ends, and what goes wrong there is a
//! sentence here. Called by `top`.

use std::env;
use std::io;
use std::process::{Command, Output, Stdio};

use super::state::Page;

/// Returns what `verb` says about a process, in lines of so many columns.
pub(super) fn show(verb: &str, pid: u32, columns: u16) -> Page {
    let title = format!("mallow {verb} {pid}");
    let text = match run(&[verb, &pid.to_string()], columns) {
        Ok(output) => {
            let (said, complaint) = (text(&output.stdout), text(&output.stderr));
            if complaint.is_empty() { said } else { format!("{said}{complaint}") }
        }
        Err(error) => format!("cannot run it: {error}"),
    };
    Page::new(title, &text)
}

/// Saves a snapshot of a process in the folder that the command was started in, and returns what there is to say about it.
pub(super) fn save(pid: u32, name: &str) -> String {
    let letters = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    let file = (0..1000).map(|number| {
        let number = if number == 0 { String::new() } else { format!("-{number}") };
        format!("mallow-{}-{pid}{number}.json", letters.clone().collect::<String>())
    });
    let mut free = file.filter(|file| !std::path::Path::new(file).exists());
    let Some(file) = free.next() else { return "too many snapshots of it are here already".to_owned() };
    match run(&["why", "--save", &file, &pid.to_string()], 200) {
        Ok(_) if std::path::Path::new(&file).exists() => {
            format!("saved {file}: see mallow diff, mallow report")
        }
        Ok(output) => text(&output.stderr).lines().next().unwrap_or("nothing was saved").to_owned(),
        Err(error) => format!("cannot save it: {error}"),
    }
}

fn run(arguments: &[&str], columns: u16) -> io::Result<Output> {
    Command::new(env::current_exe()?)
        .args(arguments)
        .env("COLUMNS", columns.to_string())
        .stdin(Stdio::null())
        .output()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
