"""What every stage needs: paths, parameters, the command line of a stage."""
