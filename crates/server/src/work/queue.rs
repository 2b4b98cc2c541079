//! Who is served next: clicks before frames that are got ready before frames that are tracked, and
//! within each everybody in turn.

use std::collections::VecDeque;

use masklet_engine::UserId;

/// After so many clicks in a row a frame is tracked if one waits, so that propagations end on a
/// server where somebody always clicks.
const MOST_IN_A_ROW: u32 = 8;

/// Propagations that take turns, one of each user: a second one would only slow the first down, and hold
/// somebody else up. Each keeps its memories meanwhile; those after them wait for an end.
const MOST_AT_ONCE: usize = 4;

/// Things that wait, in turn between users; those of one user in their order.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    users: VecDeque<(UserId, VecDeque<T>)>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            users: VecDeque::new(),
        }
    }
}

impl<T> Turns<T> {
    pub(crate) fn push(&mut self, user: UserId, thing: T) {
        match self.users.iter_mut().find(|(known, _)| *known == user) {
            Some((_, own)) => own.push_back(thing),
            None => self.users.push_back((user, VecDeque::from([thing]))),
        }
    }

    /// Something that goes on before all else of its user's, when it is the user's turn.
    pub(crate) fn push_first(&mut self, user: UserId, thing: T) {
        match self.users.iter_mut().find(|(known, _)| *known == user) {
            Some((_, own)) => own.push_front(thing),
            None => self.users.push_back((user, VecDeque::from([thing]))),
        }
    }

    /// The next thing; its user goes to the end of the row.
    pub(crate) fn pop(&mut self) -> Option<(UserId, T)> {
        self.pop_of(|_| true)
    }

