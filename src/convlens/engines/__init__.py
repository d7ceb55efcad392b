"""One module a framework. Nobody imports them directly: the registry opens the one that a model needs."""
