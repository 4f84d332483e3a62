"""The benchmarks: each measures one subject and returns a section of the report."""
