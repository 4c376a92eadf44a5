"""What the functional tests share: processes, clients, tokens, and views of the files the processes write."""
