//! Whether a session needs a person: pure decisions, no I/O.
//!
//! Two things must come together. The program *asks*: it rings, notifies,
//! stops working. And it *waits*: the foreground process reads its terminal
//! and prints nothing. A bell in the middle of a build is no question, and a
//! quiet program has not asked for anything.
//!
//! An agent that tells us itself (`quarterdeck notify`) is believed instead:
//! from its first word on, nothing is guessed any more in this life.

use std::time::{Duration, Instant};

use super::observer::{Progress, Sign, plain};

/// Work that ends sooner has somebody who watches it.
const LONG: Duration = Duration::from_secs(10);

/// A bell so soon after a key answers the key, as when nothing completes it.
const ANSWER: Duration = Duration::from_secs(2);

/// Between two looks at a program that has asked, until it waits.
const SOON: Duration = Duration::from_millis(250);

/// Between two looks at a program that waits, until it goes on.
const LATER: Duration = Duration::from_secs(1);

/// So many looks in a row at a program that works: it went on by itself.
const BUSY_LOOKS: u8 = 3;

/// What the foreground process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreground {
    /// It waits for its terminal, as far as can be seen.
    Waits,
    /// It works, or waits for something else.
    Works,
    /// It prints, or nobody can tell.
    Unclear,
}

/// What an agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It needs a person, for this.
    NeedsInput(String),
    /// It works.
    Active,
}

/// What is known of one life of a session.
#[derive(Debug, Default)]
pub struct Judge {
    /// What it has asked, while it does not wait yet.
    asked: Option<String>,
    need: Option<String>,
    is_told: bool,
    working_since: Option<Instant>,
    command_since: Option<Instant>,
    typed_at: Option<Instant>,
    title: String,
    busy_looks: u8,
}

impl Judge {
    /// Goes on from what an earlier server knew.
    #[must_use]
    pub fn resume(need: Option<String>, is_told: bool) -> Self {
        Self { need, is_told, ..Self::default() }
    }

    /// What a person is needed for, if one is.
    #[must_use]
    pub fn need(&self) -> Option<&str> {
        self.need.as_deref()
    }

    /// Whether the program speaks for itself.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// How long to wait before the next look at the foreground process, if one
    /// matters.
    #[must_use]
    pub fn next_look(&self) -> Option<Duration> {
        if self.is_told {
            return None;
        }
        let asked = self.asked.as_ref().map(|_| SOON);
        asked.or(self.need.as_ref().map(|_| LATER))
    }

    /// The program said something to its terminal.
    pub fn heard(&mut self, sign: Sign, now: Instant) {
        if self.is_told {
            return;
        }
        match sign {
            Sign::Bell if self.typed_at.is_some_and(|at| now.duration_since(at) < ANSWER) => {}
            Sign::Bell => self.ask(self.bell_text()),
            Sign::Notification(text) => self.ask(text),
            Sign::Progress(progress) => self.progressed(progress, now),
            Sign::Title(title) => self.title = title,
            Sign::CommandStarted => {
                self.command_since = Some(now);
                self.went_on();
            }
            Sign::CommandEnded(code) => {
                let was_long = self.command_since.take().is_some_and(|since| now.duration_since(since) >= LONG);
                if was_long {
                    self.ask(command_text(code));
                }
            }
        }
    }

    /// A person typed: whoever it was has seen what there is to see.
    pub fn typed(&mut self, now: Instant) {
        self.went_on();
        self.typed_at = Some(now);
        self.working_since = self.working_since.map(|_| now);
        self.command_since = self.command_since.map(|_| now);
    }

    /// The program speaks for itself.
    pub fn told(&mut self, word: Word) {
        self.is_told = true;
        self.asked = None;
        self.need = match word {
            Word::NeedsInput(text) => Some(text),
            Word::Active => None,
        };
    }

    /// The outcome of a look.
    pub fn looked(&mut self, foreground: Foreground) {
        if self.is_told {
            return;
        }
        match foreground {
            Foreground::Waits => {
                self.busy_looks = 0;
                self.need = self.asked.take().or(self.need.take());
            }
            Foreground::Works if self.need.is_some() => {
                self.busy_looks += 1;
                if self.busy_looks >= BUSY_LOOKS {
                    self.need = None;
                }
            }
            Foreground::Works | Foreground::Unclear => {}
        }
    }

    fn ask(&mut self, text: String) {
        self.asked = Some(text);
    }

    fn went_on(&mut self) {
        self.asked = None;
        self.need = None;
        self.busy_looks = 0;
    }

    fn progressed(&mut self, progress: Progress, now: Instant) {
        match progress {
            Progress::Working => {
                self.working_since.get_or_insert(now);
                self.went_on();
            }
            Progress::Failed => self.ask("Reports that its work has failed".into()),
            Progress::Paused => self.ask("Reports that its work is paused".into()),
            Progress::None => {
                let was_long = self.working_since.take().is_some_and(|since| now.duration_since(since) >= LONG);
                if was_long {
                    self.ask("Has finished its work".into());
                }
            }
        }
    }

