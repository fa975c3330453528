"""Results in, text out. Knows neither redis, git nor click."""
