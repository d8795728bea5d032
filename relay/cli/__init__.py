"""The command `relay`: one module per group of subcommands, and how results are printed."""
