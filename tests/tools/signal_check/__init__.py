"""`python -m tests.tools.signal_check`: what `archspec signal` predicts, beside what torch measures."""
