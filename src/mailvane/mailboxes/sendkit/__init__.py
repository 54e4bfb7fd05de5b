"""The SendKit API: its paths, words, shapes and dates."""
