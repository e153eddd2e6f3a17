# Filled when the binary, man pages and completions exist.
