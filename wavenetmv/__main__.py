"""`python -m wavenetmv` is the `wmv` command."""

from wavenetmv.cli.app import main

if __name__ == "__main__":
    main()
