//! The state of the screen: what is shown, and what each key changes.
//!
//! ```text
//!  processes ──► filter ──► order or tree ──► rows ──► window around the selected one
//!                  ▲            ▲                          ▲
//!                 keys         keys                       keys        what a key cannot do here, it asks for: an Action
//! ```
//!
//! Pure: it reads nothing and draws nothing. Called by `top`.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use mallow_analyze::processes::Process;
use mallow_analyze::processes::column::{self, Column};
use mallow_analyze::processes::tree;

use super::watch::Wanted;

/// What is on the screen.
#[derive(Debug)]
pub(super) struct State {
    /// What stands above.
    pub(super) sort: Column,
    /// Whether the order is turned round.
    pub(super) is_reversed: bool,
    /// Whether each process is below its parent.
    pub(super) is_tree: bool,
    /// What names are looked through for.
    pub(super) filter: String,
    /// What is over the list, if anything is.
    pub(super) mode: Mode,
    /// What there is to say about the last key.
    pub(super) message: Option<String>,
    /// The rows, in order.
    pub(super) rows: Vec<Row>,
    /// How many processes there are, shown or not.
    pub(super) total: usize,
    /// The row at the top of the window.
    pub(super) offset: usize,
    /// How many rows the window has.
    pub(super) height: usize,
    all: Vec<Process>,
    place: usize,
    /// The process that stays selected wherever its row goes; until a row is chosen, that is the first one whoever it is.
    selected: Option<u32>,
}

/// A process, and the lines of the tree that lead to it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The lines.
    pub(super) lead: String,
    /// The process.
    pub(super) process: Process,
}

/// What keys are for.
#[derive(Debug)]
pub(super) enum Mode {
    /// The list.
    List,
    /// The filter is being written; what it was before comes back with Escape.
    Filter(String),
    /// What keys do.
    Help,
    /// What another verb says.
    Page(Page),
}

/// Text that may be longer than the screen.
#[derive(Debug)]
pub(super) struct Page {
    /// What it is about.
    pub(super) title: String,
    /// Its lines.
    pub(super) lines: Vec<String>,
    /// The line at the top.
    pub(super) offset: usize,
}

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Nothing but another picture.
    Draw,
    /// What a verb says about the selected process.
    Show(&'static str, u32),
    /// A snapshot of the selected process in a file.
    Save(u32),
    /// To be stopped, as other programs are with Ctrl-Z.
    Stop,
    /// The end.
    Quit,
}

/// The letters that sort, each with its column.
pub(super) const LETTERS: [(char, Column); 13] = [
    ('I', Column::Pid),
    ('E', Column::User),
    ('N', Column::Name),
    ('R', Column::Rss),
    ('P', Column::Pss),
    ('U', Column::Uss),
    ('A', Column::Anonymous),
    ('W', Column::Swap),
    ('T', Column::Thp),
    ('L', Column::Limit),
    ('H', Column::Headroom),
    ('S', Column::Slope),
    ('O', Column::Oom),
];

impl State {
    /// A screen without processes.
    pub(super) fn new(sort: Column, is_reversed: bool, is_tree: bool, filter: String) -> Self {
        Self {
            sort,
            is_reversed,
            is_tree,
            filter,
            mode: Mode::List,
            message: None,
            rows: Vec::new(),
            total: 0,
            offset: 0,
            height: 0,
            all: Vec::new(),
            place: 0,
            selected: None,
        }
    }

    /// Shows other processes.
    pub(super) fn update(&mut self, processes: Vec<Process>) {
        self.all = processes;
        self.arrange();
    }

    /// Gives the window so many rows.
    pub(super) fn resize(&mut self, height: usize) {
        self.height = height;
        self.scroll();
    }

