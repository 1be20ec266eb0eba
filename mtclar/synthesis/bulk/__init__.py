"""From drawn faces to a faces store: parts that survive a stop, their sum, what is in it, a sheet, a data card.

Nothing here decides what a face looks like: `parts.made_of` holds to that, so that an edit here leaves parts good.
"""
