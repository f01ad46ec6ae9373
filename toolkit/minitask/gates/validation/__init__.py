"""Whether a validation tests the change: tests that were changed with it, runs that test nothing, planted faults."""
