"""From records to tables, figures and one self-contained page; nothing here knows tensors."""
