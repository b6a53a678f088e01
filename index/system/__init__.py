"""The machine below: files, checksums, processor cores, child processes, priorities."""
