"""The expectations of an output or a call, and the checks that they hold."""
