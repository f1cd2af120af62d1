"""Where bundles from the centre lie, how they are checked, tried, and taken back."""