    /// Of whom more is to be read, see [`Wanted`].
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            visible: self.window().iter().map(|row| row.process.pid).collect(),
            all_details: self.sort.is_costly(),
            all_limits: matches!(self.sort, Column::Limit | Column::Headroom),
        }
    }

    /// The rows on the screen.
    pub(super) fn window(&self) -> &[Row] {
        let rows = &self.rows[self.offset.min(self.rows.len())..];
        &rows[..self.height.min(rows.len())]
    }

    /// Which row of the window is selected.
    pub(super) const fn selected_row(&self) -> usize {
        self.place.saturating_sub(self.offset)
    }

    /// The process that keys are about; `None` if there is no row.
    pub(super) fn selected(&self) -> Option<&Process> {
        self.rows.get(self.place).map(|row| &row.process)
    }

    /// Does what a key asks for, or returns what the state cannot do.
    pub(super) fn key(&mut self, key: KeyEvent) -> Action {
        self.message = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Action::Quit,
                KeyCode::Char('z') => return Action::Stop,
                _ => {}
            }
        }
        match &mut self.mode {
            Mode::List => return self.list_key(key.code),
            Mode::Filter(_) => self.filter_key(key.code),
            Mode::Help => self.mode = Mode::List,
            Mode::Page(page) => {
                if page.key(key.code, self.height) {
                    self.mode = Mode::List;
                }
            }
        }
        Action::Draw
    }

    fn list_key(&mut self, key: KeyCode) -> Action {
        let last = self.rows.len().saturating_sub(1);
        match key {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Up | KeyCode::Char('k') => self.select(self.place.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.select((self.place + 1).min(last)),
            KeyCode::PageUp => self.select(self.place.saturating_sub(self.height)),
            KeyCode::PageDown => self.select((self.place + self.height).min(last)),
            KeyCode::Home | KeyCode::Char('g') => self.select(0),
            KeyCode::End | KeyCode::Char('G') => self.select(last),
            KeyCode::Enter => return self.ask(|pid| Action::Show("why", pid)),
            KeyCode::Char('m') => return self.ask(|pid| Action::Show("map", pid)),
            KeyCode::Char('l') => return self.ask(|pid| Action::Show("limits", pid)),
            KeyCode::Char('e') => return self.ask(Action::Save),
            KeyCode::Char('/') => self.mode = Mode::Filter(self.filter.clone()),
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Esc => self.find(String::new()),
            KeyCode::Char('t') => {
                self.is_tree = !self.is_tree;
                self.arrange();
            }
            KeyCode::Char('r') => {
                self.is_reversed = !self.is_reversed;
                self.arrange();
            }
            KeyCode::Char('s') | KeyCode::Right => self.sort_by(next(self.sort, 1)),
            KeyCode::Left => self.sort_by(next(self.sort, Column::ALL.len() - 1)),
            KeyCode::Char(letter) => {
                if let Some((_, column)) = LETTERS.iter().find(|(found, _)| *found == letter) {
                    self.sort_by(*column);
                }
            }
            _ => {}
        }
        Action::Draw
    }

    fn filter_key(&mut self, key: KeyCode) {
        let Mode::Filter(before) = &self.mode else { return };
        let mut filter = self.filter.clone();
        match key {
            KeyCode::Enter => self.mode = Mode::List,
            KeyCode::Esc => {
                let before = before.clone();
                self.mode = Mode::List;
                self.find(before);
            }
            KeyCode::Backspace => {
                filter.pop();
                self.find(filter);
            }
            KeyCode::Char(letter) if !letter.is_control() => {
                filter.push(letter);
                self.find(filter);
            }
            _ => {}
        }
    }

    fn ask(&mut self, action: impl FnOnce(u32) -> Action) -> Action {
        match self.selected() {
            Some(process) => action(process.pid),
            None => {
                self.message = Some("no process is shown; Escape takes the filter away".to_owned());
                Action::Draw
            }
        }
    }

    fn find(&mut self, filter: String) {
        self.filter = filter;
        self.arrange();
    }

    fn sort_by(&mut self, column: Column) {
        self.sort = column;
        self.is_reversed = false;
        self.arrange();
    }

    fn select(&mut self, place: usize) {
        self.place = place;
        self.selected = self.selected().map(|process| process.pid);
        self.scroll();
    }

    /// Makes rows of the processes anew, and keeps the selected one selected.
    fn arrange(&mut self) {
        self.total = self.all.len();
        let mut shown: Vec<Process> =
            self.all.iter().filter(|process| process.matches(&self.filter)).cloned().collect();
        column::sort(&mut shown, self.sort, self.is_reversed);
        let leads = if self.is_tree { tree::arrange(&mut shown) } else { vec![String::new(); shown.len()] };
        self.rows = leads.into_iter().zip(shown).map(|(lead, process)| Row { lead, process }).collect();
        let place = self.selected.and_then(|pid| self.rows.iter().position(|row| row.process.pid == pid));
        if place.is_none() && self.selected.is_some() && self.filter.is_empty() {
            // It has ended: the row in its place is next.
            self.selected = None;
        }
        self.place = place.unwrap_or(self.place.min(self.rows.len().saturating_sub(1)));
        self.scroll();
    }

    /// Moves the window so that the selected row is in it.
    fn scroll(&mut self) {
        self.offset = self.offset.min(self.rows.len().saturating_sub(self.height));
        self.offset = self.offset.min(self.place).max((self.place + 1).saturating_sub(self.height));
    }
}

