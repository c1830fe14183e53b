"""Places that go along with work: into threads, thread pools, and the processes that work for this one."""
