//! Which processes belong to which session.
//!
//! A session's first process is known by its number. What lost its parent is a
//! child of init and is known by its tag ([`crate::sys::tag`]) or, where it
//! could not be tagged, by its kernel session. Whatever descends from one of
//! those belongs to the same session.

use std::collections::HashMap;
use std::path::Path;

use super::process::{ProcReader, Stat};
use super::tally::{Member, Members};
use crate::model::id::SessionId;
use crate::sys::process::Pid;
use crate::sys::tag::Tag;

/// Processes read before others get their turn.
const STINT: usize = 32;

/// A session that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Running {
    /// Its identity, of which its tag is made.
    pub id: SessionId,
    /// Its first process, or -1 if it has none.
    pub leader: i32,
}

/// Finds members from init downwards.
#[derive(Debug)]
pub struct Walker {
    reader: ProcReader,
    init: i32,
    /// Everybody at the look before.
    known: Members,
    /// Processes read since others had their turn.
    read: usize,
}

/// Whose child is whose, where the kernel has no lists of them.
type Family = Option<HashMap<i32, Vec<i32>>>;

impl Walker {
    /// Looks at `/proc` under the file system root `root`, where `init` is the
    /// parent of all sessions.
    #[must_use]
    pub fn new(root: &Path, init: i32) -> Self {
        Self { reader: ProcReader::new(root), init, known: Members::new(), read: 0 }
    }

    /// The latest number that a process or thread was given.
    pub fn last_pid(&mut self) -> u64 {
        self.reader.last_pid()
    }

    /// The members of each of `sessions`, in their order.
    pub async fn look(&mut self, sessions: &[Running]) -> Vec<Members> {
        let family = self.family().await;
        let roots = self.roots(sessions, &family).await;
        let mut all = Vec::with_capacity(sessions.len());
        for roots in roots {
            all.push(self.descend(roots, &family).await);
        }
        self.known = all.iter().flatten().map(|(pid, member)| (*pid, *member)).collect();
        all
    }

    async fn family(&mut self) -> Family {
        if self.reader.lists_children() {
            return None;
        }
        let mut family: HashMap<i32, Vec<i32>> = HashMap::new();
        for pid in self.reader.everybody() {
            if let Some(stat) = self.reader.stat(pid) {
                family.entry(stat.parent).or_default().push(pid);
            }
            self.give_way().await;
        }
        Some(family)
    }

    /// The children of init that belong to each of `sessions`.
    async fn roots(&mut self, sessions: &[Running], family: &Family) -> Vec<Vec<i32>> {
        let mut roots = vec![Vec::new(); sessions.len()];
        let mut orphans = Vec::new();
        let threads = self.reader.stat(self.init).map_or(1, |stat| stat.threads);
        self.children(self.init, threads, family, &mut orphans);
        for pid in orphans {
            let position = match sessions.iter().position(|session| session.leader == pid) {
                Some(position) => Some(position),
                None => self.position_of_orphan(pid, sessions),
            };
            if let Some(roots) = position.and_then(|position| roots.get_mut(position)) {
                roots.push(pid);
            }
            self.give_way().await;
        }
        roots
    }

    fn position_of_orphan(&mut self, pid: i32, sessions: &[Running]) -> Option<usize> {
        if let Some(tag) = Pid::new(pid).and_then(Tag::worn_by) {
            let by_tag = sessions.iter().position(|session| Tag::new(session.id.short_bits()) == tag);
            if by_tag.is_some() {
                return by_tag;
            }
        }
        let kernel_session = self.reader.stat(pid)?.kernel_session;
        sessions.iter().position(|session| session.leader == kernel_session)
    }

    /// Everybody from `open` downwards.
    async fn descend(&mut self, mut open: Vec<i32>, family: &Family) -> Members {
        let mut members = Members::new();
        while let Some(pid) = open.pop() {
            // A number may change hands while we look.
            if members.contains_key(&pid) || pid == self.init {
                continue;
            }
            let Some(stat) = self.reader.stat(pid) else { continue };
            let memory = if stat.is_dead { 0 } else { self.memory(pid, &stat) };
            members.insert(pid, Member { stat, memory });
            if !stat.is_dead {
                self.children(pid, stat.threads, family, &mut open);
            }
            self.give_way().await;
        }
        members
    }

    /// Most processes sleep: who had no page fault and has as many pages as
    /// before has the same ones, and is spared the longest file.
    fn memory(&mut self, pid: i32, stat: &Stat) -> u64 {
        let before = self.known.get(&pid).filter(|before| {
            let before = &before.stat;
            (before.start, before.resident, before.own.faults) == (stat.start, stat.resident, stat.own.faults)
        });
        before.map_or_else(|| self.reader.memory(pid), |before| before.memory)
    }

