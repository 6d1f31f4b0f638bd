"""What is being trained: optimizers, delay laws, delay logs and pipeline schedules."""
