"""What is text to begin with: prose, marks, rows, values, subtitles."""
