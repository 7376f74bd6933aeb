"""Values shared by at least three packages; standard library only, no input or output."""
