"""Where items come from: addresses, feeds, lists and yt-dlp."""