    fn bell_text(&self) -> String {
        if self.title.is_empty() { "Rang the bell".into() } else { plain(&format!("Rang the bell: {}", self.title)) }
    }
}

fn command_text(code: Option<i32>) -> String {
    match code {
        None | Some(0) => "The command has ended".into(),
        Some(code) => format!("The command has ended with code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attention::NEED_MAX;

    fn asking() -> Judge {
        let mut judge = Judge::default();
        judge.heard(Sign::Notification("look".into()), Instant::now());
        judge
    }

    fn waiting() -> Judge {
        let mut judge = asking();
        judge.looked(Foreground::Waits);
        assert_eq!(judge.need(), Some("look"));
        judge
    }

    #[test]
    fn who_asks_and_then_waits_needs_a_person() {
        let mut judge = asking();
        assert_eq!((judge.need(), judge.next_look()), (None, Some(SOON)));
        judge.looked(Foreground::Works);
        judge.looked(Foreground::Unclear);
        assert_eq!(judge.need(), None);
        judge.looked(Foreground::Waits);
        assert_eq!((judge.need(), judge.next_look()), (Some("look"), Some(LATER)));
    }

    #[test]
    fn who_only_waits_needs_nobody_and_is_not_looked_at() {
        let mut judge = Judge::default();
        judge.heard(Sign::Title("a title".into()), Instant::now());
        assert_eq!(judge.next_look(), None);
        judge.looked(Foreground::Waits);
        assert_eq!(judge.need(), None);
    }

    #[test]
    fn a_person_who_types_has_seen_it() {
        for mut judge in [asking(), waiting()] {
            judge.typed(Instant::now());
            judge.looked(Foreground::Waits);
            assert_eq!((judge.need(), judge.next_look()), (None, None));
        }
    }

    #[test]
    fn who_goes_on_alone_needs_nobody_any_more() {
        let mut judge = waiting();
        for foreground in [Foreground::Works, Foreground::Works, Foreground::Waits] {
            judge.looked(foreground);
        }
        assert_eq!(judge.need(), Some("look"));
        (0..BUSY_LOOKS).for_each(|_| judge.looked(Foreground::Works));
        assert_eq!(judge.need(), None);
    }

    #[test]
    fn a_bell_is_explained_by_the_title() {
        let mut judge = Judge::default();
        judge.heard(Sign::Bell, Instant::now());
        judge.looked(Foreground::Waits);
        assert_eq!(judge.need(), Some("Rang the bell"));
        judge.heard(Sign::Title("vim".into()), Instant::now());
        judge.heard(Sign::Bell, Instant::now());
        judge.looked(Foreground::Waits);
        assert_eq!(judge.need(), Some("Rang the bell: vim"));
        judge.heard(Sign::Title(plain(&"😀".repeat(1000))), Instant::now());
        judge.heard(Sign::Bell, Instant::now());
        judge.looked(Foreground::Waits);
        assert!(judge.need().is_some_and(|need| need.contains('😀') && need.len() <= NEED_MAX), "init takes no more");
    }

    #[test]
    fn a_bell_that_answers_a_key_calls_nobody() {
        let now = Instant::now();
        for (after, need) in [(ANSWER / 2, None), (ANSWER, Some("Rang the bell"))] {
            let mut judge = Judge::default();
            judge.typed(now);
            judge.heard(Sign::Bell, now + after);
            judge.looked(Foreground::Waits);
            assert_eq!(judge.need(), need);
        }
    }

    #[test]
    fn only_long_work_is_worth_calling_for() {
        let begin = Instant::now();
        let work = [
            (Sign::CommandStarted, Sign::CommandEnded(Some(2)), "The command has ended with code 2"),
            (Sign::Progress(Progress::Working), Sign::Progress(Progress::None), "Has finished its work"),
        ];
        for (start, end, text) in work {
            for (took, need) in [(LONG / 2, None), (LONG, Some(text))] {
                let mut judge = Judge::default();
                judge.heard(start.clone(), begin);
                judge.heard(end.clone(), begin + took);
                judge.looked(Foreground::Waits);
                assert_eq!(judge.need(), need);
            }
        }
    }

    #[test]
    fn work_that_begins_again_ends_the_need() {
        for sign in [Sign::Progress(Progress::Working), Sign::CommandStarted] {
            let mut judge = waiting();
            judge.heard(sign, Instant::now());
            assert_eq!(judge.need(), None);
        }
    }

    #[test]
    fn who_speaks_for_itself_is_believed() {
        let mut judge = asking();
        judge.told(Word::NeedsInput("which one?".into()));
        judge.looked(Foreground::Works);
        assert_eq!((judge.need(), judge.next_look()), (Some("which one?"), None));
        judge.told(Word::Active);
        judge.heard(Sign::Bell, Instant::now());
        judge.looked(Foreground::Waits);
        assert_eq!(judge.need(), None);
    }
}
