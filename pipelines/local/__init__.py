"""The local runner: walks the compiled graph, one worker process per step, and keeps what each step put out."""
