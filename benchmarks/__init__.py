"""Numbers and pictures: policies against each other, width and depth, throughput, scoring."""