    /// The next thing of a user that may have a turn.
    fn pop_of(&mut self, may: impl Fn(UserId) -> bool) -> Option<(UserId, T)> {
        let at = self.users.iter().position(|(user, _)| may(*user))?;
        let (user, mut own) = self.users.remove(at)?;
        let thing = own.pop_front()?;
        if !own.is_empty() {
            self.users.push_back((user, own));
        }
        Some((user, thing))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Takes the first thing that is `wanted` out of the row, whoever's turn it is.
    fn take(&mut self, wanted: impl Fn(&T) -> bool) -> Option<(UserId, T)> {
        let found =
            |(user, own): &(UserId, VecDeque<T>)| Some((*user, own.iter().position(&wanted)?));
        let (user, place) = self.users.iter().find_map(found)?;
        let at = self.users.iter().position(|(known, _)| *known == user)?;
        let thing = self.users[at].1.remove(place)?;
        if self.users[at].1.is_empty() {
            self.users.remove(at);
        }
        Some((user, thing))
    }

    fn has(&self, user: UserId) -> bool {
        self.users.iter().any(|(known, _)| *known == user)
    }

    pub(crate) fn len(&self) -> usize {
        self.users.iter().map(|(_, own)| own.len()).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.users.iter().flat_map(|(_, own)| own)
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next<J, P> {
    /// A job, which may come back.
    Job(UserId, J),
    /// A step of a propagation, which may come back.
    Step(UserId, P),
}

/// All that waits for the model: jobs `J` and propagations `P`.
#[derive(Debug)]
pub(crate) struct Queue<J, P> {
    urgent: Turns<J>,
    /// At most one for each user.
    ahead: VecDeque<(UserId, J)>,
    /// Propagations that take turns.
    slow: Turns<P>,
    /// Those that do not yet.
    line: Turns<P>,
    in_a_row: u32,
}

impl<J, P> Default for Queue<J, P> {
    fn default() -> Self {
        Self {
            urgent: Turns::default(),
            ahead: VecDeque::new(),
            slow: Turns::default(),
            line: Turns::default(),
            in_a_row: 0,
        }
    }
}

impl<J, P> Queue<J, P> {
    /// Something that somebody waits for.
    pub(crate) fn push_urgent(&mut self, user: UserId, job: J) {
        self.urgent.push(user, job);
    }

    /// Something that somebody waits for and that goes on after a turn.
    pub(crate) fn again_urgent(&mut self, user: UserId, job: J) {
        self.urgent.push_first(user, job);
    }

    /// Something that somebody may want soon, in place of what they may have wanted before.
    pub(crate) fn push_ahead(&mut self, user: UserId, job: J) {
        match self.ahead.iter_mut().find(|(known, _)| *known == user) {
            Some((_, older)) => *older = job,
            None => self.ahead.push_back((user, job)),
        }
    }

    /// A propagation that begins, or goes on after a pause.
    pub(crate) fn push_slow(&mut self, user: UserId, propagation: P) {
        self.line.push(user, propagation);
    }

    /// A propagation that goes on after a step.
    pub(crate) fn again(&mut self, user: UserId, propagation: P) {
        self.slow.push(user, propagation);
    }

    /// How many propagations wait for their turns.
    pub(crate) fn propagations(&self) -> usize {
        self.slow.len() + self.line.len()
    }

    pub(crate) fn each_propagation(&self) -> impl Iterator<Item = &P> {
        self.slow.iter().chain(self.line.iter())
    }

    /// Whether anybody waits at their screen.
    pub(crate) fn has_urgent(&self) -> bool {
        !self.urgent.is_empty()
    }

    /// What is next. A propagation that only has to be told an end, or a pause (`short`), does not wait
    /// for others to end: nobody else may propagate through its task before.
    pub(crate) fn pop(&mut self, short: impl Fn(&P) -> bool) -> Option<Next<J, P>> {
        if let Some((user, propagation)) = self.line.take(short) {
            return Some(Next::Step(user, propagation));
        }
        while self.slow.len() < MOST_AT_ONCE
            && let Some((user, propagation)) = self.line.pop_of(|user| !self.slow.has(user))
        {
            self.slow.push(user, propagation);
        }
        let patient = self.in_a_row < MOST_IN_A_ROW || self.slow.is_empty();
        if patient {
            let job = self.urgent.pop().or_else(|| self.ahead.pop_front());
            if let Some((user, job)) = job {
                self.in_a_row += 1;
                return Some(Next::Job(user, job));
            }
        }
        self.in_a_row = 0;
        let (user, step) = self.slow.pop()?;
        Some(Next::Step(user, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(1);
    const BEN: UserId = UserId(2);

    fn taken(queue: &mut Queue<&'static str, &'static str>) -> Vec<&'static str> {
        let next = std::iter::from_fn(|| queue.pop(|_| false));
        next.map(|next| match next {
            Next::Job(_, name) | Next::Step(_, name) => name,
        })
        .collect()
    }

    #[test]
    fn everybody_has_their_turn() {
        let mut queue = Queue::default();
        for job in ["a1", "a2", "a3"] {
            queue.push_urgent(ANN, job);
        }
        queue.push_urgent(BEN, "b1");
        assert_eq!(taken(&mut queue), ["a1", "b1", "a2", "a3"]);
    }

    #[test]
    fn clicks_go_before_frames_and_only_the_newest_frame_is_got_ready() {
        let mut queue = Queue::default();
        queue.push_slow(ANN, "track a");
        queue.push_slow(BEN, "track b");
        queue.push_ahead(ANN, "old");
        queue.push_ahead(ANN, "new");
        queue.push_urgent(BEN, "click");
        assert_eq!(taken(&mut queue), ["click", "new", "track a", "track b"]);
    }

    #[test]
    fn a_job_that_goes_on_lets_others_before_it_but_not_its_own_user_s() {
        let mut queue: Queue<&str, &str> = Queue::default();
        queue.push_urgent(ANN, "a1");
        queue.push_urgent(ANN, "a2");
        queue.push_urgent(BEN, "b1");
        assert_eq!(queue.pop(|_| false), Some(Next::Job(ANN, "a1")));
        queue.again_urgent(ANN, "a1 again");
        assert_eq!(taken(&mut queue), ["b1", "a1 again", "a2"]);
    }

    #[test]
    fn so_many_propagate_at_once_and_the_others_wait_for_an_end() {
        let mut queue: Queue<&str, u32> = Queue::default();
        for number in 0..6 {
            queue.push_slow(UserId(number.into()), number);
        }
        let mut steps = Vec::new();
        while let Some(Next::Step(user, number)) = queue.pop(|_| false) {
            steps.push(number);
            // Each takes two steps.
            if steps.iter().filter(|step| **step == number).count() < 2 {
                queue.again(user, number);
            }
        }
        assert_eq!(steps, [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 4, 5]);
        assert_eq!(queue.propagations(), 0);
    }

    #[test]
    fn a_user_s_second_propagation_waits_for_the_first_and_not_others_for_it() {
        let mut queue: Queue<&str, &str> = Queue::default();
        for name in ["a1", "a2", "a3", "a4"] {
            queue.push_slow(ANN, name);
        }
        assert_eq!(queue.pop(|_| false), Some(Next::Step(ANN, "a1")));
        queue.again(ANN, "a1");
        queue.push_slow(BEN, "b1");
        assert_eq!(queue.propagations(), 5);
        assert_eq!(queue.pop(|_| false), Some(Next::Step(ANN, "a1")));
        // The first is over.
        assert_eq!(taken(&mut queue), ["b1", "a2", "a3", "a4"]);
    }

    #[test]
    fn one_that_was_cancelled_before_its_turn_does_not_wait_for_the_first() {
        let mut queue: Queue<&str, &str> = Queue::default();
        queue.push_slow(ANN, "a1");
        queue.push_slow(ANN, "a2 cancelled");
        assert_eq!(queue.pop(|_| false), Some(Next::Step(ANN, "a1")));
        queue.again(ANN, "a1");
        let short = |name: &&str| name.ends_with("cancelled");
        assert_eq!(queue.pop(short), Some(Next::Step(ANN, "a2 cancelled")));
        assert_eq!(queue.pop(short), Some(Next::Step(ANN, "a1")));
        assert_eq!(queue.pop(short), None);
    }

    #[test]
    fn clicks_do_not_hold_propagations_up_for_ever() {
        let mut queue = Queue::default();
        queue.push_slow(ANN, "track");
        for _ in 0..20 {
            queue.push_urgent(BEN, "click");
        }
        let order = taken(&mut queue);
        let at = order.iter().position(|&name| name == "track");
        assert_eq!(at, Some(MOST_IN_A_ROW as usize));
    }
}
