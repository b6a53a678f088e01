"""The face for programs: HTTP in OpenAI's form and in our own, and MCP. Nothing is drawn here."""
