"""Who may do what with which document: pure rules, and one module for each mode of asking."""
