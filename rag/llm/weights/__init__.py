"""The files of language models: which one, whether it is whole, and in which form it is fastest."""
