//! The report: an account as one page for a browser, with nothing that has to be fetched.
//!
//! ```text
//!  who it is, and the verdict
//!  the ledger            a bar of all lines, and a table; a click on a line shows its mappings
//!  beside RSS
//!  over time             if it was watched
//!  heaps of glibc        used and free, if they could be looked into
//!  size classes          live and free, of a process on mallow
//!  the address space     the drawing of `map::svg`, and every mapping, to sort and to search
//! ```
//!
//! Colours follow the reader's light or dark setting. The page works without its script; that only sorts and filters. Called by
//! `mallow report`.

mod classes;
mod mappings;
mod parts;
mod timeline;

use crate::account::Account;
use crate::escape::{self, Markup};
use crate::map::Map;
use crate::map::svg::{self, Scale};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// Returns the page about a process.
pub fn page(account: &Account) -> String {
    let name = format!("{} {}", escape::name(&account.status.name), account.pid);
    let title = Markup(&name).to_string();
    let map = Map::with_owners(account.mappings.clone(), account.owners.clone(), None);
    let sections = [
        parts::head(account, &title),
        parts::verdict(account),
        parts::ledger(account),
        parts::beside(account),
        timeline::section(account),
        parts::heaps(account),
        classes::section(account),
        format!(
            "<section><h2>Address space</h2><div class=\"m-map\">{}</div></section>",
            svg::draw(&map, &name, Scale::Log)
        ),
        mappings::section(account),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src \
         'unsafe-inline'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}: memory</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}\n</main>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        sections.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glibc::{Heap, Seen};
    use crate::recording::Recording;
    use crate::slope::Sample;

    #[test]
    fn what_has_a_meaning_in_html_is_escaped() {
        assert_eq!(Markup("a<b>&\"c'é").to_string(), "a&lt;b&gt;&amp;&quot;c&#39;é");
    }

    #[test]
    fn a_page_has_all_parts_and_fetches_nothing() {
        let mut recording = Recording::new(17, 1_700_000_000_000);
        let smaps = "1000-9000 rw-p 0 00:00 0 [heap]\nRss: 32 kB\nPss: 32 kB\n\
                     10000-20000 r--p 0 08:01 9 /tmp/<script>alert(1)</script>\nRss: 64 kB\n";
        recording.put("smaps", smaps.as_bytes().to_vec());
        recording.put("status", b"Name:\t<b>&\nVmSize:\t96 kB\nThreads:\t3\n".to_vec());
        let seen = Seen { used: 20 << 10, free: 12 << 10, is_whole: true, ..Seen::default() };
        recording.heaps = Ok(vec![Heap { start: 0x1000, arena: None, resident: 32 << 10, seen: Ok(seen) }]);
        recording.samples = (0..9).map(|nth| Sample { at_ms: nth * 1000, resident: 90_000 + nth }).collect();
        let page = page(&Account::of(&recording).unwrap());
        for part in [
            "Ledger",
            "Beside RSS",
            "Over time",
            "Heaps of glibc",
            "Address space",
            "Mappings",
            "nothing wrong",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(page.contains("&lt;b&gt;&amp; 17") && page.contains("/tmp/&lt;script&gt;alert(1)"), "{page}");
        assert_eq!(page.matches("<script>").count(), 1, "the page's own");
        for fetched in ["src=", "href=", "url(", "@import"] {
            assert!(!page.contains(fetched), "{fetched}");
        }
        for tag in ["section", "table", "div", "main", "svg", "tr", "td", "ul"] {
            let opened =
                page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
