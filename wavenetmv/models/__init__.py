"""Networks: tensors in, tensors and integers out. Never bytes, files or pixels on disk."""
