//! Two threads over one tree: each takes in half of the records, and all of them were made by the first.
//!
//! The second thread is given its half in boxes through a bounded channel, frees them, and sends its store back,
//! which the first one then frees.

use std::sync::mpsc;
use std::thread;

use crate::store::Store;
use crate::text;
use crate::tree::Tree;

/// Records that travel together.
const BATCH: usize = 64;
/// Batches that may wait.
const WAITING: usize = 16;

/// Takes in every record of a list and returns a line about the answers.
pub fn run(tree: Tree) -> String {
    let Tree::List(records) = tree else { return String::from("not a list") };
    let (sender, receiver) = mpsc::sync_channel::<Box<[Tree]>>(WAITING);
    let other = thread::spawn(move || {
        let mut store = Store::default();
        for batch in receiver {
            batch.into_iter().for_each(|record| store.add(record));
        }
        store
    });

    let mut store = Store::default();
    let mut batch = Vec::with_capacity(BATCH);
    for (place, record) in records.into_iter().enumerate() {
        if place % 2 == 0 {
            store.add(record);
            continue;
        }
        batch.push(record);
        if batch.len() == BATCH {
            // The other thread only ends when this end of the channel is gone.
            if sender.send(std::mem::take(&mut batch).into_boxed_slice()).is_err() {
                break;
            }
        }
    }
    let is_taken = sender.send(batch.into_boxed_slice()).is_ok();
    drop(sender);
    match other.join() {
        Ok(theirs) if is_taken => store.merge(theirs),
        _ => return String::from("the other thread ended early"),
    }
    let lines = store.report();
    format!("{} lines, sum {:016x}", lines.len(), text::sum(lines.iter().map(String::as_str)))
}