/// The column so many further to the right, and round again.
fn next(column: Column, steps: usize) -> Column {
    let place = Column::ALL.iter().position(|found| *found == column).unwrap_or(0);
    Column::ALL[(place + steps) % Column::ALL.len()]
}

impl Page {
    /// A page from its start.
    pub(super) fn new(title: String, text: &str) -> Self {
        Self { title, lines: text.lines().map(str::to_owned).collect(), offset: 0 }
    }

    /// Moves on, or back; `true` if it is to be left.
    fn key(&mut self, key: KeyCode, height: usize) -> bool {
        let last = self.lines.len().saturating_sub(height);
        self.offset = match key {
            KeyCode::Esc | KeyCode::Char('q') | KeyCode::Enter | KeyCode::Left => return true,
            KeyCode::Up | KeyCode::Char('k') => self.offset.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.offset + 1,
            KeyCode::PageUp | KeyCode::Char('b') => self.offset.saturating_sub(height),
            KeyCode::PageDown | KeyCode::Char(' ') => self.offset + height,
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            _ => self.offset,
        }
        .min(last);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent_pid: u32, name: &str, rss: u64) -> Process {
        Process { parent_pid, name: name.into(), rss, ..Process::unread(pid) }
    }

    fn state() -> State {
        let mut state = State::new(Column::Rss, false, false, String::new());
        state.resize(3);
        let names = ["init", "nginx", "worker", "worker", "redis"];
        let processes = (1..).zip(names).map(|(pid, name)| process(pid, pid / 2, name, u64::from(pid) << 20));
        state.update(processes.collect());
        state
    }

    fn press(state: &mut State, keys: &str) -> Action {
        keys.chars().fold(Action::Draw, |_, letter| state.key(KeyEvent::from(KeyCode::Char(letter))))
    }

    fn pids(state: &State) -> Vec<u32> {
        state.window().iter().map(|row| row.process.pid).collect()
    }

    #[test]
    fn the_first_row_stays_chosen_until_somebody_chooses() {
        let mut state = state();
        assert_eq!(state.selected().unwrap().pid, 5);
        state.update(vec![process(9, 1, "new", 9 << 20), process(5, 1, "redis", 5 << 20)]);
        assert_eq!(state.selected().unwrap().pid, 9, "whoever is first");
        press(&mut state, "j");
        state.update(vec![process(9, 1, "new", 1 << 20), process(5, 1, "redis", 5 << 20)]);
        assert_eq!((state.selected().unwrap().pid, state.selected_row()), (5, 0), "wherever its row goes");
        state.update(vec![process(9, 1, "new", 1 << 20)]);
        assert_eq!(state.selected().unwrap().pid, 9, "when it has ended");
    }

    #[test]
    fn the_window_follows_the_selected_row() {
        let mut state = state();
        assert_eq!(pids(&state), [5, 4, 3]);
        press(&mut state, "jjj");
        assert_eq!((pids(&state), state.selected_row()), (vec![4, 3, 2], 2));
        press(&mut state, "G");
        assert_eq!(pids(&state), [3, 2, 1]);
        press(&mut state, "g");
        assert_eq!((pids(&state), state.selected_row()), (vec![5, 4, 3], 0));
        state.key(KeyCode::PageDown.into());
        assert_eq!(state.selected().unwrap().pid, 2);
        state.resize(1);
        assert_eq!(pids(&state), [2]);
    }

