//! `mallow lab`: makes experiments and shows what came of them.

use crate::args;
use crate::child::Ending;
use crate::failure;
use crate::lab::page::{self, Page};
use crate::lab::story::Verdict;
use crate::lab::{Experiment, Lab, experiments};
use crate::style::{self, Style};

/// Makes one experiment or all, or lists them.
pub(crate) fn lab(options: &args::Lab) -> anyhow::Result<Ending> {
    let style = Style::of_stdout(options.output);
    let chosen: Vec<&Experiment> = match options.name.as_str() {
        "list" => {
            print_list(options, style)?;
            return Ok(Ending::Exited(0));
        }
        "all" => experiments::ALL.to_vec(),
        name => experiments::ALL.iter().copied().filter(|experiment| experiment.name == name).collect(),
    };
    let mut verdicts = Vec::new();
    for experiment in &chosen {
        let mut lab = Lab::new(options.allocator, options.machine_settings)?;
        let ended = (experiment.run)(&mut lab);
        let verdict = lab.story.verdict(ended);
        let page = Page { experiment, lab: &lab, verdict: &verdict, is_explained: options.explain };
        if options.output.json {
            style::print_json(&page.json())?;
        } else {
            style::print(&page.render(style))?;
        }
        verdicts.push(verdict);
    }
    if chosen.len() > 1 && !options.output.json {
        let results = chosen.iter().copied().zip(&verdicts);
        style::print(&page::summary(results, style))?;
    }
    Ok(Ending::Exited(status(&verdicts)))
}

/// What was not seen counts more than what could not be looked at.
fn status(verdicts: &[Verdict]) -> u8 {
    let has = |wanted: fn(&Verdict) -> bool| verdicts.iter().any(wanted);
    if has(|verdict| matches!(verdict, Verdict::NotSeen)) {
        failure::FOUND
    } else if has(|verdict| matches!(verdict, Verdict::CouldNotLook(_))) {
        failure::CANNOT_LOOK
    } else {
        0
    }
}

fn print_list(options: &args::Lab, style: Style) -> anyhow::Result<()> {
    if options.output.json {
        return style::print_json(&page::list());
    }
    style::print(&page::list_text(style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Obstacle;

    #[test]
    fn what_was_not_seen_counts_most() {
        let hidden = || Verdict::CouldNotLook(Obstacle::new("not permitted"));
        assert_eq!(status(&[Verdict::Seen]), 0);
        assert_eq!(status(&[Verdict::Seen, hidden()]), 2);
        assert_eq!(status(&[hidden(), Verdict::NotSeen]), 1);
    }
}
