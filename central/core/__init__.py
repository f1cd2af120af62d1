"""The centre's rules as pure functions: no clock, file, socket, environment, random source or thread."""
