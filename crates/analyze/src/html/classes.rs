//! The part of the page about size classes: of a process on mallow, how full each is.
//!
//! Called by `html`.

use core::fmt::Write;

use mallow_units::Bytes;

use super::parts::percent;
use crate::account::Account;
use crate::escape::Markup;
use crate::mallow::Class;

/// The section; nothing for a process on another allocator.
pub(super) fn section(account: &Account) -> String {
    let view = match &account.mallow {
        None => return String::new(),
        Some(Err(reason)) => {
            return format!(
                "<section><h2>Size classes</h2><p class=\"m-dim\">n/a ({})</p></section>\n",
                Markup(reason)
            );
        }
        Some(Ok(view)) => view,
    };
    let most = view.classes.iter().map(|class| class.resident).max().unwrap_or(0);
    let mut classes: Vec<&Class> = view.classes.iter().collect();
    classes.sort_by_key(|class| class.block_bytes);
    let rows: String = classes.into_iter().map(|class| row(class, most)).collect();
    format!(
        "<section><h2>Size classes</h2><p class=\"m-dim\">Of each, the full part of the bar is live; the length is what is in \
         memory. Beside them {} medium blocks of {} and {} large ones of {}.</p><table><thead><tr><th class=\"m-n\">block</th>\
         <th class=\"m-n\">in memory</th><th></th><th class=\"m-n\">live</th><th class=\"m-n\">free</th>\
         <th class=\"m-n\">with threads</th><th class=\"m-n\">slabs</th></tr></thead><tbody>{rows}</tbody></table></section>\n",
        view.medium_blocks,
        Bytes(view.medium_bytes),
        view.large_blocks,
        Bytes(view.large_bytes),
    )
}

fn row(class: &Class, most: u64) -> String {
    let mut html = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        html,
        "<tr><td class=\"m-n\">{}</td><td class=\"m-n\">{}</td><td class=\"m-bar\"><div class=\"m-track\" \
         style=\"width:{:.2}%\"><span class=\"m-used\" style=\"width:{:.1}%\"></span></div></td><td class=\"m-n\">{}</td>\
         <td class=\"m-n\">{}</td><td class=\"m-n\">{}</td><td class=\"m-n\">{}</td></tr>",
        class.block_bytes,
        Bytes(class.resident),
        percent(class.resident, most),
        percent(class.live_bytes().min(class.resident), class.resident),
        class.live_blocks,
        class.free_blocks,
        class.listed_blocks + class.waiting_blocks,
        class.slabs,
    );
    html
}
