//! How much memory there is, and the one refusal of what takes more.

use std::fmt;

/// More memory than may be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what}: {needed} of memory needed, {available} available: take less at a time, or a machine with more \
     memory",
    needed = Size(*.needed),
    available = Size(*.available)
)]
#[non_exhaustive]
pub struct OutOfMemory {
    /// What it is needed for, with the file where there is one.
    pub what: String,
    /// Bytes that it takes.
    pub needed: u64,
    /// Bytes that may be taken.
    pub available: u64,
}

/// How much memory some work may take. Whoever begins the work says it, and hands it down to what takes the memory; what
/// the machine can still give is the default.
///
/// ```
/// use bitquilt::base::Budget;
///
/// let half = Budget::of_machine().part(0.5);
/// half.check(1 << 10, "a thousand bytes")?;
/// let refused = Budget::bytes(1 << 20).check(3 << 20, "the table").unwrap_err();
/// assert_eq!((refused.needed, refused.available), (3 << 20, 1 << 20));
/// assert!(refused.to_string().starts_with("the table: 3.00 MiB of memory needed, 1.00 MiB available"));
/// assert_eq!(Budget::bytes(1 << 20).less(1 << 18).part(0.5).available(), 3 << 17);
/// # Ok::<(), bitquilt::base::OutOfMemory>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget(Limit);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    /// Of what the machine can still give.
    Share(f64),
    Bytes(u64),
}

impl Budget {
    /// Allows all that the machine can still give when it is asked.
    pub const fn of_machine() -> Self {
        Self::share(1.0)
    }

    /// Allows a part, 0 to 1, of what the machine can still give when it is asked.
    pub const fn share(share: f64) -> Self {
        Self(Limit::Share(share))
    }

    /// Allows so many bytes, whatever the machine has.
    pub const fn bytes(bytes: u64) -> Self {
        Self(Limit::Bytes(bytes))
    }

    /// A part, 0 to 1, of this budget.
    #[must_use]
    pub const fn part(self, part: f64) -> Self {
        Self(match self.0 {
            Limit::Share(share) => Limit::Share(share * part),
            Limit::Bytes(bytes) => Limit::Bytes((bytes as f64 * part) as u64),
        })
    }

    /// What is left of this budget where so many bytes of it are taken already. A share of the machine stays as it is: what
    /// is taken is no longer among what the machine can give.
    #[must_use]
    pub const fn less(self, taken: u64) -> Self {
        Self(match self.0 {
            Limit::Share(share) => Limit::Share(share),
            Limit::Bytes(bytes) => Limit::Bytes(bytes.saturating_sub(taken)),
        })
    }

    /// Returns how many bytes may be taken now. Asks the operating system, except about a number of bytes.
    pub fn available(self) -> u64 {
        match self.0 {
            Limit::Share(share) => (available_memory() as f64 * share) as u64,
            Limit::Bytes(bytes) => bytes,
        }
    }

    /// Refuses what takes more than may be taken now.
    ///
    /// # Errors
    /// [`OutOfMemory`] when `needed` bytes are more than [`Budget::available`]; `what` names what needs them.
    pub fn check(self, needed: u64, what: impl Into<String>) -> Result<(), OutOfMemory> {
        let available = self.available();
        if needed <= available {
            return Ok(());
        }
        Err(OutOfMemory {
            what: what.into(),
            needed,
            available,
        })
    }

    /// Refuses as [`Budget::check`] does, but does not ask the operating system about `small` bytes or fewer: for what is
    /// checked often.
    ///
    /// # Errors
    /// As that has.
    pub(crate) fn check_often(
        self,
        needed: u64,
        small: u64,
        what: impl FnOnce() -> String,
    ) -> Result<(), OutOfMemory> {
        match self.0 {
            Limit::Share(share) if share > 0.0 && needed <= small => Ok(()),
            _ => self.check(needed, what()),
        }
    }
}

impl Default for Budget {
    /// [`Budget::of_machine`].
    fn default() -> Self {
        Self::of_machine()
    }
}

/// Returns how many bytes of memory the machine can still give without swapping (its cgroup's, where it has one).
pub fn available_memory() -> u64 {
    memory().0
}

/// Returns how many bytes of memory the machine has (or its cgroup allows).
pub fn total_memory() -> u64 {
    memory().1
}

fn memory() -> (u64, u64) {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    match system.cgroup_limits() {
        Some(limits) if limits.total_memory < system.total_memory() => {
            (limits.free_memory, limits.total_memory)
        }
        _ => (system.available_memory(), system.total_memory()),
    }
}

/// A number of bytes as a person reads it: "512 B", "1.50 GiB".
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1 << 10 {
            return write!(f, "{} B", self.0);
        }
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let (mut value, mut unit) = (self.0 as f64 / 1024.0, units[0]);
        for larger in &units[1..] {
            if value < 1024.0 {
                break;
            }
            (value, unit) = (value / 1024.0, larger);
        }
        write!(f, "{value:.2} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_they_fill() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1 << 10, "1.00 KiB"),
            (3 << 19, "1.50 MiB"),
            (1 << 42, "4.00 TiB"),
            (u64::MAX, "16.00 EiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), expected);
        }
    }

    #[test]
    fn a_budget_gives_what_it_says_and_no_byte_more() {
        let budget = Budget::bytes(100);
        assert_eq!(budget.check(100, "all of it"), Ok(()));
        let refused = budget.check(101, "a byte more").unwrap_err();
        assert_eq!((refused.needed, refused.available), (101, 100));
        assert_eq!(refused.what, "a byte more");
        // The machine's memory changes while it is asked, but never to nothing or to a petabyte.
        assert_eq!(Budget::of_machine().check(1, "a byte"), Ok(()));
        for budget in [Budget::of_machine(), Budget::share(0.5)] {
            let refused = budget.check(1 << 50, "a petabyte").unwrap_err();
            assert!(refused.available > 0 && refused.available < 1 << 50);
        }
        assert_eq!(Budget::share(0.0).available(), 0);
    }

    #[test]
    fn a_part_of_a_budget_is_never_more_than_the_budget() {
        let budget = Budget::bytes(1000);
        for (part, expected) in [(0.0, 0), (0.25, 250), (0.5, 500), (1.0, 1000)] {
            assert_eq!(budget.part(part).available(), expected);
        }
        assert_eq!(Budget::share(0.5).part(0.5), Budget::share(0.25));
        assert_eq!(Budget::default(), Budget::share(1.0));
    }

    #[test]
    fn a_number_of_bytes_holds_for_the_smallest_too() {
        let what = || "two bytes".to_owned();
        assert!(Budget::bytes(1).check_often(2, 1 << 20, what).is_err());
        assert_eq!(Budget::bytes(2).check_often(2, 0, what), Ok(()));
        assert_eq!(Budget::of_machine().check_often(2, 2, what), Ok(()));
        let petabyte = Budget::of_machine().check_often(1 << 50, 1 << 20, what);
        assert!(petabyte.is_err());
    }

    #[test]
    fn what_is_taken_is_no_longer_there() {
        let budget = Budget::bytes(1000);
        for (taken, left) in [(0, 1000), (999, 1), (1000, 0), (u64::MAX, 0)] {
            assert_eq!(budget.less(taken).available(), left);
        }
        // The machine no longer has it.
        assert_eq!(Budget::share(0.5).less(1 << 50), Budget::share(0.5));
    }
}
