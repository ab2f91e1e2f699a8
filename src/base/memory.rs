//! How much memory there is.

/// Bytes of memory that the machine can still give without swapping (its cgroup's, where it has one).
pub fn available_memory() -> u64 {
    memory().0
}

/// Bytes of memory the machine has (or its cgroup allows).
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
