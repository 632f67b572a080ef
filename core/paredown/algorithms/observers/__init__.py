"""Observers: the range of a tensor's values, gathered batch by batch in constant memory."""
