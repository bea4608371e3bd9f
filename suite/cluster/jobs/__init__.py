"""What to submit on a cluster: the text of a job for each launcher, made from a `Job` and nothing else."""
