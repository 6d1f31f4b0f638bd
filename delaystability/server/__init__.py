"""A real asynchronous parameter server, with workers in separate processes.

Workers compute gradients on the weights that they fetched; the server applies each gradient as it
arrives. The staleness of every applied gradient is logged, one integer an update. Nothing is
simulated: who is late is decided by the machine.

>>> from delaystability.server.worker_pool import WorkerPool             # doctest: +SKIP
>>> with WorkerPool.launch([task], workers=4) as pool:                   # doctest: +SKIP
...     run = pool.run(start, ds.HeavyBall(0.9), 0.01, updates=1000, folder="run")

The files: ``messages`` (bytes), ``channel`` (frames, sealed or not), ``joining``, ``greeting`` and
``private_folder`` (how processes of torchrun find each other), ``transport`` (both ends of the
protocol), ``worker`` (its loop), ``server`` (weights, pull and push), ``update_rule`` (optimizers),
``entries`` (updates in memory), ``ledger`` and ``checkpoint`` (files), ``run`` (what a run leaves),
``refusals`` and ``roster`` (what was refused, who is there), ``session`` (one run), ``worker_pool``
(the processes and their runs), ``task`` (what workers compute), ``orphan_watchdog`` (who ends with
the parent), ``ray_adapter`` (the same two methods as a Ray actor). As a program, ``python -m
delaystability.validation.parameter_server`` trains on one machine, or under torchrun on several:
those on a trusted network only.

When a worker dies, only its own gradient is lost; it does not come back before the next
`WorkerPool`. torchrun ends all processes when one of them dies, and the next start goes on from the
checkpoint.
"""
