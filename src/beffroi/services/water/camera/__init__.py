"""The camera gauge: from the images of a river to its surface velocity, its level and its discharge, each with its
uncertainty and its doubts."""
