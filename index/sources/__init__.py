"""Where documents come from besides files that are named: folders that change, the web, Zotero."""
