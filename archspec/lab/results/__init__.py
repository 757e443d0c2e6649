"""What an experiment gives: numbers with their spread, tables, plots, claims, and the folder that has them all."""
