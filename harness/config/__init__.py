"""From YAML and overrides to one resolved configuration; the first stage of every command."""
