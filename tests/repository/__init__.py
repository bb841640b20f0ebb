"""The repository as it is published: what hassfest and the HACS action look at, and what readers of it follow."""
