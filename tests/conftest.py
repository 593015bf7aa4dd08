"""Fixtures that every test may use."""

pytest_plugins = ["tests.ray_cluster", "tests.tpch", "tests.two_processes"]