    #[test]
    fn letters_sort_and_turn_round() {
        let mut state = state();
        press(&mut state, "N");
        assert_eq!((state.sort, pids(&state)), (Column::Name, vec![1, 2, 5]));
        press(&mut state, "r");
        assert_eq!(pids(&state), [4, 3, 5]);
        press(&mut state, "s");
        assert_eq!((state.sort, state.is_reversed), (Column::Rss, false));
        state.key(KeyCode::Left.into());
        state.key(KeyCode::Left.into());
        assert_eq!(state.sort, Column::User);
        for (letter, column) in LETTERS {
            press(&mut state, &letter.to_string());
            assert_eq!(state.sort, column);
        }
    }

    #[test]
    fn a_filter_is_written_and_taken_back() {
        let mut state = state();
        press(&mut state, "/work");
        assert_eq!((state.filter.as_str(), pids(&state)), ("work", vec![4, 3]));
        assert_eq!(press(&mut state, "q"), Action::Draw, "a letter like any other");
        assert_eq!(pids(&state), [0; 0]);
        state.key(KeyCode::Backspace.into());
        state.key(KeyCode::Enter.into());
        assert_eq!((state.rows.len(), state.total), (2, 5));
        press(&mut state, "/er");
        state.key(KeyCode::Esc.into());
        assert_eq!(state.filter, "work", "as it was");
        state.key(KeyCode::Esc.into());
        assert_eq!((state.filter.as_str(), state.rows.len()), ("", 5));
    }

    #[test]
    fn a_tree_has_lines() {
        let mut state = state();
        state.resize(5);
        press(&mut state, "It");
        let shown: Vec<_> = state.window().iter().map(|row| (row.lead.as_str(), row.process.pid)).collect();
        assert_eq!(shown, [("", 1), ("├─ ", 2), ("│  ├─ ", 4), ("│  └─ ", 5), ("└─ ", 3)]);
    }

    #[test]
    fn keys_ask_for_what_the_state_cannot_do() {
        let mut state = state();
        assert_eq!(state.key(KeyCode::Enter.into()), Action::Show("why", 5));
        assert_eq!(press(&mut state, "m"), Action::Show("map", 5));
        assert_eq!(press(&mut state, "l"), Action::Show("limits", 5));
        assert_eq!(press(&mut state, "e"), Action::Save(5));
        assert_eq!(press(&mut state, "q"), Action::Quit);
        let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        assert_eq!((state.key(control('c')), state.key(control('z'))), (Action::Quit, Action::Stop));
        state.update(Vec::new());
        assert_eq!((press(&mut state, "m"), state.message.is_some()), (Action::Draw, true));
    }

    #[test]
    fn pages_are_read_and_left() {
        let mut state = state();
        state.mode = Mode::Page(Page::new("why".to_owned(), "1\n2\n3\n4\n5"));
        let offset = |state: &State| match &state.mode {
            Mode::Page(page) => Some(page.offset),
            _ => None,
        };
        press(&mut state, "jj");
        assert_eq!(offset(&state), Some(2));
        press(&mut state, "j ");
        assert_eq!(offset(&state), Some(2), "no further than the end");
        press(&mut state, "b");
        assert_eq!(offset(&state), Some(0));
        assert_eq!((press(&mut state, "q"), offset(&state)), (Action::Draw, None), "back to the list");
    }

    #[test]
    fn what_is_wanted_is_on_the_screen() {
        let mut state = state();
        let wanted = state.wanted();
        assert_eq!((wanted.visible, wanted.all_details, wanted.all_limits), (vec![5, 4, 3], false, false));
        press(&mut state, "P");
        assert!(state.wanted().all_details);
        press(&mut state, "H");
        assert!(state.wanted().all_limits && !state.wanted().all_details);
    }
}
