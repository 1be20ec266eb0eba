"""Experiments on MT-CLAR: what they ask and what came out is in README.md, how to run them too.

Each study is a module with one function for its table and one for its figure, over what `world` has of a trained model.
All that is measured or learned is done by mtclar itself; nothing here is part of the package.
"""
