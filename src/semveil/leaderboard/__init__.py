"""The leaderboard: entries that anyone can make, checked and scored again by the project."""
