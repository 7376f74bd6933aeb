"""Read models of the pages: what a page shows, and how it is composed from the packages' read functions."""
