"""Search and open over HTTP, as Search-R1 and RLinf speak it: client, server, its processes."""
