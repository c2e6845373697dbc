//! A rate: no more than so many in any 60 seconds.
//!
//! Time is cut into slots of a second, and the slot of now and the 60 before it are summed: every
//! span of 60 seconds lies within 61 slots. So a burst from cold gets exactly the limit, and what
//! was used is free again after 60 to 61 seconds.
//!
//! Time is an argument, nanoseconds of any clock that does not run backwards; one that does by a
//! little, as between threads, counts as standing still.

/// What was used lately.
#[derive(Clone, Debug)]
pub struct Window {
    /// By slot number modulo their count.
    slots: [u64; SLOTS],
    /// The number of the newest slot.
    newest: u64,
    /// Of all slots. Equals their sum.
    sum: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            slots: [0; SLOTS],
            newest: 0,
            sum: 0,
        }
    }
}

impl Window {
    /// Counts `amount`; gives the number of its slot.
    pub fn add(&mut self, amount: u64, now: u64) -> u64 {
        self.advance(now);
        let slot = &mut self.slots[index_of(self.newest)];
        let before = *slot;
        *slot = slot.saturating_add(amount);
        self.sum = self.sum.saturating_add(*slot - before);
        self.newest
    }

    /// Takes back what was counted in a slot, if that still counts.
    pub fn take_back(&mut self, amount: u64, number: u64) {
        if number + SLOTS_BACK >= self.newest && number <= self.newest {
            let slot = &mut self.slots[index_of(number)];
            let taken = amount.min(*slot);
            *slot -= taken;
            self.sum -= taken;
        }
    }

    /// Nanoseconds until `amount` more stay within `limit`; `None`: never.
    pub fn wait(&mut self, amount: u64, limit: u64, now: u64) -> Option<u64> {
        self.advance(now);
        let room = limit.checked_sub(amount)?;
        let mut left = self.sum;
        if left <= room {
            return Some(0);
        }
        for number in self.newest.saturating_sub(SLOTS_BACK)..=self.newest {
            left = left.saturating_sub(self.slots[index_of(number)]);
            if left <= room {
                return Some(end_of(number).saturating_sub(now));
            }
        }
        None
    }

    /// How much was used in the last 60 seconds, and nanoseconds until nothing of it counts any more.
    pub fn standing(&mut self, now: u64) -> (u64, u64) {
        self.advance(now);
        let reset = match self.slots[index_of(self.newest)] {
            0 => self.reset(now),
            // Mostly something was used right now.
            _ => end_of(self.newest).saturating_sub(now),
        };
        (self.sum, reset)
    }

    /// Nanoseconds until nothing that was used counts any more.
    #[cold]
    fn reset(&self, now: u64) -> u64 {
        let mut numbers = (self.newest.saturating_sub(SLOTS_BACK)..=self.newest).rev();
        let last = numbers.find(|&number| self.slots[index_of(number)] > 0);
        last.map_or(0, |number| end_of(number).saturating_sub(now))
    }

    fn advance(&mut self, now: u64) {
        let number = now / SLOT_NANOS;
        if number <= self.newest {
            return;
        }
        if number - self.newest > SLOTS_BACK {
            self.slots = [0; SLOTS];
            self.sum = 0;
        } else {
            for passed in self.newest + 1..=number {
                let slot = &mut self.slots[index_of(passed)];
                self.sum = self.sum.saturating_sub(*slot);
                *slot = 0;
            }
        }
        self.newest = number;
    }
}

/// When what was counted in a slot counts no more.
const fn end_of(number: u64) -> u64 {
    (number + SLOTS_BACK + 1) * SLOT_NANOS
}

const fn index_of(number: u64) -> usize {
    (number % (SLOTS_BACK + 1)) as usize
}

/// One second.
const SLOT_NANOS: u64 = 1_000_000_000;
/// Slots before that of now which count.
const SLOTS_BACK: u64 = 60;
const SLOTS: usize = 61;

#[cfg(test)]
mod tests {
    use super::Window;

    const SECOND: u64 = 1_000_000_000;

    fn used(window: &mut Window, now: u64) -> u64 {
        window.standing(now).0
    }

    #[test]
    fn a_burst_from_cold_gets_exactly_the_limit_and_all_of_it_again_after_61_seconds() {
        for start in [
            0,
            1,
            SECOND - 1,
            17 * SECOND + 3,
            u64::from(u32::MAX) * SECOND,
        ] {
            let mut window = Window::default();
            let mut taken = 0;
            while window.wait(1, 100, start) == Some(0) {
                window.add(1, start);
                taken += 1;
            }
            assert_eq!(taken, 100);
            let wait = window.wait(1, 100, start).unwrap();
            assert!((60 * SECOND..=61 * SECOND).contains(&wait), "{wait}");
            assert_eq!(window.standing(start).1, wait);
            assert_eq!(window.wait(100, 100, start + wait - 1).unwrap(), 1);
            assert_eq!(window.wait(100, 100, start + wait), Some(0));
            assert_eq!(used(&mut window, start + wait), 0);
        }
    }

    #[test]
    fn more_than_the_limit_at_once_never_fits() {
        assert_eq!(Window::default().wait(11, 10, 5), None);
        assert_eq!(Window::default().wait(10, 10, 5), Some(0));
    }

    #[test]
    fn what_is_taken_back_is_free_at_once_and_never_twice() {
        let mut window = Window::default();
        let number = window.add(10, 5 * SECOND);
        window.take_back(4, number);
        assert_eq!(used(&mut window, 6 * SECOND), 6);
        window.take_back(100, number);
        assert_eq!(used(&mut window, 6 * SECOND), 0);
        let old = window.add(10, 7 * SECOND);
        window.add(3, 100 * SECOND);
        window.take_back(10, old);
        assert_eq!(
            used(&mut window, 100 * SECOND),
            3,
            "an old slot is another's by now"
        );
    }

    /// Random use, held against a list of all that was ever used: what is let in is never more than
    /// the limit in any 60 seconds, and what waits as told is let in then, and no slot sooner.
    #[test]
    fn whatever_is_used_agrees_with_a_list_of_it() {
        let mut seed = 0x2545_F491_4F6C_DD1D_u64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        for round in 0..200 {
            let limit = 1 + random(50);
            let mut window = Window::default();
            let mut used: Vec<(u64, u64)> = Vec::new();
            let mut now = random(100 * SECOND);
            for _ in 0..200 {
                let bits = random(15);
                now += random(1 << (20 + bits));
                let amount = 1 + random(limit.min(8));
                let slots = |used: &[(u64, u64)], at: u64| -> u64 {
                    let counts = |&&(when, _): &&(u64, u64)| when / SECOND + 60 >= at / SECOND;
                    used.iter().filter(counts).map(|(_, n)| n).sum()
                };
                let fits = slots(&used, now) + amount <= limit;
                let wait = window.wait(amount, limit, now);
                assert_eq!(wait == Some(0), fits, "round {round}");
                if let Some(wait) = wait.filter(|&wait| wait > 0) {
                    assert!(slots(&used, now + wait) + amount <= limit);
                    assert!(slots(&used, now + wait - 1) + amount > limit);
                }
                if fits {
                    window.add(amount, now);
                    used.push((now, amount));
                }
                let recent = used.iter().filter(|(when, _)| when + 60 * SECOND > now);
                assert!(recent.map(|(_, n)| n).sum::<u64>() <= limit);
            }
        }
    }
}
