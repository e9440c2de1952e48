"""The command `footing`: what operators run."""
