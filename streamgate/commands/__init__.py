"""What the command line does beside `run`, a file each; imported when it is asked for."""
