"""What one runs by hand: fuzzing, mutants, benchmarks, the report of branches."""
