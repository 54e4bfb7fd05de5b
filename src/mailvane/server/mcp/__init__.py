"""The MCP server (Model Context Protocol): a language model's questions about one workspace, answered and bounded."""
