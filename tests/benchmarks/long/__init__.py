"""What a benchmark prints, which takes as long as its shortest run."""