    fn children(&mut self, pid: i32, threads: u32, family: &Family, found: &mut Vec<i32>) {
        match family {
            Some(family) => found.extend(family.get(&pid).into_iter().flatten()),
            None => self.reader.children(pid, threads, found),
        }
    }

    /// A key's echo must not wait for a thousand processes.
    async fn give_way(&mut self) {
        self.read += 1;
        if self.read >= STINT {
            self.read = 0;
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::Tree;
    use super::*;

    fn look(tree: &Tree, sessions: &[Running]) -> Vec<Vec<i32>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut walker = Walker::new(tree.root(), 1);
        let found = runtime.block_on(walker.look(sessions));
        let sorted = |members: &Members| {
            let mut pids: Vec<i32> = members.keys().copied().collect();
            pids.sort_unstable();
            pids
        };
        found.iter().map(sorted).collect()
    }

    /// Numbers that the kernel running the test gives to nobody, so that no
    /// real process's tag is read.
    const BASE: i32 = 1 << 24;

    /// A process: its number, parent, kernel session and children.
    fn process(tree: &Tree, pid: i32, parent: i32, session: i32, children: Option<&str>) {
        let pages = 3;
        let line = format!("{pid} (x) S {parent} {pid} {session} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 0 {pages}\n");
        tree.write(&format!("proc/{pid}/stat"), &line);
        tree.write(&format!("proc/{pid}/status"), "Name:\tx\nRssAnon:\t      8 kB\nRssShmem:\t  4 kB\n");
        if let Some(children) = children {
            tree.write(&format!("proc/{pid}/task/{pid}/children"), children);
        }
    }

    fn scene(lists_children: bool) -> (Tree, Vec<Running>) {
        let tree = Tree::new(&[]);
        let [a, b, child, orphan, stranger, deep] = [2, 3, 4, 5, 6, 7].map(|n| BASE + n);
        let text = |list: &[i32]| lists_children.then(|| list.iter().map(|pid| format!("{pid} ")).collect::<String>());
        for (pid, parent, session, children) in [
            (1, 0, 1, vec![a, b, orphan, stranger]),
            (a, 1, a, vec![child]),
            (b, 1, b, vec![]),
            (child, a, a, vec![deep]),
            (orphan, 1, a, vec![]),
            (stranger, 1, stranger, vec![]),
            // It has left the kernel session.
            (deep, child, deep, vec![]),
        ] {
            process(&tree, pid, parent, session, text(&children).as_deref());
        }
        if lists_children {
            tree.write("proc/thread-self/children", "");
        }
        (tree, vec![Running { id: SessionId::random(), leader: a }, Running { id: SessionId::random(), leader: b }])
    }

    #[test]
    fn descendants_and_orphans_are_found_with_and_without_lists_of_children() {
        for lists_children in [true, false] {
            let (tree, sessions) = scene(lists_children);
            let expected = [vec![BASE + 2, BASE + 4, BASE + 5, BASE + 7], vec![BASE + 3]];
            assert_eq!(look(&tree, &sessions), expected, "with lists: {lists_children}");
        }
    }

    #[test]
    fn memory_is_read_again_when_pages_came_or_went() {
        let (tree, sessions) = scene(true);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut walker = Walker::new(tree.root(), 1);
        let mut memory = || runtime.block_on(walker.look(&sessions)).pop().map(|b| b[&(BASE + 3)].memory);
        assert_eq!(memory(), Some(12 << 10));
        tree.write(&format!("proc/{}/status", BASE + 3), "RssAnon:\t 8 kB\nRssShmem:\t 8 kB\n");
        assert_eq!(memory(), Some(12 << 10), "spared");
        let stat = format!("proc/{}/stat", BASE + 3);
        let line = std::fs::read_to_string(tree.path(&stat)).expect("a stat file");
        tree.write(&stat, &line.replace(" 0 3\n", " 0 4\n"));
        assert_eq!(memory(), Some(16 << 10));
    }

    #[test]
    fn who_vanishes_while_we_look_is_left_out() {
        let (tree, sessions) = scene(true);
        tree.remove(&format!("proc/{}", BASE + 4));
        assert_eq!(look(&tree, &sessions), [vec![BASE + 2, BASE + 5], vec![BASE + 3]]);
        assert_eq!(look(&tree, &[]), Vec::<Vec<i32>>::new());
    }

    #[test]
    fn numbers_that_changed_hands_make_no_endless_walk() {
        let (tree, sessions) = scene(true);
        tree.write(&format!("proc/{0}/task/{0}/children", BASE + 7), &format!("{} 1 {}", BASE + 2, BASE + 7));
        assert_eq!(look(&tree, &sessions)[0], vec![BASE + 2, BASE + 4, BASE + 5, BASE + 7]);
    }
}
