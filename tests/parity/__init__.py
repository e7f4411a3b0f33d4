"""PyTorch as an oracle. Needs the extra `parity`; where torch is not installed every file is skipped, visibly."""
