"""The interactive page: a picture with what every node is, played forward and backward."""
