"""One file per job: what it reads, the chain of steps, what it writes."""
