"""Which endings the files of videos and images have. Light: nothing is imported or opened here."""

VIDEO_EXTENSIONS = (
    # In order of preference where a folder holds several files of one name.
    *(".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".ts", ".mpg", ".wmv", ".gif"),
    *(".flv", ".mpeg", ".m2ts", ".mts", ".3gp", ".ogv", ".asf", ".vob", ".f4v", ".divx"),
)
IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
