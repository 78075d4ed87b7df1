//! `mallow top`: every process by the memory it has.

use crate::args::Top;
use crate::child::Ending;
use crate::top;

/// Shows all processes, until somebody has seen enough.
pub(crate) fn top(options: &Top) -> anyhow::Result<Ending> {
    top::top(options)
}
