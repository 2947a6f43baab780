"""The kinds of link beside the multi-task one: task alone, bottleneck, digital, encrypted."""
