"""Video files in; frames with presentation times, subtitles and speech out."""
