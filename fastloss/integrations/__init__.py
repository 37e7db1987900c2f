"""What other libraries take: objectives and metrics of gradient boosting, scorers of scikit-learn.

Each module is imported by its name and needs nothing but NumPy until the library itself calls.
"""
